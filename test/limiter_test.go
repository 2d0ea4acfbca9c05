package test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// limit decides whether a server takes one more request now, and if not, after
// what time it wants to be asked again (0 = it does not say).
type limit func(now time.Time, path string) (ok bool, retryAfter time.Duration)

// limitedServer is a REST API with a limit, in no time but for the latency.
type limitedServer struct {
	latency time.Duration
	limit   limit

	mu       sync.Mutex
	taken    map[string]int // by path
	refused  int
	inFlight int
	most     int // in flight at a time
}

func (s *limitedServer) client(t *testing.T) *crisp.Client {
	t.Helper()
	client, err := crisp.New(crisp.PluginToken("identifier", "key"), crisp.WithHTTPClient(&http.Client{Transport: s}))
	require.NoError(t, err)
	return client
}

func (s *limitedServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.enter()
	defer s.leave()
	if err := testkit.Elapse(r.Context(), s.latency/2); err != nil {
		return nil, err
	}
	resp := s.answer(r)
	return resp, testkit.Elapse(r.Context(), s.latency/2)
}

func (s *limitedServer) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight++
	s.most = max(s.most, s.inFlight)
}

func (s *limitedServer) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
}

func (s *limitedServer) answer(r *http.Request) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok, retryAfter := s.limit(time.Now(), r.URL.Path)
	if ok {
		s.taken[r.URL.Path]++
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"data":{}}`))}
	}
	s.refused++
	header := http.Header{}
	if retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	}
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: header, Body: http.NoBody}
}

func everySecond(retryAfter time.Duration) limit {
	n := 0
	return func(time.Time, string) (bool, time.Duration) {
		n++
		return n%2 == 0, retryAfter
	}
}

// byChance refuses one of n requests.
func byChance(n int, retryAfter time.Duration) limit {
	random := rand.New(rand.NewPCG(1, 2))
	return func(time.Time, string) (bool, time.Duration) { return random.IntN(n) > 0, retryAfter }
}

// atFirst refuses every call once.
func atFirst(retryAfter time.Duration) limit {
	seen := make(map[string]bool)
	return func(_ time.Time, path string) (bool, time.Duration) {
		defer func() { seen[path] = true }()
		return seen[path], retryAfter
	}
}

// alternating is closed for a period, then open for one, and so on.
func alternating(period, retryAfter time.Duration) limit {
	return func(now time.Time, _ string) (bool, time.Duration) {
		return now.UnixNano()/int64(period)%2 == 1, retryAfter
	}
}

// tokenBucket takes a burst at once and so many requests per second.
func tokenBucket(perSecond, burst float64, says bool) limit {
	tokens, last := burst, time.Now()
	return func(now time.Time, _ string) (bool, time.Duration) {
		tokens = min(burst, tokens+perSecond*now.Sub(last).Seconds())
		last = now
		if tokens >= 1 {
			tokens--
			return true, 0
		}
		if !says {
			return false, 0
		}
		return false, time.Duration((1 - tokens) / perSecond * float64(time.Second))
	}
}

// fixedWindow takes so many requests in each period of the clock.
func fixedWindow(n int, period time.Duration, says bool) limit {
	var window int64
	taken := 0
	return func(now time.Time, _ string) (bool, time.Duration) {
		if w := now.UnixNano() / int64(period); w != window {
			window, taken = w, 0
		}
		if taken++; taken <= n {
			return true, 0
		}
		if !says {
			return false, 0
		}
		return false, time.Unix(0, (window+1)*int64(period)).Sub(now)
	}
}

// TestAThousandCallsAtOnce is what the limiter is for: whatever the server's
// way of limiting, all calls get through, no accepted one is repeated, and few
// requests are wasted.
//
// How long that takes is a matter of chance for most: waits are random, and so is
// which of the goroutines comes first. The time allowed is then at least twice
// the longest of 30 runs or more; a pace that does not recover takes hours. Where
// refusals come whatever the client does, it may take its time, but not ask more.
func TestAThousandCallsAtOnce(t *testing.T) {
	const calls = 1000
	for _, tt := range []struct {
		name     string
		limit    func() limit
		latency  time.Duration
		unbidden bool          // refusals come whatever the client does
		within   time.Duration // of virtual time
	}{
		{"every second call", func() limit { return everySecond(0) }, time.Millisecond, true, time.Minute},
		{"every second call, far away", func() limit { return everySecond(0) }, 100 * time.Millisecond, true, 4 * time.Minute},
		{"every second call, Retry-After", func() limit { return everySecond(time.Second) }, time.Millisecond, true, 10 * time.Minute},
		{"by chance", func() limit { return byChance(2, 0) }, 10 * time.Millisecond, true, 10 * time.Minute},
		{"by chance, Retry-After", func() limit { return byChance(2, time.Second) }, 10 * time.Millisecond, true, 40 * time.Minute},
		{"one in ten by chance", func() limit { return byChance(10, 0) }, 10 * time.Millisecond, true, 2 * time.Minute},
		{"one in ten by chance, Retry-After", func() limit { return byChance(10, time.Second) }, 10 * time.Millisecond, true, 20 * time.Minute},
		{"by chance, Retry-After of 2 s", func() limit { return byChance(2, 2*time.Second) }, 20 * time.Millisecond, true, 75 * time.Minute},
		{"each at first", func() limit { return atFirst(0) }, 10 * time.Millisecond, true, 6 * time.Minute},
		{"each at first, Retry-After", func() limit { return atFirst(time.Second) }, 10 * time.Millisecond, true, time.Hour + 10*time.Minute},
		{"every second second", func() limit { return alternating(time.Second, 0) }, 10 * time.Millisecond, false, 5 * time.Minute},
		{"every second half second, Retry-After", func() limit { return alternating(time.Second/2, time.Second) }, 10 * time.Millisecond, false, 5 * time.Minute},
		{"100/s", func() limit { return tokenBucket(100, 1, false) }, 10 * time.Millisecond, false, time.Minute},
		{"100/s, burst", func() limit { return tokenBucket(100, 50, false) }, 10 * time.Millisecond, false, 11 * time.Second}, // hardly any chance
		{"100/s, burst, Retry-After", func() limit { return tokenBucket(100, 50, true) }, 10 * time.Millisecond, false, 5 * time.Minute},
		{"10/s", func() limit { return tokenBucket(10, 1, false) }, 100 * time.Millisecond, false, 10 * time.Minute},
		{"10/s, Retry-After", func() limit { return tokenBucket(10, 5, true) }, time.Millisecond, false, 10 * time.Minute},
		{"1/s", func() limit { return tokenBucket(1, 1, false) }, 10 * time.Millisecond, false, time.Hour},
		{"100 in each second", func() limit { return fixedWindow(100, time.Second, false) }, time.Millisecond, false, time.Minute},
		{"100 in each minute", func() limit { return fixedWindow(100, time.Minute, false) }, 10 * time.Millisecond, false, 30 * time.Minute},
		{"100 in each minute, Retry-After", func() limit { return fixedWindow(100, time.Minute, true) }, 10 * time.Millisecond, false, 30 * time.Minute},
		{"no limit", func() limit { return fixedWindow(calls, time.Hour, false) }, 10 * time.Millisecond, false, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &limitedServer{latency: tt.latency, limit: tt.limit(), taken: make(map[string]int)}
				client := server.client(t)
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()

				began := time.Now()
				var all sync.WaitGroup
				for i := range calls {
					all.Go(func() { assert.NoError(t, client.Do(ctx, "POST", fmt.Sprint("call/", i), i, nil)) })
				}
				all.Wait()

				assert.Len(t, server.taken, calls)
				for path, n := range server.taken {
					assert.Equal(t, 1, n, path)
				}
				total, least := calls+server.refused, calls
				if tt.unbidden {
					least += server.refused
				}
				assert.LessOrEqual(t, float64(total), 1.2*float64(least))
				assert.LessOrEqual(t, server.most, 16)
				assert.LessOrEqual(t, time.Since(began), tt.within)
				t.Logf("%d requests in %s", total, time.Since(began).Round(time.Millisecond))
			})
		})
	}
}

// refuseAll is a limit that can be switched.
type refuseAll struct {
	mu sync.Mutex
	on bool
}

func (r *refuseAll) set(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = on
}

func (r *refuseAll) limit(time.Time, string) (bool, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.on, 0
}

func TestAServerThatRefusesEverythingIsHardlyAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := refuseAll{on: true}
		server := &limitedServer{latency: time.Millisecond, limit: closed.limit, taken: make(map[string]int)}
		client := server.client(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() { assert.NoError(t, client.Do(ctx, "POST", fmt.Sprint("call/", i), i, nil)) })
		}
		<-time.After(10 * time.Minute)
		assert.LessOrEqual(t, server.refused, 60, "half a minute apart, at last")
		closed.set(false)
		all.Wait()
		assert.Len(t, server.taken, 100)
	})
}

func TestCallsWithoutDeadlineWaitAsLongAsTheQueueMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limitedServer{latency: time.Millisecond, limit: tokenBucket(1, 1, false), taken: make(map[string]int)}
		client := server.client(t)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() { assert.NoError(t, client.Do(context.Background(), "POST", fmt.Sprint("call/", i), i, nil)) })
		}
		all.Wait()
		assert.Greater(t, time.Since(began), 3*time.Minute)
	})
}

func TestCallsWithoutDeadlineGiveUpWhereNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := refuseAll{on: true}
		server := &limitedServer{limit: closed.limit, taken: make(map[string]int)}
		client := server.client(t)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				assert.ErrorIs(t, client.Do(context.Background(), "POST", "a", i, nil), crisp.ErrRateLimited)
			})
		}
		all.Wait()
		assert.LessOrEqual(t, time.Since(began), time.Minute)
	})
}

func TestTimeWithoutCallsIsNoMeasureOfTheRate(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			server := &limitedServer{latency: time.Millisecond, limit: tokenBucket(100, 20, false), taken: make(map[string]int)}
			client := server.client(t)
			for i := range 100 {
				require.NoError(t, client.Do(t.Context(), "POST", fmt.Sprint("before/", i), i, nil))
				<-time.After(every)
			}
			began := time.Now()
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() { assert.NoError(t, client.Do(t.Context(), "POST", fmt.Sprint("burst/", i), i, nil)) })
			}
			all.Wait()
			assert.Less(t, time.Since(began), 3*time.Second, every)
		})
	}
}

func TestCallsAreSentInTheirOrder(t *testing.T) {
	const calls, inFlight = 100, 16
	synctest.Test(t, func(t *testing.T) {
		server := &limitedServer{latency: time.Millisecond, limit: fixedWindow(calls, time.Hour, false), taken: make(map[string]int)}
		client := server.client(t)
		took := make([]time.Duration, calls)
		began := time.Now()
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				assert.NoError(t, client.Do(t.Context(), "POST", "a", i, nil))
				took[i] = time.Since(began)
			})
			synctest.Wait()
		}
		all.Wait()
		for i := range calls {
			assert.Equal(t, time.Duration(i/inFlight+1)*time.Millisecond, took[i], i)
		}
	})
}

func TestCallsThatAreGivenUpMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limitedServer{latency: time.Hour, limit: tokenBucket(1, 100, false), taken: make(map[string]int)}
		client := server.client(t)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 40 { // 16 in flight, the others behind them
			all.Go(func() { assert.ErrorIs(t, client.Do(ctx, "POST", "a", 1, nil), context.Canceled) })
		}
		synctest.Wait()
		cancel()
		all.Wait()

		server.latency = 0
		require.NoError(t, client.Do(t.Context(), "POST", "b", 1, nil))
	})
}

// A refusal concerns the client that it was told to, not its neighbours.
func TestClientsHaveTheirOwnPace(t *testing.T) {
	bubble(t, func(t *testing.T, a *crisptest.Server) {
		b := crisptest.NewServer(t, crisptest.InMemory())
		a.FailREST(http.StatusTooManyRequests, 1, 10*time.Second)
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var refusal *crisp.APIError
		require.ErrorAs(t, a.Client().Do(brief, "GET", "plugin/connect/endpoints", nil, nil), &refusal)
		began := time.Now()
		require.NoError(t, b.Client().Do(t.Context(), "GET", "plugin/connect/endpoints", nil, nil))
		assert.Zero(t, time.Since(began))
	})
}
