package test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// A lease that was renewed ends by itself as one does that was not.
func TestALeaseEndsAfterItWasRenewed(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	lease := connect(t, e).Lease("rtm")
	var renewed time.Time
	for range 2 {
		renewed = time.Now()
		held, err := lease.Acquire(t.Context(), "one", time.Second)
		require.NoError(t, err)
		require.True(t, held)
	}
	require.Eventually(t, func() bool {
		held, err := lease.Acquire(t.Context(), "two", time.Second)
		return assert.NoError(t, err) && held
	}, 10*time.Second, 50*time.Millisecond)
	assert.GreaterOrEqual(t, time.Since(renewed), 900*time.Millisecond)
}

func TestABrokenPosition(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	js, err := jetstream.New(p.conn)
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "$KV.CRISP.position.rtm", []byte("{"))
	require.NoError(t, err)
	_, err = p.Position("rtm").Load(t.Context())
	assert.ErrorIs(t, err, crisp.ErrPosition)
	require.NoError(t, p.Position("rtm").Save(t.Context(), crisp.Position{}))
	_, err = p.Position("rtm").Load(t.Context())
	assert.NoError(t, err)
}

// Names are told apart, whatever is in them.
func TestNames(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	names := []string{"a", "a.b", "a b", "a*", ">", "", "ä", "a=2E"}
	for _, name := range names {
		held, err := p.Lease(name).Acquire(t.Context(), name, time.Minute)
		require.NoError(t, err, name)
		assert.True(t, held, name)
		require.NoError(t, p.Position(name).Save(t.Context(), crisp.Position{Handled: []uint64{uint64(len(name))}}))
	}
	for _, name := range names {
		at, err := p.Position(name).Load(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []uint64{uint64(len(name))}, at.Handled, name)
	}
}
