package crisp_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/storetest"
)

func TestMemoryClaims(t *testing.T) {
	t.Run("contract", func(t *testing.T) {
		stores := make(map[string]crisp.ClaimStore)
		storetest.Claims(t, func(t *testing.T) crisp.ClaimStore {
			if stores[t.Name()] == nil {
				stores[t.Name()] = crisp.NewMemoryClaims(0)
			}
			return stores[t.Name()]
		})
	})
	t.Run("apart", func(t *testing.T) { storetest.Apart(t, crisp.NewMemoryClaims(0), crisp.NewMemoryClaims(0)) })
}

func claimOf(t *testing.T, store crisp.ClaimStore, id string) crisp.ClaimState {
	t.Helper()
	state, err := store.Claim(t.Context(), id, "somebody", time.Minute)
	require.NoError(t, err)
	return state
}

func TestMemoryClaimsForgetWhatWasDoneFirst(t *testing.T) {
	store := crisp.NewMemoryClaims(3)
	require.Equal(t, crisp.ClaimOwned, claimOf(t, store, "running"))
	for n := range 100 {
		require.NoError(t, store.Done(t.Context(), fmt.Sprint(n), time.Hour))
		for old := max(0, n-2); old <= n; old++ {
			assert.Equal(t, crisp.ClaimDone, claimOf(t, store, fmt.Sprint(old)))
		}
		if n >= 3 {
			assert.Equal(t, crisp.ClaimOwned, claimOf(t, store, fmt.Sprint(n-3)))
		}
	}
	state, err := store.Claim(t.Context(), "running", "another", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, crisp.ClaimRunning, state, "what is being handled is not forgotten")
}

// Done again begins anew.
func TestMemoryClaimsKeepFromTheLastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := crisp.NewMemoryClaims(0)
		require.NoError(t, store.Done(t.Context(), "event", time.Hour))
		time.Sleep(50 * time.Minute)
		require.NoError(t, store.Done(t.Context(), "event", time.Hour))
		time.Sleep(50 * time.Minute)
		assert.Equal(t, crisp.ClaimDone, claimOf(t, store, "event"))
		time.Sleep(10 * time.Minute)
		assert.Equal(t, crisp.ClaimOwned, claimOf(t, store, "event"))
	})
}
