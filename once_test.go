package crisp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
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

// replica is one of several processes that share a store: a router with a handler
// behind Once.
type replica struct {
	*crisp.Router
	errs testkit.Log[error]
}

func newReplica(store crisp.ClaimStore, handle crisp.Handler, opts ...crisp.OnceOption) *replica {
	r := new(replica)
	report := func(_ context.Context, err error) { r.errs.Add(err) }
	r.Router = crisp.NewRouter(crisp.WithErrorHandler(report))
	r.Use(crisp.Once(store, append(opts, crisp.OnceErrorHandler(report))...))
	r.OnAny(handle)
	return r
}

func aMessage(t *testing.T) crisp.Event {
	return decoded(t, "message:send", `{"website_id":"w","session_id":"s","type":"text","from":"user","content":"Hi","fingerprint":42}`)
}

// dispatched dispatches an event on a goroutine of its own.
func dispatched(ctx context.Context, r *replica, ev crisp.Event) <-chan error {
	ended := make(chan error, 1)
	go func() {
		finished := false
		defer func() {
			if !finished {
				ended <- errors.New("the goroutine has ended")
			}
		}()
		err := r.Dispatch(ctx, ev)
		finished = true
		ended <- err
	}()
	synctest.Wait()
	return ended
}

// goingOn reports whether a dispatch is not over yet.
func goingOn(ended <-chan error) bool {
	synctest.Wait()
	return len(ended) == 0
}

// What a second delivery of an event does depends on how the first one ends.
func TestOnceASecondDeliveryWaits(t *testing.T) {
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		end   func() error // of the first delivery's handler
		again bool         // the second runs its own
	}{
		"success":        {func() error { return nil }, false},
		"failure":        {func() error { return failure }, true},
		"panic":          {func() error { panic("panic") }, true},
		"Goexit":         {func() error { runtime.Goexit(); return nil }, true},
		"context's end":  {func() error { return context.Canceled }, true},
		"a long handler": {func() error { time.Sleep(10 * time.Minute); return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, ran := crisp.NewMemoryClaims(0), new(testkit.Log[string])
				proceed := make(chan struct{})
				one := newReplica(store, func(context.Context, crisp.Event) error {
					ran.Add("one")
					<-proceed
					return c.end()
				})
				two := newReplica(store, func(context.Context, crisp.Event) error {
					ran.Add("two")
					return nil
				})
				first := dispatched(t.Context(), one, aMessage(t))
				second := dispatched(t.Context(), two, aMessage(t))
				time.Sleep(5 * time.Minute) // many leases
				assert.True(t, goingOn(second), "it waits for as long as the handlers run")
				close(proceed)
				assert.Equal(t, c.again, <-first != nil)
				ended := time.Now()
				require.NoError(t, <-second)
				assert.Less(t, time.Since(ended), time.Second, "it need not wait for the end of the lease")
				want := []string{"one"}
				if c.again {
					want = append(want, "two")
				}
				assert.Equal(t, want, ran.List())
				require.NoError(t, <-dispatched(t.Context(), one, aMessage(t)), "a third finds that it is done")
				assert.Equal(t, want, ran.List())
				assert.Empty(t, two.errs.List())
			})
		})
	}
}

func TestOnceAProcessThatHasDied(t *testing.T) {
	for name, c := range map[string]struct {
		opts  []crisp.OnceOption
		lease time.Duration
	}{
		"default":   {nil, 30 * time.Second},
		"OnceLease": {[]crisp.OnceOption{crisp.OnceLease(5 * time.Second)}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, ev := crisp.NewMemoryClaims(0), aMessage(t)
				dead := &cutOff{ClaimStore: store}
				stuck := dispatched(t.Context(), newReplica(dead, func(ctx context.Context, _ crisp.Event) error {
					<-ctx.Done()
					return context.Cause(ctx)
				}, c.opts...), ev)
				dead.die()
				var ran int
				alive := dispatched(t.Context(), newReplica(store, func(context.Context, crisp.Event) error {
					ran++
					return nil
				}), ev)
				time.Sleep(c.lease - time.Second)
				assert.True(t, goingOn(alive))
				time.Sleep(2 * time.Second)
				assert.False(t, goingOn(alive))
				assert.Equal(t, 1, ran)
				dead.wake()
				assert.ErrorIs(t, <-stuck, crisp.ErrClaimLost, "the handlers that had it are told")
			})
		})
	}
}

// cutOff is a store that a process does not always reach.
type cutOff struct {
	crisp.ClaimStore

	mu   sync.Mutex // guards dead
	dead bool
}

func (s *cutOff) die()  { s.set(true) }
func (s *cutOff) wake() { s.set(false) }

func (s *cutOff) set(dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = dead
}

var errStore = errors.New("no answer")

func (s *cutOff) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *cutOff) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	if s.failing() {
		return 0, errStore
	}
	return s.ClaimStore.Claim(ctx, id, owner, lease)
}

func (s *cutOff) Done(ctx context.Context, id string, keep time.Duration) error {
	if s.failing() {
		return errStore
	}
	return s.ClaimStore.Done(ctx, id, keep)
}

func TestOnceADeliveryWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := crisp.NewMemoryClaims(0)
		proceed := make(chan struct{})
		r := newReplica(store, func(context.Context, crisp.Event) error {
			<-proceed
			return nil
		})
		first := dispatched(t.Context(), r, aMessage(t))
		ctx, cancel := context.WithCancelCause(t.Context())
		second := dispatched(ctx, r, aMessage(t))
		cancel(errors.New("shutting down"))
		err := <-second
		assert.ErrorContains(t, err, "shutting down")
		close(proceed)
		require.NoError(t, <-first)
	})
}

// A store that fails delays an event, but doesn't lose it.
func TestOnceAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{ClaimStore: crisp.NewMemoryClaims(0)}
		var ran int
		r := newReplica(store, func(context.Context, crisp.Event) error {
			ran++
			return nil
		})
		store.die()
		short := dispatched(t.Context(), r, aMessage(t))
		time.Sleep(10 * time.Second)
		assert.True(t, goingOn(short), "it is asked again")
		assert.Zero(t, ran)
		store.wake()
		require.NoError(t, <-short)
		require.NoError(t, <-dispatched(t.Context(), r, aMessage(t)))
		assert.Equal(t, 1, ran, "what was claimed late is known")
		assert.Empty(t, r.errs.List())

		store.die()
		other := decoded(t, "message:send", `{"website_id":"w","session_id":"s","type":"text","from":"user","content":"Hi","fingerprint":43}`)
		began := time.Now()
		require.NoError(t, <-dispatched(t.Context(), r, other))
		assert.InDelta(t, 15, time.Since(began).Seconds(), 1)
		assert.Equal(t, 2, ran, "the handlers run all the same")
		require.Len(t, r.errs.List(), 2, "neither the claim nor the end could be recorded")
		assert.ErrorIs(t, r.errs.List()[0], errStore)

		began = time.Now()
		require.NoError(t, <-dispatched(t.Context(), r, other))
		assert.Zero(t, time.Since(began), "the next do not wait")
		assert.Equal(t, 3, ran)

		store.wake()
		require.NoError(t, <-dispatched(t.Context(), r, other))
		store.die()
		second := dispatched(t.Context(), r, aMessage(t))
		assert.True(t, goingOn(second), "having answered once, it is waited for again")
		store.wake()
		require.NoError(t, <-second)
	})
}

// What is done stays so if the store fails after the handlers, for less than the
// patience; and the lease does not run out meanwhile.
func TestOnceAStoreThatFailsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{ClaimStore: crisp.NewMemoryClaims(0)}
		var ran int
		handle := func(context.Context, crisp.Event) error {
			ran++
			store.die()
			return nil
		}
		first := dispatched(t.Context(), newReplica(store, handle), aMessage(t))
		second := dispatched(t.Context(), newReplica(store.ClaimStore, handle), aMessage(t))
		time.Sleep(14 * time.Second)
		store.wake()
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		assert.Equal(t, 1, ran)
	})
}

type brokenStore struct{ crisp.ClaimStore }

func (brokenStore) Claim(context.Context, string, string, time.Duration) (crisp.ClaimState, error) {
	return 0, nil
}

type panickingStore struct{ crisp.ClaimStore }

func (panickingStore) Claim(context.Context, string, string, time.Duration) (crisp.ClaimState, error) {
	panic("store")
}

func TestOnceStoresThatBreakTheContract(t *testing.T) {
	for name, store := range map[string]crisp.ClaimStore{
		"no state": brokenStore{crisp.NewMemoryClaims(0)},
		"panic":    panickingStore{crisp.NewMemoryClaims(0)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran int
				r := newReplica(store, func(context.Context, crisp.Event) error {
					ran++
					time.Sleep(time.Minute) // so that it is renewed, too
					return nil
				}, crisp.OncePatience(0))
				require.NoError(t, <-dispatched(t.Context(), r, aMessage(t)))
				assert.Equal(t, 1, ran)
				assert.NotEmpty(t, r.errs.List())
			})
		})
	}
}

// Nothing can be said of events without an identifier: they pass.
func TestOnceEventsWithoutAStableID(t *testing.T) {
	var ran int
	r := newReplica(panickingStore{}, func(context.Context, crisp.Event) error {
		ran++
		return nil
	})
	typing := decoded(t, "message:compose:send", `{"website_id":"w","session_id":"s"}`)
	require.NoError(t, r.Dispatch(t.Context(), typing))
	require.NoError(t, r.Dispatch(t.Context(), typing))
	assert.Equal(t, 2, ran)
	assert.Empty(t, r.errs.List())
}

func TestOnceKeepsWhatIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		opts []crisp.OnceOption
		keep time.Duration
	}{
		"default":  {nil, 24 * time.Hour},
		"OnceKeep": {[]crisp.OnceOption{crisp.OnceKeep(time.Hour)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran int
				r := newReplica(crisp.NewMemoryClaims(0), func(context.Context, crisp.Event) error {
					ran++
					return nil
				}, c.opts...)
				for range 2 {
					require.NoError(t, r.Dispatch(t.Context(), aMessage(t)))
					time.Sleep(c.keep - time.Second)
					require.NoError(t, r.Dispatch(t.Context(), aMessage(t)))
					time.Sleep(2 * time.Second)
				}
				assert.Equal(t, 2, ran)
			})
		})
	}
}

// Two replicas behind a load balancer: a redelivery may reach either of them.
func TestOnceAmongReplicasOfAWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := crisp.NewMemoryClaims(0)
		var (
			at   = time.Now()
			ran  testkit.Log[string]
			fail = true
		)
		post := func(name string) <-chan int {
			r := newReplica(store, func(context.Context, crisp.Event) error {
				ran.Add(name)
				time.Sleep(time.Second)
				if fail {
					return errors.New("failure")
				}
				return nil
			})
			h, err := crisp.NewWebhook(r.Router, crisp.WithSigningSecrets("secret"))
			require.NoError(t, err)
			answer := make(chan int, 1)
			req := crisptest.NewHookRequest("secret", crisptest.Sample("session:set_state"), crisptest.HookAt(at))
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				answer <- w.Code
			}()
			return answer
		}
		first, second := post("one"), post("two")
		assert.ElementsMatch(t, []int{500, 500}, []int{<-first, <-second})
		assert.ElementsMatch(t, []string{"one", "two"}, ran.List(), "a failure lets the other one try")
		fail = false
		first, second = post("three"), post("four")
		assert.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{<-first, <-second})
		assert.Len(t, ran.List(), 3, "a success answers both")
		assert.Equal(t, http.StatusOK, <-post("five"))
		assert.Len(t, ran.List(), 3)
	})
}

// A web hook need not wait for longer than its handlers may take.
func TestOnceAWebhookThatWaitsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, proceed := crisp.NewMemoryClaims(0), make(chan struct{})
		at, ran := time.Now(), 0
		post := func(opts ...crisp.WebhookOption) int {
			r := newReplica(store, func(context.Context, crisp.Event) error {
				ran++
				<-proceed
				return nil
			})
			h, err := crisp.NewWebhook(r.Router, append(opts, crisp.WithSigningSecrets("secret"))...)
			require.NoError(t, err)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, crisptest.NewHookRequest("secret", crisptest.Sample("session:set_state"), crisptest.HookAt(at)))
			return w.Code
		}
		first := make(chan int, 1)
		go func() { first <- post() }()
		synctest.Wait()
		assert.Equal(t, http.StatusInternalServerError, post(crisp.WithHandlerTimeout(5*time.Second)))
		assert.Equal(t, 5*time.Second, time.Since(at))
		close(proceed)
		assert.Equal(t, http.StatusOK, <-first)
		assert.Equal(t, http.StatusOK, post(crisp.WithHandlerTimeout(5*time.Second)), "the next delivery")
		assert.Equal(t, 1, ran)
	})
}

func TestOnceRefusesNonsense(t *testing.T) {
	for _, fn := range []func(){
		func() { crisp.Once(nil) },
		func() { crisp.OnceLease(time.Millisecond) },
		func() { crisp.OnceKeep(time.Millisecond) },
		func() { crisp.OncePatience(-1) },
		func() { crisp.OnceErrorHandler(nil) },
	} {
		assert.Panics(t, fn)
	}
	assert.Equal(t, "owned running done ClaimState(7)",
		crisp.ClaimOwned.String()+" "+crisp.ClaimRunning.String()+" "+crisp.ClaimDone.String()+" "+crisp.ClaimState(7).String())
}
