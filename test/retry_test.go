package test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// patiently is a Retry that tries for an hour, each second.
func patiently(dead *testkit.Log[string]) func(crisp.Handler) crisp.Handler {
	return crisp.Retry(crisp.RetryPolicy{
		Attempts:   10_000,
		Backoff:    eachSecond{},
		MaxElapsed: time.Hour,
		Retrying:   func(context.Context, crisp.Event, error, time.Duration) {},
		DeadLetter: func(_ context.Context, ev crisp.Event, _ error) error {
			dead.Add(textOf(ev))
			return nil
		},
	})
}

type eachSecond struct{}

func (eachSecond) Delay(int) time.Duration { return time.Second }

func textOf(ev crisp.Event) string {
	text, _ := ev.(*crisp.MessageSend).Content.(crisp.TextContent)
	return string(text)
}

// lockedUntil makes a router whose handler of visitors' messages fails for those that
// say "0" until a time, and collects the texts of the others.
func lockedUntil(until time.Time) (router *crisp.Router, got, dead *testkit.Log[string]) {
	got, dead = new(testkit.Log[string]), new(testkit.Log[string])
	router = crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.Use(patiently(dead))
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		if textOf(ev) == "0" && time.Now().Before(until) {
			return errors.New("database is locked")
		}
		got.Add(textOf(ev))
		return nil
	})
	return router, got, dead
}

func TestRetryHoldsUpItsConversationOnly(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got, dead := lockedUntil(time.Now().Add(5 * time.Minute))
		run(t, srv, router, crisp.WithConcurrency(2))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 3)
		emit(srv, "session_b", 3, 5)
		pass(time.Minute)
		assert.Equal(t, numbers(3, 5), got.List(), "the others")
		pass(5 * time.Minute)
		assert.Equal(t, join(numbers(3, 5), numbers(0, 3)), got.List(), "in order")
		assert.Empty(t, dead.List())
	})
}

func TestPositionWaitsForRetries(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, got, _ := lockedUntil(time.Now().Add(10 * time.Minute))
		run(t, srv, router, crisp.WithPosition(store), crisp.WithConcurrency(2))
		authenticated(t, srv)
		pass(time.Minute)
		emit(srv, "session_a", 0, 1)
		received := time.Now()
		pass(time.Minute)
		emit(srv, "session_b", 1, 2)
		pass(5 * time.Minute)
		assert.False(t, store.last().After(received.Add(clockStep)), "the event is being tried")
		assert.Equal(t, numbers(1, 2), got.List())
		pass(10 * time.Minute)
		assert.Len(t, got.List(), 2)
		assert.WithinDuration(t, time.Now(), store.last(), time.Minute, "it was handled")
	})
}

func TestAMessageComesAgainIfTheProgramEndsDuringItsRetries(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *running, *memoryPosition) crisp.PositionStore{
		"killed": func(t *testing.T, rtm *running, store *memoryPosition) crisp.PositionStore {
			t.Helper()
			p, _ := store.Load(t.Context()) // what is saved at the end does not count
			left := new(memoryPosition)
			left.saved.Add(p)
			require.NoError(t, rtm.Close())
			return left
		},
		"closed": func(t *testing.T, rtm *running, store *memoryPosition) crisp.PositionStore {
			t.Helper()
			require.NoError(t, rtm.Close())
			return store
		},
		"shut down": func(t *testing.T, rtm *running, store *memoryPosition) crisp.PositionStore {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.ErrorIs(t, rtm.Shutdown(ctx), context.DeadlineExceeded)
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				router, got, dead := lockedUntil(time.Now().Add(24 * time.Hour))
				rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}), crisp.WithConcurrency(2))
				authenticated(t, srv)
				pass(time.Minute)
				a, b := srv.Visitor(), srv.Visitor()
				say(a, 0, 2)
				say(b, 2, 3)
				pass(3 * time.Minute)
				assert.Equal(t, numbers(2, 3), got.List())
				left := end(t, rtm, store)
				require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
				stats := rtm.Stats()
				assert.EqualValues(t, 3, stats.Received)
				assert.EqualValues(t, 2, stats.Dropped, "what was being tried, and what waited behind it")

				pass(time.Minute)
				router, again, _ := lockedUntil(time.Now())
				run(t, srv, router, crisp.WithPosition(left), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				assert.Equal(t, numbers(0, 2), again.List())
				assert.Empty(t, dead.List())
			})
		})
	}
}

// A dead letter is the end of an event: the position passes it, and it does not come
// again.
func TestADeadLetterDoesNotComeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, got, dead := lockedUntil(time.Now().Add(24 * time.Hour))
		rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		say(v, 0, 2)
		pass(2 * time.Hour)
		assert.Equal(t, numbers(0, 1), dead.List())
		assert.Equal(t, numbers(1, 2), got.List())
		require.NoError(t, rtm.Shutdown(t.Context()))
		assert.Zero(t, rtm.Stats().Dropped)

		router, again, _ := lockedUntil(time.Now())
		run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		assert.Empty(t, again.List())
	})
}

// What the documentation says of handlers without Retry: that a message failed is
// told, and it does not come again.
func TestAFailedMessageWithoutRetryDoesNotComeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store, newRouter := new(memoryPosition), func(fail error) (*crisp.Router, *testkit.Log[string], *testkit.Log[error]) {
			errs := new(testkit.Log[error])
			router, got := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
			crisp.On(router, func(context.Context, *crisp.MessageSend) error { return fail })
			return router, got, errs
		}
		router, got, errs := newRouter(errors.New("database is locked"))
		rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		say(v, 0, 1)
		synctest.Wait()
		require.Len(t, errs.List(), 1)
		require.NoError(t, rtm.Shutdown(t.Context()))
		assert.Equal(t, numbers(0, 1), got.List())
		assert.Zero(t, rtm.Stats().Dropped)

		pass(time.Minute)
		router, got, _ = newRouter(nil)
		run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		assert.Empty(t, got.List())
	})
}
