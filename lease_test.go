package crisp_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// candidate is one of several processes that want to lead.
type candidate struct {
	store *cutOff
	stop  context.CancelFunc
	ended chan error

	leading atomic.Int64 // how many run at the moment
	causes  testkit.Log[error]
}

func newCandidate(t *testing.T, store crisp.ClaimStore, ttl time.Duration) *candidate {
	c := &candidate{store: &cutOff{ClaimStore: store}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	c.stop = cancel
	go func() {
		c.ended <- crisp.Lead(ctx, crisp.NewLease(c.store, "rtm"), ttl, func(ctx context.Context) error {
			c.leading.Add(1)
			defer c.leading.Add(-1)
			<-ctx.Done()
			c.causes.Add(context.Cause(ctx))
			return context.Cause(ctx)
		})
	}()
	synctest.Wait()
	return c
}

func (c *candidate) leads() bool {
	synctest.Wait()
	return c.leading.Load() == 1
}

// lapse lets time pass in steps, and makes sure that at no time both lead.
func lapse(t *testing.T, d time.Duration, a, b *candidate) {
	t.Helper()
	const step = 10 * time.Millisecond
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(step) {
		require.False(t, a.leads() && b.leads())
	}
}

func TestLead(t *testing.T) {
	for name, c := range map[string]struct{ ttl, want time.Duration }{
		"default": {0, 10 * time.Second},
		"1 s":     {time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := crisp.NewMemoryClaims(0)
				a, b := newCandidate(t, store, c.ttl), newCandidate(t, store, c.ttl)
				lapse(t, 10*c.want, a, b)
				require.True(t, a.leads(), "it renews the lease")
				require.False(t, b.leads())

				a.store.die() // as if the network were cut
				lapse(t, c.want*4/10, a, b)
				require.True(t, a.leads(), "a short failure does not matter")
				a.store.wake()
				lapse(t, 2*c.want, a, b)
				require.True(t, a.leads())

				a.store.die()
				lapse(t, c.want*8/10, a, b)
				require.False(t, a.leads(), "it gives up before the lease is over")
				lapse(t, c.want, a, b)
				require.True(t, b.leads())
				require.Len(t, a.causes.List(), 1)
				require.ErrorIs(t, a.causes.List()[0], crisp.ErrLeaseLost)

				a.store.wake()
				lapse(t, 2*c.want, a, b)
				require.True(t, b.leads(), "it stands by again")
				b.stop()
				require.ErrorIs(t, <-b.ended, context.Canceled)
				lapse(t, c.want*4/10, a, b)
				require.True(t, a.leads(), "a lease that is given up need not run out")
				a.stop()
				require.ErrorIs(t, <-a.ended, context.Canceled)
			})
		})
	}
}

// takenStore says, from some time on, that another has everything.
type takenStore struct {
	crisp.ClaimStore
	taken atomic.Bool
}

func (s *takenStore) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	if s.taken.Load() {
		return crisp.ClaimRunning, nil
	}
	return s.ClaimStore.Claim(ctx, id, owner, lease)
}

// A process that was stopped for longer than the lease finds that another has it.
func TestLeadALeaseThatSomebodyElseHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &takenStore{ClaimStore: crisp.NewMemoryClaims(0)}
		a := newCandidate(t, store, 0)
		time.Sleep(2900 * time.Millisecond)
		require.True(t, a.leads())
		store.taken.Store(true)
		time.Sleep(200 * time.Millisecond)
		assert.False(t, a.leads(), "it ends at the next renewal")
		a.stop()
		assert.ErrorIs(t, <-a.ended, context.Canceled)
	})
}

// Leases of other names, and events, are other things.
func TestLeasesAreApart(t *testing.T) {
	store := crisp.NewMemoryClaims(0)
	for _, name := range []string{"one", "two", ""} {
		held, err := crisp.NewLease(store, name).Acquire(t.Context(), "holder of "+name, time.Hour)
		require.NoError(t, err)
		assert.True(t, held)
	}
	assert.Equal(t, crisp.ClaimOwned, claimOf(t, store, "one"))
	held, err := crisp.NewLease(store, "one").Acquire(t.Context(), "another", time.Hour)
	require.NoError(t, err)
	assert.False(t, held)
}

func TestLeadReturnsWhatRunReturns(t *testing.T) {
	failure := errors.New("failure")
	store := crisp.NewMemoryClaims(0)
	lease := crisp.NewLease(store, "rtm")
	for _, want := range []error{nil, failure} {
		err := crisp.Lead(t.Context(), lease, 0, func(context.Context) error { return want })
		assert.Equal(t, want, err)
	}
	assert.Panics(t, func() {
		_ = crisp.Lead(t.Context(), lease, 0, func(context.Context) error { panic("panic") })
	})
	held, err := lease.Acquire(t.Context(), "another", time.Hour)
	require.NoError(t, err)
	assert.True(t, held, "it is given up each time")
}

type panickingLease struct{ crisp.Lease }

func (panickingLease) Acquire(context.Context, string, time.Duration) (bool, error) { panic("lease") }

func TestLeadRefusesNonsense(t *testing.T) {
	run := func(context.Context) error { return nil }
	lease := crisp.NewLease(crisp.NewMemoryClaims(0), "rtm")
	for _, err := range []error{
		crisp.Lead(t.Context(), nil, 0, run),
		crisp.Lead(t.Context(), lease, 0, nil),
		crisp.Lead(t.Context(), lease, -1, run),
		crisp.Lead(t.Context(), lease, time.Millisecond, run),
	} {
		assert.ErrorContains(t, err, "Lead")
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := crisp.Lead(ctx, panickingLease{lease}, 0, run)
		assert.ErrorIs(t, err, context.DeadlineExceeded, "a lease that panics is one that fails")
	})
}
