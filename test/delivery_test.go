package test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestConcurrencyKeepsSessionsInOrder(t *testing.T) {
	const sessions, each = 20, 50
	for _, concurrency := range []int{1, 4, 64} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var got testkit.Log[string] // session and number
				router := crisp.NewRouter()
				crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
					time.Sleep(rand.N(time.Millisecond)) // virtual; what runs beside others overtakes them
					got.Add(fmt.Sprint(ev.SessionID, ev.Content))
					return nil
				})
				run(t, srv, router, crisp.WithConcurrency(concurrency))
				authenticated(t, srv)
				for n := range each {
					for s := range sessions {
						emit(srv, fmt.Sprintf("session_%d:", s), n, n+1)
					}
				}
				time.Sleep(each * sessions * time.Millisecond) // virtual
				synctest.Wait()
				bySession := make(map[string][]string)
				for _, entry := range got.List() {
					session, n, _ := strings.Cut(entry, ":")
					bySession[session] = append(bySession[session], n)
				}
				require.Len(t, bySession, sessions)
				for session, ns := range bySession {
					assert.Equal(t, numbers(0, each), ns, session)
				}
			})
		})
	}
}

// Events come in both forms, and those of one session stay in order.
func TestConcurrencyKeepsEnvelopesInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const sessions, each = 10, 50
		handled := make(map[string]*testkit.Log[string])
		for s := range sessions {
			handled[fmt.Sprint("session_", s)] = new(testkit.Log[string])
		}
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			text, _ := ev.Content.(crisp.TextContent)
			handled[ev.SessionID].Add(string(text))
			return nil
		})
		run(t, srv, router, crisp.WithConcurrency(64))
		authenticated(t, srv)
		for n := range each {
			for session := range handled {
				payload := message(session, n)
				if n%2 == 1 {
					payload = fmt.Appendf(nil, `{"website_id":%q,"event":"message:send","data":%s,"timestamp":1}`, crisptest.WebsiteID, payload)
				}
				srv.EmitRaw("message:send", payload)
			}
		}
		synctest.Wait()
		for session, got := range handled {
			assert.Equal(t, numbers(0, each), got.List(), session)
		}
	})
}

func TestASlowSessionHoldsUpNoOther(t *testing.T) {
	for _, n := range []int{2, 4, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				const others = 200
				var done testkit.Log[string]
				release := make(chan struct{})
				router := crisp.NewRouter()
				crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
					if ev.SessionID == "session_slow" {
						<-release
					}
					done.Add(ev.SessionID)
					return nil
				})
				rtm := run(t, srv, router, crisp.WithConcurrency(n))
				authenticated(t, srv)
				emit(srv, "session_slow", 0, 100)
				for s := range others {
					emit(srv, fmt.Sprint("session_", s), 0, 2)
				}
				synctest.Wait()
				assert.Len(t, done.List(), 2*others, "all but those of the slow session")
				assert.Equal(t, 100, rtm.Stats().QueuedEvents)
				close(release)
				synctest.Wait()
				assert.Len(t, done.List(), 2*others+100)
			})
		})
	}
}

// A session that has many events must not keep the others waiting until it has
// none.
func TestABusySessionTakesTurns(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var order testkit.Log[string]
		started, release := make(chan struct{}), make(chan struct{})
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			switch ev.SessionID {
			case "session_slow":
				<-release // keeps one of two workers
			case "session_first":
				<-started
			default:
				order.Add(ev.SessionID)
			}
			return nil
		})
		run(t, srv, router, crisp.WithConcurrency(2))
		authenticated(t, srv)
		emit(srv, "session_slow", 0, 1)
		emit(srv, "session_first", 0, 1)
		emit(srv, "session_busy", 0, 1000)
		emit(srv, "session_calm", 0, 1)
		synctest.Wait()
		close(started)
		synctest.Wait()
		require.Len(t, order.List(), 1001)
		assert.Equal(t, []string{"session_busy", "session_calm", "session_busy"}, order.List()[:3])
		close(release)
	})
}

// blockable makes a router whose handler of visitors' messages waits until the
// channel is closed.
func blockable(opts ...crisp.RouterOption) (router *crisp.Router, got *testkit.Log[string], release chan struct{}) {
	release = make(chan struct{})
	router = crisp.NewRouter(opts...)
	got = new(testkit.Log[string])
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		<-release
		text, _ := ev.Content.(crisp.TextContent)
		got.Add(string(text))
		return nil
	})
	return router, got, release
}

func TestOverflowBlockLosesNothing(t *testing.T) {
	for _, version := range []int{3, 4} {
		t.Run(fmt.Sprintf("Engine.IO %d", version), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				const events = 5000
				var gaps testkit.Log[crisp.Gap]
				router, got, release := blockable()
				rtm := run(t, srv, router, crisp.WithEngineIO(version),
					crisp.WithQueue(50_000, crisp.OverflowBlock), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
				authenticated(t, srv)
				emit(srv, "session_a", 0, events)
				pass(10 * time.Minute) // many times what the server waits for a heartbeat
				stats := rtm.Stats()
				assert.LessOrEqual(t, stats.QueuedBytes, int64(50_000))
				assert.Less(t, stats.QueuedEvents, events)
				close(release)
				synctest.Wait()
				assert.Equal(t, numbers(0, events), got.List())
				assert.Empty(t, gaps.List(), "the session was never lost")
				assert.Zero(t, rtm.Stats().QueuedBytes)
				assert.Zero(t, rtm.Stats().Dropped)
			}, crisptest.WithHeartbeat(5*time.Second, 3*time.Second))
		})
	}
}

func TestOverflowDropTellsOfTheLoss(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const events = 1000
		var (
			errs    testkit.Log[error]
			gaps    testkit.Log[crisp.Gap]
			dropped testkit.Log[crisp.Dropped]
		)
		router, got, release := blockable(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		rtm := run(t, srv, router, crisp.WithQueue(50_000, crisp.OverflowDrop), crisp.WithHooks(crisp.Hooks{
			Gap: func(g crisp.Gap) {
				for _, text := range got.List() {
					assert.NotEqual(t, fmt.Sprint(events), text, "the gap is told before the first event after it")
				}
				gaps.Add(g)
			},
			Dropped: dropped.Add,
		}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, events)
		synctest.Wait()
		require.Len(t, errs.List(), 1, "once per episode, while it goes on")
		require.ErrorIs(t, errs.List()[0], crisp.ErrSlowConsumer)
		lost := int(rtm.Stats().Dropped)
		assert.Positive(t, lost)

		pass(time.Second)
		close(release)
		synctest.Wait()
		emit(srv, "session_a", events, events+1)
		synctest.Wait()
		want := append(numbers(0, events-lost), fmt.Sprint(events))
		assert.Equal(t, want, got.List(), "the newest are dropped")
		require.Len(t, gaps.List(), 1)
		assert.Equal(t, crisp.GapOverflow, gaps.List()[0].Reason)
		require.Len(t, dropped.List(), 1)
		assert.Equal(t, lost, dropped.List()[0].Count)
		assert.ErrorIs(t, dropped.List()[0].Err, crisp.ErrSlowConsumer)
		assert.Len(t, errs.List(), 1)
	})
}

func TestEventsTellWhenTheyWereReceived(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var times testkit.Log[time.Time]
		router := crisp.NewRouter()
		release := make(chan struct{})
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			<-release
			times.Add(ev.EventMeta().Time)
			return nil
		})
		run(t, srv, router)
		authenticated(t, srv)
		sent := time.Now()
		srv.EmitRaw("session:removed", []byte(`{"session_id":"s"}`))
		srv.EmitRaw("session:removed", []byte(`{"session_id":"s"}`))
		pass(time.Minute)
		close(release)
		synctest.Wait()
		require.Len(t, times.List(), 2)
		assert.WithinDuration(t, sent, times.List()[1], clockStep, "not when the queue got to it")
	})
}

func TestAnEventLargerThanTheQueuePasses(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		run(t, srv, router, crisp.WithQueue(10, crisp.OverflowBlock))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 5)
		synctest.Wait()
		assert.Equal(t, numbers(0, 5), got.List())
	})
}

func TestGoroutinesStayConstantUnderLoad(t *testing.T) {
	for _, n := range []int{1, 16} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got, release := blockable()
				run(t, srv, router, crisp.WithConcurrency(n))
				authenticated(t, srv)
				before := runtime.NumGoroutine()
				for s := range 100 {
					emit(srv, fmt.Sprint("session_", s), 0, 100)
				}
				synctest.Wait()
				assert.LessOrEqual(t, runtime.NumGoroutine(), before)
				close(release)
				synctest.Wait()
				assert.Len(t, got.List(), 10_000)
			})
		})
	}
}

// The queue's bound is one of memory, too, whatever the size of the events.
func TestMemoryStaysWithinTheBound(t *testing.T) {
	for name, tt := range map[string]struct{ concurrency, sessions int }{
		"one at a time":                  {1, 1},
		"16 at a time":                   {16, 1},
		"16 at a time, of many sessions": {16, 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				const (
					events   = 100_000
					bound    = 64 << 20 // the default
					overhead = 16 << 20 // of the tests, the server and the garbage collector
				)
				router, got, release := blockable()
				rtm := run(t, srv, router, crisp.WithConcurrency(tt.concurrency))
				authenticated(t, srv)
				goroutines, before := runtime.NumGoroutine(), testkit.Heap()
				for n := range events {
					emit(srv, fmt.Sprint("session_", n%tt.sessions), n, n+1)
				}
				pass(10 * time.Second)
				taken := testkit.Heap() - before
				t.Logf("%d events queued count %d bytes and take %d bytes of heap, in %d goroutines",
					rtm.Stats().QueuedEvents, rtm.Stats().QueuedBytes, taken, runtime.NumGoroutine())
				assert.LessOrEqual(t, taken, int64(bound+overhead))
				assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)

				close(release)
				synctest.Wait()
				if tt.sessions == 1 {
					assert.Equal(t, numbers(0, events), got.List(), "none lost, none out of order")
				}
				assert.Len(t, got.List(), events)
			})
		})
	}
}

func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var errs testkit.Log[error]
				router, got := texts(crisp.WithErrorHandler(func(_ context.Context, err error) {
					errs.Add(err)
					runtime.Goexit() // nothing is sacred
				}))
				crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
					if ev.Content == crisp.TextContent("1") {
						runtime.Goexit()
					}
					return nil
				})
				rtm := run(t, srv, router, crisp.WithConcurrency(n))
				authenticated(t, srv)
				emit(srv, "session_a", 0, 4)
				synctest.Wait()
				assert.Equal(t, numbers(0, 4), got.List(), "the others are handled")
				require.Len(t, errs.List(), 1)
				assert.ErrorContains(t, errs.List()[0], "Goexit")
				assert.Zero(t, rtm.Stats().QueuedEvents)
				require.NoError(t, rtm.Shutdown(t.Context()), "it ends all the same")
			})
		})
	}
}

func TestShutdownDrains(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got, release := blockable()
		rtm := run(t, srv, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 100)
		synctest.Wait()

		ended := make(chan error, 1)
		go func() { ended <- rtm.Shutdown(t.Context()) }()
		synctest.Wait()
		assert.Equal(t, crisp.StateDraining, rtm.State())
		assert.Empty(t, srv.Sessions(), "nothing more is received")
		require.Empty(t, ended, "Shutdown waits for the handlers")
		require.Empty(t, rtm.err, "and so does Run")
		close(release)
		require.NoError(t, <-ended)
		assert.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
		assert.Equal(t, numbers(0, 100), got.List())
		assert.Equal(t, crisp.StateClosed, rtm.State())
		assert.NoError(t, rtm.Shutdown(t.Context()), "again is fine")
		assert.NoError(t, rtm.Close())
	})
}

func TestShutdownIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var dropped testkit.Log[crisp.Dropped]
		router := crisp.NewRouter()
		crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		rtm := run(t, srv, router, crisp.WithHooks(crisp.Hooks{Dropped: dropped.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 10)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		assert.ErrorIs(t, rtm.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
		synctest.Wait()
		require.Len(t, dropped.List(), 1)
		assert.ErrorIs(t, dropped.List()[0].Err, crisp.ErrClosed)
		assert.Contains(t, []int{9, 10}, dropped.List()[0].Count, "all but the one that was in its handler, which may count")
	})
}

func TestCloseInsideAHandler(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var rtm *running
		router, closed := crisp.NewRouter(), make(chan error, 1)
		crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
			closed <- rtm.Close()
			<-ctx.Done()
			return nil
		})
		rtm = run(t, srv, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 3)
		require.NoError(t, <-closed)
		assert.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
		assert.Empty(t, closed, "what was queued is not handled")
	})
}

// Such a handler ignores its context, and keeps the program from nothing.
func TestCloseWhileAHandlerHangs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got, release := blockable()
		rtm := run(t, srv, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, rtm.Close())
		assert.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
		assert.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
		close(release)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
	})
}

// TestTheBooksBalance ends clients in the middle of their work. Each event that was
// received is either handled or counted as dropped, whether its handler never began,
// gives up, or does neither.
func TestTheBooksBalance(t *testing.T) {
	shutdown := func(rtm *running) {
		deadline, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = rtm.Shutdown(deadline)
	}
	ends := map[string]func(rtm *running, cancel context.CancelFunc){
		"Close":               func(rtm *running, _ context.CancelFunc) { _ = rtm.Close() },
		"Shutdown's deadline": func(rtm *running, _ context.CancelFunc) { shutdown(rtm) },
		"context":             func(_ *running, cancel context.CancelFunc) { cancel() },
	}
	handlers := map[string]func(ctx context.Context) error{
		"give up": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"finish": func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		},
		"hang": func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Hour)
			return ctx.Err()
		},
	}
	for end, stop := range ends {
		for what, handler := range handlers {
			for _, workers := range []int{1, 4} {
				t.Run(fmt.Sprint(end, ", handlers ", what, ", ", workers), func(t *testing.T) {
					bubble(t, func(t *testing.T, srv *crisptest.Server) {
						var handled, dropped atomic.Int64
						router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
						n := 0
						var mu sync.Mutex // guards n
						crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
							mu.Lock()
							n++
							quick := n <= 10
							mu.Unlock()
							if !quick {
								if err := handler(ctx); err != nil {
									return err
								}
							}
							handled.Add(1)
							return nil
						})
						hooks := crisp.Hooks{Dropped: func(d crisp.Dropped) { dropped.Add(int64(d.Count)) }}
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						rtm := runUntil(ctx, t, srv.Client(), router, crisp.WithHooks(hooks), crisp.WithConcurrency(workers))
						authenticated(t, srv)
						for i := range 10 {
							emit(srv, fmt.Sprint("session_", i), 10*i, 10*i+10)
						}
						synctest.Wait()
						stop(rtm, cancel)
						_ = rtm.ending(t)
						synctest.Wait()
						stats := rtm.Stats()
						assert.EqualValues(t, 100, stats.Received)
						assert.EqualValues(t, stats.Received, handled.Load()+dropped.Load())
						assert.EqualValues(t, stats.Dropped, dropped.Load())
						pass(2 * time.Hour)
					})
				})
			}
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		type key struct{}
		stop := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		var values testkit.Log[any]
		router, handled := crisp.NewRouter(), make(chan error, 1)
		crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
			values.Add(ctx.Value(key{}))
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			handled <- context.Cause(derived)
			return nil
		})
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- rtm.Run(ctx) }()
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		cancel(stop)
		assert.ErrorIs(t, <-ended, stop)
		assert.ErrorIs(t, <-handled, stop, "handlers hear why")
		assert.Equal(t, []any{"value"}, values.List(), "values of Run's context reach the handlers")
	})
}

func TestCallsAtOddTimes(t *testing.T) {
	newRTM := func(t *testing.T, srv *crisptest.Server) *crisp.RTM {
		router, _ := texts()
		rtm, err := srv.Client().NewRTM(router)
		require.NoError(t, err)
		return rtm
	}
	t.Run("Close before Run", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			rtm := newRTM(t, srv)
			assert.Equal(t, crisp.StateNew, rtm.State())
			require.NoError(t, rtm.Close())
			assert.ErrorIs(t, rtm.Run(t.Context()), crisp.ErrClosed)
			assert.Empty(t, srv.Requests())
		})
	})
	t.Run("Shutdown before Run", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			rtm := newRTM(t, srv)
			require.NoError(t, rtm.Shutdown(t.Context()))
			assert.ErrorIs(t, rtm.Run(t.Context()), crisp.ErrClosed)
		})
	})
	t.Run("Run twice", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			rtm := newRTM(t, srv)
			go func() { _ = rtm.Run(t.Context()) }()
			authenticated(t, srv)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			assert.ErrorIs(t, rtm.Run(ctx), crisp.ErrRunning)
			assert.Len(t, srv.Sessions(), 1, "the first goes on")
			require.NoError(t, rtm.Shutdown(t.Context()))
			assert.ErrorIs(t, rtm.Run(t.Context()), crisp.ErrRunning)
		})
	})
	t.Run("Close while connecting", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			srv.SlowREST(time.Hour)
			rtm := newRTM(t, srv)
			ended := make(chan error, 1)
			go func() { ended <- rtm.Run(t.Context()) }()
			synctest.Wait()
			assert.Equal(t, crisp.StateConnecting, rtm.State())
			require.NoError(t, rtm.Close())
			assert.ErrorIs(t, <-ended, crisp.ErrClosed)
		})
	})
	t.Run("Close while waiting", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			srv.FailREST(429, -1, time.Hour)
			rtm := newRTM(t, srv)
			ended := make(chan error, 1)
			go func() { ended <- rtm.Run(t.Context()) }()
			synctest.Wait()
			assert.Equal(t, crisp.StateWaiting, rtm.State())
			require.NoError(t, rtm.Close())
			assert.ErrorIs(t, <-ended, crisp.ErrClosed)
		})
	})
	t.Run("Bind without a session", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			rtm := newRTM(t, srv)
			require.NoError(t, rtm.Rebind(t.Context()))
			require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:removed"}}))
			go func() { _ = rtm.Run(t.Context()) }()
			authenticated(t, srv)
			assert.Equal(t, []string{"message:removed"}, srv.Sessions()[0].Events)
			require.NoError(t, rtm.Close())
			synctest.Wait()
			assert.ErrorIs(t, rtm.Rebind(t.Context()), crisp.ErrClosed)
		})
	})
}

// What was read is handled, also if the queue had no room for it yet when the
// program was stopped.
func TestShutdownHandlesTheEventThatWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got, release := blockable()
		rtm := run(t, srv, router, crisp.WithQueue(2000, crisp.OverflowBlock))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 100)
		synctest.Wait()
		received := int(rtm.Stats().Received)
		require.Less(t, received, 100, "the queue is full")
		ended := make(chan error, 1)
		go func() { ended <- rtm.Shutdown(t.Context()) }()
		synctest.Wait()
		close(release)
		require.NoError(t, <-ended)
		assert.Equal(t, numbers(0, received), got.List())
	})
}

// Handlers that are a little too slow for ever must not make an episode of
// each event.
func TestOverflowDropInEpisodes(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const events = 5000
		var errs testkit.Log[error]
		var gaps testkit.Log[crisp.Gap]
		var dropped testkit.Log[crisp.Dropped]
		router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		crisp.On(router, func(context.Context, *crisp.MessageSend) error {
			time.Sleep(3 * time.Millisecond) // virtual
			return nil
		})
		rtm := run(t, srv, router, crisp.WithQueue(50_000, crisp.OverflowDrop), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add, Dropped: dropped.Add}))
		authenticated(t, srv)
		for n := range events {
			emit(srv, "session_a", n, n+1)
			pass(time.Millisecond)
		}
		pass(time.Minute)
		// Half of the queue is some 70 events, which take 200 ms.
		assert.Less(t, len(gaps.List()), 30)
		assert.Len(t, errs.List(), len(gaps.List()))
		total := 0
		for _, d := range dropped.List() {
			total += d.Count
		}
		assert.EqualValues(t, rtm.Stats().Dropped, total)
		assert.EqualValues(t, events, rtm.Stats().Received)
		for i, gap := range gaps.List() {
			assert.True(t, gap.From.Before(gap.To))
			if i > 0 {
				assert.False(t, gap.From.Before(gaps.List()[i-1].To))
			}
		}
	})
}

func TestOverflowIsToldWithoutFurtherEvents(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		router, _, release := blockable(crisp.WithErrorHandler(func(context.Context, error) {}))
		run(t, srv, router, crisp.WithQueue(10_000, crisp.OverflowDrop), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1000)
		synctest.Wait()
		assert.Empty(t, gaps.List())
		close(release)
		synctest.Wait()
		require.Len(t, gaps.List(), 1)
	})
}

func TestGapDoesNotReachBackToALagThatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		store := new(memoryPosition)
		router, got, release := blockable()
		run(t, srv, router, crisp.WithQueue(20_000, crisp.OverflowBlock), crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		stopped := time.Now()
		for n := range 3600 {
			emit(srv, "session_a", n, n+1)
			pass(time.Second)
		}
		close(release)
		synctest.Wait() // it has caught up, all of an hour
		assert.Len(t, got.List(), 3600)
		pass(time.Minute)
		assert.WithinDuration(t, time.Now(), store.last(), 26*time.Second)
		emit(srv, "session_a", 3600, 3601)
		synctest.Wait()
		srv.DropConnections()
		synctest.Wait()
		authenticated(t, srv)
		require.Len(t, gaps.List(), 1)
		assert.WithinDuration(t, time.Now(), gaps.List()[0].From, time.Second, "the lag is over")
		assert.True(t, gaps.List()[0].From.After(stopped.Add(time.Hour)))
	})
}

// What waits in the server because handlers are slow, and is lost when the
// connection ends, was sent long before the client read anything last.
func TestGapReachesBackToWhereTheReaderStopped(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		store := new(memoryPosition)
		router, got, release := blockable()
		run(t, srv, router, crisp.WithQueue(20_000, crisp.OverflowBlock), crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 2000) // more than fits into queue and network
		synctest.Wait()
		stopped := time.Now()
		pass(time.Second / 4) // what comes later than half a second is doubtful anyway
		srv.DropConnections(crisptest.DropCut)
		close(release)
		synctest.Wait()
		authenticated(t, srv)
		assert.Less(t, len(got.List()), 2000)
		require.Len(t, gaps.List(), 1)
		assert.False(t, gaps.List()[0].From.After(stopped.Add(clockStep)), "when the others were sent")
	})
}

// On a website that is never quiet it is pings that tell when a lag is over.
func TestALagEndsOnABusyConnection(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		store := new(memoryPosition)
		router, got, release := blockable()
		run(t, srv, router, crisp.WithQueue(20_000, crisp.OverflowBlock), crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 100)
		pass(time.Second / 4)
		close(release)
		n := 100
		for range 3 * 600 { // ten minutes without half a second of quiet
			emit(srv, "session_a", n, n+1)
			n++
			pass(time.Second / 3)
		}
		require.Equal(t, numbers(0, n), got.List())
		assert.WithinDuration(t, time.Now(), store.last(), 10*time.Second)
		srv.DropConnections()
		synctest.Wait()
		authenticated(t, srv)
		require.Len(t, gaps.List(), 1)
		assert.WithinDuration(t, time.Now(), gaps.List()[0].From, time.Second)
	})
}
