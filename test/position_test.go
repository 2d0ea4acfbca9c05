package test

import (
	"context"
	"errors"
	"net"
	"net/http"
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

// memoryPosition is a store that outlives its clients.
type memoryPosition struct {
	saved testkit.Log[crisp.Position]
	err   error
}

func (m *memoryPosition) Load(context.Context) (crisp.Position, error) {
	all := m.saved.List()
	if m.err != nil || len(all) == 0 {
		return crisp.Position{}, m.err
	}
	return all[len(all)-1], nil
}

func (m *memoryPosition) Save(_ context.Context, p crisp.Position) error {
	m.saved.Add(p)
	return nil
}

func (m *memoryPosition) last() time.Time {
	p, _ := m.Load(context.Background())
	return p.Time
}

func TestPositionMakesARestartAGap(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, got := texts()
		rtm := run(t, srv, router, crisp.WithPosition(store))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		pass(time.Minute)
		require.NoError(t, rtm.Shutdown(t.Context()))
		ended := time.Now()
		assert.WithinDuration(t, ended, store.last(), 25*time.Second, "heartbeats move the position")

		pass(time.Hour)
		var gaps testkit.Log[crisp.Gap]
		run(t, srv, router, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		emit(srv, "session_a", 1, 2)
		synctest.Wait()
		require.Len(t, gaps.List(), 1)
		gap := gaps.List()[0]
		assert.Equal(t, crisp.GapRestarted, gap.Reason)
		assert.True(t, gap.From.Equal(store.last()) || gap.From.Before(ended))
		assert.WithinDuration(t, ended.Add(time.Hour), gap.To, time.Second)
		assert.Equal(t, numbers(0, 2), got.List())
	})
}

func TestPositionWaitsForHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, _, release := blockable()
		rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithConcurrency(4))
		authenticated(t, srv)
		pass(time.Minute)
		emit(srv, "session_a", 0, 1)
		received := time.Now()
		pass(time.Minute)
		emit(srv, "session_b", 0, 1)
		pass(time.Minute)
		assert.False(t, store.last().After(received.Add(clockStep)), "not past what is in its handler")

		require.NoError(t, rtm.Close())
		close(release)
		pass(time.Minute)
		assert.False(t, store.last().After(received.Add(clockStep)), "nor past what was dropped at the end")
	})
}

func TestPositionThatCanNotBeLoaded(t *testing.T) {
	t.Run("damaged", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			var errs testkit.Log[error]
			router, _ := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
			run(t, srv, router, crisp.WithPosition(&memoryPosition{err: crisp.ErrPosition}))
			authenticated(t, srv)
			require.Len(t, errs.List(), 1)
			assert.ErrorIs(t, errs.List()[0], crisp.ErrPosition)
		})
	})
	t.Run("ahead of the clock", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			var errs testkit.Log[error]
			store := new(memoryPosition)
			store.saved.Add(crisp.Position{Time: time.Now().Add(time.Hour)})
			router, _ := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
			hooks, gaps, _ := watch()
			run(t, srv, router, hooks, crisp.WithPosition(store))
			authenticated(t, srv)
			require.Len(t, errs.List(), 1)
			require.ErrorIs(t, errs.List()[0], crisp.ErrPosition)
			assert.ErrorContains(t, errs.List()[0], "1h0m0s ahead of the clock")
			require.Len(t, gaps.List(), 1)
			assert.False(t, gaps.List()[0].From.After(gaps.List()[0].To))
		})
	})
	t.Run("out of reach", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			down := errors.New("database down")
			router, _ := texts()
			rtm := run(t, srv, router, crisp.WithPosition(&memoryPosition{err: down}))
			assert.ErrorIs(t, <-rtm.err, down, "a program that would not know its gap does not start")
			assert.Empty(t, srv.Requests())
		})
	})
}

func TestPositionWaitsForTheHookOfAGap(t *testing.T) {
	for name, opts := range map[string][]crisp.RTMOption{
		"without backfill": nil,
		"with backfill":    {crisp.WithBackfill(crisp.Backfill{})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				var gaps testkit.Log[crisp.Gap]
				router, got := texts()
				run(t, srv, router, append(opts, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: func(g crisp.Gap) {
					gaps.Add(g)
					time.Sleep(time.Minute) // virtual
				}}))...)
				authenticated(t, srv)
				pass(time.Minute)
				srv.DropConnections()
				synctest.Wait()
				authenticated(t, srv)
				emit(srv, "session_a", 0, 1)
				pass(50 * time.Second)
				require.Len(t, gaps.List(), 1)
				assert.Empty(t, got.List())
				assert.False(t, store.last().After(gaps.List()[0].From), "who is not told of the gap must be after a restart")
				pass(time.Minute)
				assert.Equal(t, numbers(0, 1), got.List())
				assert.True(t, store.last().After(gaps.List()[0].To))
			})
		})
	}
}

func TestPositionWaitsForTheFirstConnectedHook(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, got := texts()
		run(t, srv, router, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Connected: func(crisp.Connected) {
			time.Sleep(10 * time.Minute) // virtual
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, srv.WaitAuthenticated(ctx))
		emit(srv, "session_a", 0, 1)
		received := time.Now()
		pass(9 * time.Minute)
		assert.Empty(t, got.List())
		assert.False(t, store.last().After(received.Add(clockStep)))
		pass(2 * time.Minute)
		assert.Equal(t, numbers(0, 1), got.List())
		assert.True(t, store.last().After(received.Add(clockStep)))
	})
}

func TestPositionIsSavedBeforeShutdownReturns(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := &slowPosition{took: 3 * time.Second}
		router, _ := texts()
		rtm := run(t, srv, router, crisp.WithPosition(store))
		authenticated(t, srv)
		pass(time.Minute)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		handled := time.Now()
		require.NoError(t, rtm.Shutdown(t.Context()))
		assert.WithinDuration(t, handled, store.last(), clockStep)
	})
}

func TestPositionStoreThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var errs testkit.Log[error]
		router, _ := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		rtm := run(t, srv, router, crisp.WithPosition(&slowPosition{took: time.Hour}))
		authenticated(t, srv)
		pass(time.Minute)
		assert.NotEmpty(t, errs.List())
		began := time.Now()
		require.NoError(t, rtm.Close())
		require.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
		assert.LessOrEqual(t, time.Since(began), 21*time.Second, "a save under way, and the last")
	})
}

// A program may find, in the hook of a gap, that too much was missed, and close
// the client. What was received behind that is dropped, and the next run's gap
// must begin before it.
func TestPositionDoesNotPassWhatCloseDrops(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := &slowPosition{took: 3 * time.Second} // so that the last is saved after the hook
		store.saved.Add(crisp.Position{Time: time.Now().Add(-time.Hour)})
		var dropped testkit.Log[crisp.Dropped]
		router, got := texts()
		started := make(chan *running, 1)
		rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{
			Gap: func(crisp.Gap) {
				<-time.After(6 * time.Second)
				_ = (<-started).Close()
				<-time.After(time.Second)
			},
			Dropped: dropped.Add,
		}))
		started <- rtm
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, srv.WaitAuthenticated(ctx))
		received := time.Now()
		emit(srv, "session_a", 0, 1)
		pass(time.Second)
		emit(srv, "session_a", 1, 2)
		require.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
		pass(time.Minute) // the hooks go on after Run
		assert.Empty(t, got.List())
		require.Len(t, dropped.List(), 1)
		assert.Equal(t, 2, dropped.List()[0].Count)
		assert.False(t, store.last().After(received.Add(clockStep)))
	})
}

// slowPosition takes its time to save.
type slowPosition struct {
	memoryPosition
	took time.Duration
}

func (s *slowPosition) Save(ctx context.Context, p crisp.Position) error {
	select {
	case <-time.After(s.took):
		return s.memoryPosition.Save(ctx, p)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestPositionStaysBeforeAnEventThatIsNotComplete(t *testing.T) {
	for name, part := range map[string]hostile{
		"a part of its frame":        frame("\x81\x7e\x01\x00", `42["message:send",{"session_id":"session_a","content":"1`), // of 256 bytes
		"all but its binary payload": sendText(`451-["message:send",{"session_id":"session_a","content":{"_placeholder":true,"num":0}}]`),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				var gaps testkit.Log[crisp.Gap]
				router, got := texts()
				run(t, srv, router, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
				authenticated(t, srv)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				whole := time.Now()
				pass(time.Second)
				part(srv)
				pass(20 * time.Second)
				assert.WithinDuration(t, whole, store.last(), clockStep)
				srv.DropConnections(crisptest.DropCut)
				synctest.Wait()
				authenticated(t, srv)
				require.Len(t, gaps.List(), 1)
				assert.WithinDuration(t, whole, gaps.List()[0].From, clockStep, "the event that was cut off lies in the gap")
				assert.Equal(t, numbers(0, 1), got.List())
			})
		})
	}
}

// holdable is a network that can hold back what the server sends.
type holdable struct {
	net.Conn
	held *atomic.Pointer[chan struct{}] // nil = nothing is; else until it is closed
}

func (h *holdable) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if held := h.held.Load(); held != nil {
		<-*held
	}
	return n, err
}

// What was held up on its way may have been sent as long ago. A program that is killed
// with it in the queue has to look for it from then on.
func TestPositionStaysBeforeWhatCameLate(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var held atomic.Pointer[chan struct{}]
		transport := srv.HTTPClient().Transport.(*http.Transport).Clone()
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return &holdable{conn, &held}, err
		}
		client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: transport}))
		defer client.CloseIdleConnections()
		store := new(memoryPosition)
		router, got, release := blockable()
		runClient(t, client, router, crisp.WithPosition(store))
		authenticated(t, srv)
		pass(time.Second)

		hold := make(chan struct{})
		held.Store(&hold)
		sent := time.Now()
		emit(srv, "session_a", 0, 10)
		pass(20 * time.Second)
		held.Store(nil)
		close(hold)
		pass(time.Minute)
		assert.False(t, store.last().After(sent.Add(clockStep)), "it is %s", store.last())
		close(release)
		pass(time.Minute)
		assert.Equal(t, numbers(0, 10), got.List())
		assert.WithinDuration(t, time.Now(), store.last(), 30*time.Second)
	})
}

// A program that is killed in its first seconds must know in the next life from when on
// it has missed something.
func TestPositionIsSavedAtTheFirstConnection(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, _ := texts()
		began := time.Now()
		run(t, srv, router, crisp.WithPosition(store))
		authenticated(t, srv)
		synctest.Wait()
		assert.WithinDuration(t, began, store.last(), time.Second)
	})
}
