package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// Positions checks stores of positions. open makes another store for the positions
// of a name with each call.
func Positions(t *testing.T, open func(t *testing.T, name string) crisp.PositionStore) {
	store := open(t, "one")
	p, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Zero(t, p, "there is none yet")

	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	for _, want := range []crisp.Position{
		{Time: at},
		{Time: at.Add(time.Hour), Crisp: at, Handled: []uint64{1, math.MaxInt64 + 1, math.MaxUint64}},
		{Time: at.Add(-time.Hour), Handled: make([]uint64, 1<<15)},
	} {
		require.NoError(t, store.Save(t.Context(), want))
		got, err := open(t, "one").Load(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	p, err = open(t, "two").Load(t.Context())
	require.NoError(t, err)
	assert.Zero(t, p, "each name has its own")
}

// Broken checks that a position that can't be read is told as such.
func Broken(t *testing.T, store crisp.PositionStore) {
	_, err := store.Load(t.Context())
	assert.ErrorIs(t, err, crisp.ErrPosition)
}
