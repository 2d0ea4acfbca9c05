package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// script answers the first calls with responders, further ones with success,
// and notes when each call came.
type script struct {
	mu    sync.Mutex
	began time.Time
	at    []time.Duration
}

// next notes a call, and gives its number.
func (s *script) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Since(s.began))
	return len(s.at) - 1
}

func scripted(t *testing.T, opts []crisp.Option, responders ...httpmock.Responder) (*crisp.Client, *script) {
	t.Helper()
	client, mock := mockedClient(t, opts...)
	s := &script{began: time.Now()}
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		if i := s.next(); i < len(responders) {
			return responders[i](r)
		}
		return answer(200, `{"error":false,"data":{"page":1}}`)(r)
	})
	return client, s
}

func refusedFor(status int, retryAfter string) httpmock.Responder {
	return answer(status, `{"error":true,"reason":"rate_limited","data":{}}`).HeaderSet(http.Header{"Retry-After": {retryAfter}})
}

func TestRateLimitedCallsAreSentAgain(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusedFor(429, "7"), refusedFor(420, "2"))
			var out struct{ Page int }
			require.NoError(t, client.Do(t.Context(), method, "a", nil, &out), method)
			assert.Equal(t, 1, out.Page)
			assert.Equal(t, []time.Duration{0, 7 * time.Second, 9 * time.Second}, calls.at, method)
		})
	}
}

func TestRateLimitedCallsBackOffWhereNoTimeIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, calls := scripted(t, nil, refusedFor(429, ""), refusedFor(429, "0"), refusedFor(429, "soon"), refusedFor(429, ""))
		require.NoError(t, client.Do(t.Context(), "POST", "a", 1, nil))
		require.Len(t, calls.at, 5)
		window := 100 * time.Millisecond
		for i := 1; i < len(calls.at); i++ {
			wait := calls.at[i] - calls.at[i-1]
			assert.GreaterOrEqual(t, wait, window/2)
			assert.LessOrEqual(t, wait, window)
			window = window * 3 / 2
		}
	})
}

func TestBackingOffIsRandom(t *testing.T) {
	waits := make(map[time.Duration]bool)
	for range 4 {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusedFor(429, ""))
			require.NoError(t, client.Do(t.Context(), "POST", "a", 1, nil))
			waits[calls.at[1]] = true
		})
	}
	assert.Greater(t, len(waits), 1, "programs that were refused together must not come back together")
}

func TestACallThatIsSentAgainKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order testkit.Log[string]
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			order.Add(strings.TrimPrefix(r.URL.String(), testAPI))
			if len(order.List()) == 1 {
				<-time.After(time.Second) // until the others are in the queue
				return refusedFor(429, "2")(r)
			}
			<-time.After(time.Minute)
			return answer(200, `{}`)(r)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var all sync.WaitGroup
		for i := range 18 { // two more than are sent at a time
			all.Go(func() { assert.NoError(t, client.Do(ctx, "GET", fmt.Sprint(i), nil, nil)) })
			synctest.Wait()
		}
		all.Wait()
		assert.Equal(t, []string{"0", "16", "17"}, order.List()[16:])
	})
}

func TestTheBodyIsSentAgainWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		read := func(next httpmock.Responder) httpmock.Responder {
			return func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				bodies = append(bodies, string(body))
				require.NoError(t, err)
				return next(r)
			}
		}
		client, _ := scripted(t, nil, read(refusedFor(429, "1")), read(answer(200, `{}`)))
		require.NoError(t, client.Do(t.Context(), "POST", "a", map[string]int{"n": 1}, nil))
		assert.Equal(t, []string{`{"n":1}`, `{"n":1}`}, bodies)
	})
}

func TestACallDoesNotWaitForWhatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, calls := scripted(t, nil, refusedFor(429, "20"))
		ctx, cancel := context.WithTimeout(t.Context(), 19*time.Second)
		defer cancel()

		err := client.Do(ctx, "GET", "a", nil, nil)
		var refusal *crisp.APIError
		require.ErrorAs(t, err, &refusal)
		require.ErrorIs(t, err, crisp.ErrRateLimited)
		assert.Equal(t, 20*time.Second, refusal.RetryAfter)

		err = client.Do(ctx, "GET", "b", nil, nil)
		require.ErrorIs(t, err, crisp.ErrRateLimited)
		assert.EqualError(t, err, "crisp: GET b: not sent: crisp: rate limited: nothing is sent for another 20s")
		assert.Equal(t, []time.Duration{0}, calls.at)
		assert.Zero(t, time.Since(calls.began))
	})
}

func TestACallWithoutDeadlineGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(refusedFor(429, "9"))
		began := time.Now()
		err := client.Do(context.Background(), "POST", "a", 1, nil)
		require.ErrorIs(t, err, crisp.ErrRateLimited)
		assert.InDelta(t, 54, time.Since(began).Seconds(), 3, "each time a little later, lest it be always a bad one")
		assert.Equal(t, 7, mock.GetTotalCallCount())
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Run("of a call that was refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusedFor(429, "7"))
			ctx, cancel := context.WithCancelCause(t.Context())
			enough := errors.New("enough")
			time.AfterFunc(time.Second, func() { cancel(enough) })

			err := client.Do(ctx, "GET", "a", nil, nil)
			require.ErrorIs(t, err, enough)
			require.ErrorIs(t, err, crisp.ErrRateLimited)
			assert.Equal(t, time.Second, time.Since(calls.began))
			assert.Len(t, calls.at, 1)
		})
	})
	t.Run("of a call that was not sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusedFor(429, "7"))
			go func() { _ = client.Do(t.Context(), "GET", "a", nil, nil) }()
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)

			err := client.Do(ctx, "GET", "b", nil, nil)
			require.ErrorIs(t, err, context.Canceled)
			assert.EqualError(t, err, "crisp: GET b: not sent: context canceled")
			assert.Equal(t, time.Second, time.Since(calls.began))
			assert.Len(t, calls.at, 1)
		})
	})
}

func TestAUsedUpQuotaIsToldAtOnce(t *testing.T) {
	for name, refusal := range map[string]httpmock.Responder{
		"by its reason":     answer(429, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`),
		"by the long wait":  refusedFor(420, "43200"),
		"whatever the case": answer(420, `{"error":true,"reason":"Daily Quota Exceeded"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, calls := scripted(t, nil, refusal)
				err := client.Do(crisp.Idempotent(t.Context()), "GET", "a", nil, nil)
				require.ErrorIs(t, err, crisp.ErrQuota)
				require.NotErrorIs(t, err, crisp.ErrRateLimited)
				require.NoError(t, client.Do(t.Context(), "GET", "a", nil, nil), "each call asks anew")
				assert.Equal(t, []time.Duration{0, 0}, calls.at)
			})
		})
	}
}

// failures are what may have had an effect.
var failures = map[string]httpmock.Responder{
	"no connection":   httpmock.NewErrorResponder(errors.New("connection reset")),
	"status 500":      answer(500, `{"error":true,"reason":"internal_error"}`),
	"a gateway's 502": answer(502, "<html>"),
	"status 503":      answer(503, ""),
	"answer cut short": func(*http.Request) (*http.Response, error) {
		body := io.NopCloser(io.MultiReader(strings.NewReader(`{"data":`), &failingReader{io.ErrUnexpectedEOF}))
		return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
	},
}

type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestFailedCallsAreSentAgainOnlyIfThatIsHarmless(t *testing.T) {
	for name, failure := range failures {
		for _, tt := range []struct {
			method string
			ctx    func(context.Context) context.Context
			want   int
		}{
			{method: "GET", want: 2},
			{method: "HEAD", want: 2},
			{method: "POST", want: 1},
			{method: "PATCH", want: 1},
			{method: "PUT", want: 1},
			{method: "DELETE", want: 1},
			{method: "POST", ctx: crisp.Idempotent, want: 1},
			{method: "PUT", ctx: crisp.Idempotent, want: 2},
			{method: "PATCH", ctx: crisp.Idempotent, want: 2},
			{method: "DELETE", ctx: crisp.Idempotent, want: 2},
		} {
			synctest.Test(t, func(t *testing.T) {
				client, calls := scripted(t, nil, failure)
				ctx := t.Context()
				if tt.ctx != nil {
					ctx = tt.ctx(ctx)
				}
				err := client.Do(ctx, tt.method, "a", nil, nil)
				assert.Len(t, calls.at, tt.want, "%s %s", tt.method, name)
				assert.Equal(t, tt.want == 1, err != nil, "%s %s", tt.method, name)
			})
		}
	}
}

func TestFailuresAreBorneAFewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(500, `{"error":true,"reason":"internal_error"}`))
		began := time.Now()
		err := client.Do(t.Context(), "GET", "a", nil, nil)
		require.EqualError(t, err, `crisp: GET a: status 500 Internal Server Error, reason "internal_error"`)
		assert.Equal(t, 4, mock.GetTotalCallCount())
		assert.Less(t, time.Since(began), 2*time.Second)
	})
}

func TestAFailureCanNameTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, calls := scripted(t, nil, answer(503, "").HeaderSet(http.Header{"Retry-After": {"8"}}))
		require.NoError(t, client.Do(t.Context(), "GET", "a", nil, nil))
		assert.Equal(t, []time.Duration{0, 8 * time.Second}, calls.at)
	})
}

func TestWhatIsFinalIsNotSentAgain(t *testing.T) {
	for name, final := range map[string]httpmock.Responder{
		"bad request":    answer(400, `{"error":true,"reason":"invalid_data"}`),
		"unauthorized":   answer(401, `{"error":true,"reason":"invalid_session"}`),
		"not found":      answer(404, `{"error":true,"reason":"not_found"}`),
		"redirect":       answer(302, ""),
		"success?":       answer(200, "<html>"),
		"error with 200": answer(200, `{"error":true}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, calls := scripted(t, nil, final)
				require.Error(t, client.Do(t.Context(), "GET", "a", nil, nil))
				assert.Len(t, calls.at, 1)
			})
		})
	}
}

func TestConnectEndpointsIsAskedOnce(t *testing.T) {
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			client, calls := scripted(t, nil, failure)
			_, err := client.ConnectEndpoints(t.Context())
			require.Error(t, err)
			assert.Len(t, calls.at, 1)
		})
	}
	t.Run("rate limited", func(t *testing.T) {
		client, calls := scripted(t, nil, refusedFor(429, "1"))
		_, err := client.ConnectEndpoints(t.Context())
		require.ErrorIs(t, err, crisp.ErrRateLimited)
		assert.Len(t, calls.at, 1)
	})
}

func TestACallThatHangsDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		client, calls := scripted(t, nil, refusedFor(429, "1"), hangs)
		ctx, cancel := context.WithCancel(t.Context())
		var hanging sync.WaitGroup
		hanging.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			assert.ErrorIs(t, client.Do(ctx, "GET", "a", nil, nil), context.Canceled)
		})
		synctest.Wait()
		require.NoError(t, client.Do(t.Context(), "GET", "b", nil, nil))
		assert.Equal(t, []time.Duration{0, time.Second, 11 * time.Second}, calls.at)
		cancel()
		hanging.Wait()
	})
}

func TestRateLimitIsReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for name, tt := range map[string]struct {
			header map[string]string
			want   crisp.RateLimit
		}{
			"nothing": {},
			"seconds to go": {
				map[string]string{"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "30"},
				crisp.RateLimit{Limit: 600, Remaining: 12, Reset: now.Add(30 * time.Second), Told: now},
			},
			"UNIX seconds": {
				map[string]string{"RateLimit-Limit": "600, 600;w=3600", "RateLimit-Reset": "1893456000"},
				crisp.RateLimit{Limit: 600, Reset: time.Unix(1893456000, 0), Told: now},
			},
			"UNIX milliseconds": {
				map[string]string{"RateLimit-Reset": "1893456000123"},
				crisp.RateLimit{Reset: time.UnixMilli(1893456000123), Told: now},
			},
			"Retry-After": {
				map[string]string{"Retry-After": "1200"},
				crisp.RateLimit{RetryAt: now.Add(20 * time.Minute), Told: now},
			},
			"nonsense": {
				header: map[string]string{"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "-1", "Retry-After": "later"},
			},
		} {
			header := http.Header{}
			for key, value := range tt.header {
				header.Set(key, value)
			}
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(429, `{"error":true,"reason":"quota"}`).HeaderSet(header))
			require.ErrorIs(t, client.Do(t.Context(), "GET", "a", nil, nil), crisp.ErrQuota)
			assert.Equal(t, tt.want, client.RateLimit(), name)
		}
	})
}
