package test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/clock"
)

// setClock sets this machine's wall clock, until the test ends.
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	clock.Step(by)
	t.Cleanup(func() { clock.Step(-by) })
}

// Whatever is done to this machine's clock while a connection lasts, the gap behind
// it is as long as it was, and searched where it was.
func TestAClockThatIsSetDuringAConnection(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, -time.Minute, time.Minute, time.Hour, 48 * time.Hour} {
		for _, concurrency := range []int{1, 8} {
			t.Run(fmt.Sprint(by, " ", concurrency), func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					v := srv.Visitor()
					v.Say("before the program ran")
					pass(12 * time.Hour)
					router, got := conversations()
					hooks, gaps, outcomes := watch()
					run(t, srv, router, hooks, crisp.WithConcurrency(concurrency), crisp.WithBackoff(crisp.ExponentialBackoff{Max: 5 * time.Second}),
						crisp.WithBackfill(crisp.Backfill{}))
					authenticated(t, srv)
					say(v, 0, 1)
					pass(time.Minute)
					setClock(t, by)
					pass(time.Minute)
					say(v, 1, 2)
					outage(t, srv, func() {
						say(v, 2, 4)
						pass(10 * time.Second)
					})
					say(v, 4, 5)
					pass(time.Minute)
					assert.Equal(t, []string{"0", "1", "2 (backfill)", "3 (backfill)", "4"}, of(got.List(), v.SessionID))
					require.Len(t, gaps.List(), 1)
					gap := gaps.List()[0]
					assert.False(t, gap.From.After(gap.To))
					assert.Less(t, gap.To.Sub(gap.From), time.Minute)
					assert.WithinDuration(t, time.Now().Add(by), gap.To, 2*time.Minute, "by the clock as it is set now")
					require.Len(t, outcomes.List(), 1)
					assert.True(t, outcomes.List()[0].Complete)
				})
			})
		}
	}
}

func TestAClockThatIsWrong(t *testing.T) {
	for _, skew := range []time.Duration{-24 * time.Hour, -10 * time.Minute, 10 * time.Minute, 24 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				srv.SkewClock(skew)
				router, got := conversations()
				hooks, _, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				say(v, 0, 2)
				outage(t, srv, func() { say(v, 2, 4) })
				say(v, 4, 6)
				synctest.Wait()
				assert.Equal(t, join(numbers(0, 2), filled(numbers(2, 4)...), numbers(4, 6)), of(got.List(), v.SessionID))
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
				assert.Equal(t, 2, outcomes.List()[0].Messages)
			})
		})
	}
}

// A machine whose clock is set while the program does not run, by NTP after a start
// without a battery, say.
func TestAClockThatIsSetBetweenTwoRuns(t *testing.T) {
	for _, by := range []time.Duration{-6 * time.Hour, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				router, got := conversations(crisp.WithErrorHandler(func(_ context.Context, err error) { assert.NoError(t, err) }))
				rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				say(v, 0, 1)
				pass(time.Minute)
				require.NoError(t, rtm.Shutdown(t.Context()))
				say(v, 1, 3)
				pass(10 * time.Minute)
				setClock(t, by)

				router = conversationsInto(got)
				hooks, gaps, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				assert.Equal(t, join(numbers(0, 1), filled(numbers(1, 3)...)), of(got.List(), v.SessionID))
				require.Len(t, gaps.List(), 1)
				assert.InDelta(t, 10*time.Minute, gaps.List()[0].To.Sub(gaps.List()[0].From), float64(time.Minute))
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
			})
		})
	}
}

func TestAPauseLastsAsLongWhateverTheClockSays(t *testing.T) {
	for name, c := range map[string]struct{ skew, step time.Duration }{
		"Crisp is behind": {-10 * time.Minute, 0},
		"Crisp is ahead":  {10 * time.Minute, 0},
		"set forward":     {0, time.Hour},
		"set back":        {0, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				srv.SkewClock(c.skew)
				client := srv.Client()
				router, got := texts()
				pauses := crisp.PauseOnHuman(router, client, crisp.ResumeAfter(10*time.Minute))
				runClient(t, client, router)
				authenticated(t, srv)
				v := srv.Visitor()
				srv.Operator("anna").Say(v, "I take over")
				synctest.Wait()
				setClock(t, c.step)
				pass(9 * time.Minute)
				v.Say("is ignored")
				pass(2 * time.Minute)
				v.Say("is heard")
				synctest.Wait()
				assert.Equal(t, []string{"is heard"}, got.List())
				assert.False(t, pauses.Paused(v.Session()))
			})
		})
	}
}

// A date that a refusal names is one of the server's clock.
func TestRetryAfterADateByAnotherClock(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		refusals := 0
		client := &http.Client{Transport: &intercepted{RoundTripper: srv.HTTPClient().Transport, see: func(*http.Request) *http.Response {
			if refusals++; refusals > 1 {
				return nil
			}
			resp := reply(http.StatusTooManyRequests, `{"error":true,"reason":"too_many_requests","data":{}}`)
			theirs := time.Now().Add(-3 * time.Hour).UTC()
			resp.Header.Set("Date", theirs.Format(http.TimeFormat))
			resp.Header.Set("Retry-After", theirs.Add(20*time.Second).Format(http.TimeFormat))
			return resp
		}}}
		began := time.Now()
		require.NoError(t, srv.Client(crisp.WithHTTPClient(client)).Do(t.Context(), "GET", "plugin/connect/endpoints", nil, nil))
		assert.Equal(t, 20*time.Second, time.Since(began))
	})
}
