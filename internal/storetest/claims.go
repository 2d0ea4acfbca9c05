// Package storetest has what every store must do that processes share: a
// [crisp.ClaimStore] and a [crisp.PositionStore], whatever keeps them.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// long is a lease that is not over before the test.
const long = time.Hour

// Claims checks stores of claims. open makes another store for the same claims with
// each call, as another process would.
func Claims(t *testing.T, open func(t *testing.T) crisp.ClaimStore) {
	t.Run("one owner at a time", func(t *testing.T) { oneOwner(t, newClaims(t, open)) })
	t.Run("done", func(t *testing.T) { done(t, newClaims(t, open)) })
	t.Run("released", func(t *testing.T) { released(t, newClaims(t, open)) })
	t.Run("a lease that is over", func(t *testing.T) { leaseOver(t, newClaims(t, open)) })
	t.Run("a lease that is renewed", func(t *testing.T) { leaseRenewed(t, newClaims(t, open)) })
	t.Run("what is done is forgotten", func(t *testing.T) { doneForgotten(t, newClaims(t, open)) })
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, newClaims(t, open)) })
}

// claims are two stores of the same claims, and the names of events and owners of a
// test.
type claims struct {
	a, b crisp.ClaimStore
	id   string
}

func newClaims(t *testing.T, open func(t *testing.T) crisp.ClaimStore) *claims {
	return &claims{a: open(t), b: open(t), id: strings.Repeat("0123456789abcdef", 4)}
}

func claim(t *testing.T, s crisp.ClaimStore, id, owner string, lease time.Duration) crisp.ClaimState {
	t.Helper()
	state, err := s.Claim(t.Context(), id, owner, lease)
	require.NoError(t, err)
	return state
}

// claimed waits until an owner gets an event. A store tells nobody when a lease is over: it is asked.
func claimed(t *testing.T, s crisp.ClaimStore, id, owner string, lease time.Duration, meanwhile crisp.ClaimState) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		state := claim(t, s, id, owner, lease)
		if state == crisp.ClaimOwned {
			return
		}
		require.Equal(t, meanwhile, state)
	}
	require.FailNow(t, "the event never becomes free")
}

func oneOwner(t *testing.T, c *claims) {
	assert.Equal(t, crisp.ClaimOwned, claim(t, c.a, c.id, "one", long))
	assert.Equal(t, crisp.ClaimOwned, claim(t, c.b, c.id, "one", long), "again")
	assert.Equal(t, crisp.ClaimRunning, claim(t, c.a, c.id, "two", long))
	assert.Equal(t, crisp.ClaimRunning, claim(t, c.b, c.id, "two", long))
	assert.Equal(t, crisp.ClaimOwned, claim(t, c.b, "another event", "two", long))
}

func done(t *testing.T, c *claims) {
	require.Equal(t, crisp.ClaimOwned, claim(t, c.a, c.id, "one", long))
	require.NoError(t, c.a.Done(t.Context(), c.id, long))
	require.NoError(t, c.b.Done(t.Context(), c.id, long), "again")
	require.NoError(t, c.a.Release(t.Context(), c.id, "one"))
	for _, owner := range []string{"one", "two", "done"} {
		assert.Equal(t, crisp.ClaimDone, claim(t, c.a, c.id, owner, long))
		assert.Equal(t, crisp.ClaimDone, claim(t, c.b, c.id, owner, long))
	}
	const unclaimed = "not claimed before"
	require.NoError(t, c.a.Done(t.Context(), unclaimed, long))
	assert.Equal(t, crisp.ClaimDone, claim(t, c.b, unclaimed, "one", long))
	const others = "another has it"
	require.Equal(t, crisp.ClaimOwned, claim(t, c.a, others, "one", long))
	require.NoError(t, c.b.Done(t.Context(), others, long))
	assert.Equal(t, crisp.ClaimDone, claim(t, c.a, others, "one", long), "what is done is done, whoever had it")
}

func released(t *testing.T, c *claims) {
	require.NoError(t, c.a.Release(t.Context(), c.id, "one"), "nobody has it")
	require.Equal(t, crisp.ClaimOwned, claim(t, c.a, c.id, "one", long))
	require.NoError(t, c.b.Release(t.Context(), c.id, "two"))
	assert.Equal(t, crisp.ClaimRunning, claim(t, c.b, c.id, "two", long), "two never had it")
	require.NoError(t, c.b.Release(t.Context(), c.id, "one"))
	assert.Equal(t, crisp.ClaimOwned, claim(t, c.b, c.id, "two", long))
}

func leaseOver(t *testing.T, c *claims) {
	require.Equal(t, crisp.ClaimOwned, claim(t, c.a, c.id, "one", 100*time.Millisecond))
	claimed(t, c.b, c.id, "two", long, crisp.ClaimRunning)
	assert.Equal(t, crisp.ClaimRunning, claim(t, c.a, c.id, "one", long), "it is another's now")
	require.NoError(t, c.a.Release(t.Context(), c.id, "one"))
	assert.Equal(t, crisp.ClaimRunning, claim(t, c.a, c.id, "three", long))
}

func leaseRenewed(t *testing.T, c *claims) {
	const lease = 2 * time.Second
	began, renewed := time.Now(), time.Now()
	require.Equal(t, crisp.ClaimOwned, claim(t, c.a, c.id, "one", lease))
	for time.Since(began) < lease*3/2 {
		now := time.Now()
		state := claim(t, c.b, c.id, "two", 3*time.Millisecond)
		if time.Since(renewed) < lease { // else the machine was too busy
			assert.Equal(t, crisp.ClaimRunning, state, "%s after the beginning", time.Since(began))
		}
		if claim(t, c.a, c.id, "one", lease) == crisp.ClaimOwned {
			renewed = now
		}
		time.Sleep(lease / 20) // real: the server's clock counts the lease
	}
}

func doneForgotten(t *testing.T, c *claims) {
	require.NoError(t, c.a.Done(t.Context(), c.id, 100*time.Millisecond))
	claimed(t, c.b, c.id, "two", long, crisp.ClaimDone)
}

func manyAtOnce(t *testing.T, c *claims) {
	const owners, events = 16, 20
	var (
		mu     sync.Mutex // guards owned
		owned  = make(map[string]int)
		wanted = make(map[string]int)
		all    sync.WaitGroup
	)
	for owner := range owners {
		store := []crisp.ClaimStore{c.a, c.b}[owner%2]
		all.Go(func() {
			for event := range events {
				id := fmt.Sprintf("event %d", (event+owner)%events)
				state, err := store.Claim(context.Background(), id, fmt.Sprintf("owner %d", owner), long)
				if assert.NoError(t, err) && state == crisp.ClaimOwned {
					mu.Lock()
					owned[id]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for event := range events {
		wanted[fmt.Sprintf("event %d", event)] = 1
	}
	assert.Equal(t, wanted, owned)
}

// Apart checks that stores with other namespaces have nothing in common.
func Apart(t *testing.T, a, b crisp.ClaimStore) {
	const id = "an event"
	require.Equal(t, crisp.ClaimOwned, claim(t, a, id, "one", long))
	assert.Equal(t, crisp.ClaimOwned, claim(t, b, id, "two", long))
	require.NoError(t, a.Done(t.Context(), id, long))
	assert.Equal(t, crisp.ClaimOwned, claim(t, b, id, "two", long))
	require.NoError(t, b.Release(t.Context(), id, "two"))
	assert.Equal(t, crisp.ClaimDone, claim(t, a, id, "one", long))
}
