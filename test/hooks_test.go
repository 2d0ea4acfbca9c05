package test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestHooksThatFail(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("hook") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var (
					errs testkit.Log[error]
					gaps testkit.Log[crisp.Gap]
				)
				router, got := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
				run(t, srv, router, crisp.WithHooks(crisp.Hooks{
					Connected: func(crisp.Connected) { fail() },
					Gap:       gaps.Add,
				}))
				authenticated(t, srv)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				srv.DropConnections()
				synctest.Wait()
				authenticated(t, srv)
				emit(srv, "session_a", 1, 2)
				synctest.Wait()
				assert.Equal(t, numbers(0, 2), got.List())
				assert.Len(t, gaps.List(), 1, "the other hooks are told all the same")
				require.Len(t, errs.List(), 2, "once per connection")
				assert.ErrorContains(t, errs.List()[0], "hook")
			})
		})
	}
}

// A program and a library that it uses may both want to hear of gaps.
func TestHooksAddUp(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var order testkit.Log[string]
		heard := func(who string) func(crisp.Connected) {
			return func(crisp.Connected) { order.Add(who) }
		}
		router, got := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { order.Add(strings.SplitN(err.Error(), "\n", 2)[0]) }))
		run(t, srv, router,
			crisp.WithHooks(crisp.Hooks{Connected: heard("first")}),
			crisp.WithHooks(crisp.Hooks{}),
			crisp.WithHooks(crisp.Hooks{Connected: func(crisp.Connected) { panic("no") }}),
			crisp.WithHooks(crisp.Hooks{Connected: heard("last")}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, []string{"first", "last", "crisp: a hook panicked: panic: no"}, order.List())
		assert.Equal(t, numbers(0, 1), got.List())
	})
}

func TestConnectedHookReturnsBeforeTheFirstEvent(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Connected: func(c crisp.Connected) {
			assert.Equal(t, 1, c.Attempt)
			pass(time.Minute) // heartbeats go on
			assert.Empty(t, got.List())
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, srv.WaitAuthenticated(ctx))
		emit(srv, "session_a", 0, 1)
		time.Sleep(61 * time.Second) // virtual
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
	}, crisptest.WithHeartbeat(5*time.Second, 3*time.Second))
}

// A program that ends after Shutdown has heard all there is to hear.
func TestShutdownWaitsForCallbacks(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var ends testkit.Log[error]
		router, _ := texts()
		rtm := run(t, srv, router, crisp.WithHooks(crisp.Hooks{Disconnected: func(d crisp.Disconnected) {
			<-time.After(time.Minute)
			ends.Add(d.Err)
		}}))
		authenticated(t, srv)
		require.NoError(t, rtm.Shutdown(t.Context()))
		require.Len(t, ends.List(), 1)
		assert.ErrorIs(t, ends.List()[0], crisp.ErrClosed)
	})
}

// A hook that hangs must not keep the program from ending.
func TestCloseWhileAHookHangs(t *testing.T) {
	for name, opts := range map[string][]crisp.RTMOption{
		"without backfill": nil,
		"with backfill":    {crisp.WithBackfill(crisp.Backfill{})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				release := make(chan struct{})
				defer close(release)
				router, got := texts()
				rtm := run(t, srv, router, append(opts, crisp.WithHooks(crisp.Hooks{Gap: func(crisp.Gap) { <-release }}))...)
				authenticated(t, srv)
				srv.DropConnections()
				synctest.Wait()
				authenticated(t, srv)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()

				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				assert.ErrorIs(t, rtm.Shutdown(ctx), context.DeadlineExceeded)
				assert.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
				assert.Empty(t, got.List(), "the hook did not return")
			})
		})
	}
}

func TestSkippedHook(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const flood = 50_000
		var skipped testkit.Log[error]
		release := make(chan struct{})
		router, got := texts()
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Skipped: func(err error) {
			<-release
			skipped.Add(err)
		}}))
		authenticated(t, srv)
		for range flood {
			srv.SendFrame("z" + strings.Repeat("secret", 10))
		}
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List(), "a slow hook holds no event up")
		close(release)
		synctest.Wait()
		require.NotEmpty(t, skipped.List())
		assert.Less(t, len(skipped.List()), flood/10, "a flood is not kept")
		assert.NotContains(t, skipped.List()[0].Error(), "secret")
	})
}

func TestHeartbeatHook(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var beats testkit.Log[crisp.Heartbeat]
		router, _ := texts()
		rtm := run(t, srv, router, crisp.WithHooks(crisp.Hooks{Heartbeat: beats.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		pass(time.Second)
		pass(time.Hour)
		list := beats.List()
		require.Len(t, list, 144, "one per ping interval")
		last := list[len(list)-1]
		assert.InDelta(t, time.Hour, last.SinceEvent, float64(time.Minute), "authenticated, but silent")
		assert.LessOrEqual(t, last.SinceFrame, 25*time.Second, "and yet alive")
		require.NoError(t, rtm.Close())
		pass(time.Hour)
		assert.Len(t, beats.List(), 144)
	}, crisptest.WithHeartbeat(25*time.Second, 20*time.Second))
}
