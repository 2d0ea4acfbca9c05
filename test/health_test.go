package test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// TestDrainTimeout ends Run's context while events wait: the one that is handled and
// those behind it come to their end, with a context that is alive.
func TestDrainTimeout(t *testing.T) {
	stopping := errors.New("SIGTERM")
	for name, test := range map[string]struct {
		drain   time.Duration // 0: none
		each    time.Duration // that a handler takes
		handled int
		took    time.Duration
	}{
		"enough time":     {drain: 10 * time.Second, each: time.Second, handled: 5, took: 5 * time.Second},
		"too little time": {drain: 2500 * time.Millisecond, each: time.Second, handled: 2, took: 2500 * time.Millisecond},
		"none":            {each: time.Second, took: 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {})), new(testkit.Log[string])
				crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
					if err := testkit.Elapse(ctx, test.each); err != nil {
						return err
					}
					got.Add(string(ev.Content.(crisp.TextContent)))
					return nil
				})
				var opts []crisp.RTMOption
				if test.drain > 0 {
					opts = append(opts, crisp.WithDrainTimeout(test.drain))
				}
				var dropped testkit.Log[crisp.Dropped]
				ctx, cancel := context.WithCancelCause(t.Context())
				rtm := runUntil(ctx, t, srv.Client(), router, append(opts, crisp.WithHooks(crisp.Hooks{Dropped: dropped.Add}))...)
				authenticated(t, srv)
				emit(srv, "session_a", 0, 5)
				synctest.Wait()
				began := time.Now()
				cancel(stopping)
				synctest.Wait()
				assert.Empty(t, srv.Sessions(), "nothing more is received")
				assert.ErrorIs(t, rtm.ending(t), stopping)
				assert.InDelta(t, test.took, time.Since(began), float64(clockStep))
				assert.Equal(t, numbers(0, test.handled), append([]string(nil), got.List()...))
				synctest.Wait() // for the callback
				if test.handled < 5 {
					require.Len(t, dropped.List(), 1)
					assert.Equal(t, 5-test.handled, dropped.List()[0].Count)
					assert.ErrorIs(t, dropped.List()[0].Err, stopping)
				} else {
					assert.Empty(t, dropped.List())
				}
				assert.EqualValues(t, 5-test.handled, rtm.Stats().Dropped)
			})
		})
	}
}

func TestCloseCutsADrainShort(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _, release := blockable()
		defer close(release)
		ctx, cancel := context.WithCancel(t.Context())
		rtm := runUntil(ctx, t, srv.Client(), router, crisp.WithDrainTimeout(time.Hour))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 5)
		synctest.Wait()
		cancel()
		pass(time.Minute)
		assert.Equal(t, crisp.StateDraining, rtm.State())
		require.NoError(t, rtm.Close())
		began := time.Now()
		assert.ErrorIs(t, rtm.ending(t), context.Canceled)
		assert.Less(t, time.Since(began), time.Second)
	})
}

func TestWithDrainTimeoutNeedsATime(t *testing.T) {
	srv := crisptest.NewServer(t)
	router, _ := texts()
	_, err := srv.Client().NewRTM(router, crisp.WithDrainTimeout(0))
	assert.ErrorContains(t, err, "WithDrainTimeout(0s): needs more than 0")
}

func TestReady(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		short := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return rtm.Ready(ctx)
		}
		err = short()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "nobody has called RTM.Run")

		srv.FailREST(503, 3)
		ready := make(chan error, 1)
		go func() { ready <- rtm.Ready(t.Context()) }()
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- rtm.Run(t.Context()) }()
		require.NoError(t, <-ready)
		assert.Equal(t, crisp.StateConnected, rtm.State())
		assert.Len(t, srv.Sessions(), 1)
		require.NoError(t, short(), "at once")

		srv.TakeDown()
		synctest.Wait()
		pass(5 * time.Second)
		err = short()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "RTM endpoint", "what went wrong last")
		srv.BringUp()
		require.NoError(t, rtm.Ready(t.Context()))

		go func() {
			time.Sleep(time.Second)
			srv.RejectAuth("token_revoked")
			srv.DropConnections()
		}()
		require.ErrorIs(t, <-ended, crisp.ErrUnauthorized)
		assert.ErrorIs(t, rtm.Ready(t.Context()), crisp.ErrUnauthorized, "what Run returned")
	})
}

func TestReadyOfAClientThatIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		go func() {
			time.Sleep(time.Second)
			_ = rtm.Close()
		}()
		assert.ErrorIs(t, rtm.Ready(t.Context()), crisp.ErrClosed, "before it ran")
	})
}

func TestStatsTellSinceWhen(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, _, release := blockable()
			made := time.Now()
			client := srv.Client()
			rtm := runClient(t, client, router, crisp.WithConcurrency(concurrency))
			pass(0)
			connected := rtm.Stats().Since
			assert.False(t, connected.Before(made))
			assert.Zero(t, rtm.Stats().OldestEvent)
			pass(time.Minute)
			assert.Equal(t, connected, rtm.Stats().Since, "no change since")

			first := time.Now()
			emit(srv, "session_a", 0, 1)
			pass(time.Minute)
			emit(srv, "session_b", 1, 2)
			pass(time.Minute)
			assert.WithinDuration(t, first, rtm.Stats().OldestEvent, clockStep)
			close(release)
			synctest.Wait()
			assert.Zero(t, rtm.Stats().OldestEvent)

			lost := time.Now()
			srv.TakeDown()
			synctest.Wait()
			assert.WithinDuration(t, lost, rtm.Stats().Since, time.Second)
		})
	}
}

// probe asks a health handler.
func probe(t *testing.T, handler http.Handler, path string) (status int, answer map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusNotFound {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	}
	return w.Code, answer
}

func TestHealthHandler(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _, release := blockable()
		defer close(release)
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		handler := crisp.HealthHandler(rtm)
		expect := func(when string, healthy, ready int, state string) {
			t.Helper()
			for path, want := range map[string]int{"/healthz": healthy, "/readyz": ready} {
				status, answer := probe(t, handler, path)
				assert.Equal(t, want, status, "%s: %s", when, path)
				assert.Equal(t, map[int]string{200: "ok", 503: "unavailable"}[want], answer["status"])
				assert.Equal(t, state, answer["rtm"].([]any)[0].(map[string]any)["state"], when)
			}
		}
		expect("before Run", 200, 503, "new")
		ended := make(chan error, 1)
		go func() { ended <- rtm.Run(t.Context()) }()
		authenticated(t, srv)
		expect("connected", 200, 200, "connected")

		emit(srv, "session_a", 0, 3)
		pass(7 * time.Second)
		_, answer := probe(t, handler, "/readyz")
		client := answer["rtm"].([]any)[0].(map[string]any)
		assert.InDelta(t, 7, client["oldest_wait_seconds"], 0.001)
		assert.EqualValues(t, 3, client["queued_events"])
		assert.EqualValues(t, 3, client["received"])
		assert.NotEmpty(t, client["last_event"])

		srv.TakeDown()
		pass(5 * time.Second)
		expect("lost", 200, 503, rtm.State().String())
		srv.BringUp()
		authenticated(t, srv)
		go func() { _ = rtm.Shutdown(t.Context()) }()
		synctest.Wait()
		expect("draining", 200, 503, "draining")
		require.NoError(t, rtm.Close())
		require.ErrorIs(t, <-ended, crisp.ErrClosed)
		expect("ended", 503, 503, "closed")

		status, _ := probe(t, handler, "/metrics")
		assert.Equal(t, http.StatusNotFound, status)
		status, answer = probe(t, crisp.HealthHandler(), "/readyz")
		assert.Equal(t, 200, status)
		assert.Empty(t, answer["rtm"])
		assert.Panics(t, func() { crisp.HealthHandler(rtm, nil) })
	})
}
