package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
)

func bury(t *testing.T, p *peer, group string, m bridge.Message) {
	t.Helper()
	require.NoError(t, p.Consumer(group).Bury(t.Context(), bridge.DeadLetter{
		Message: m, Group: group, Attempts: 3, Error: "line 1\nline 2 ü", At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}))
}

func list(t *testing.T, letters *natsbridge.DeadLetters, after uint64, limit int) []string {
	t.Helper()
	all, err := letters.List(t.Context(), after, limit)
	require.NoError(t, err)
	var ids []string
	for _, letter := range all {
		ids = append(ids, letter.Message.ID)
	}
	return ids
}

func TestDeadLetters(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	for n := range 4 {
		bury(t, p, "group one", message("a", n))
		bury(t, p, "other", message("b", n))
		bury(t, p, "other", message("b", n)) // tried again
		bury(t, p, "third", message("a", n)) // at the same moment as the first
	}
	letters, err := p.DeadLetters("group one")
	require.NoError(t, err)
	other, err := p.DeadLetters("other")
	require.NoError(t, err)
	assert.Equal(t, ids("a", 0, 4), list(t, letters, 0, 0))
	assert.Equal(t, ids("b", 0, 4), list(t, other, 0, 0))
	third, err := p.DeadLetters("third")
	require.NoError(t, err)
	assert.Equal(t, ids("a", 0, 4), list(t, third, 0, 0), "each group has its own")
	assert.Equal(t, ids("a", 0, 2), list(t, letters, 0, 2))

	all, err := letters.List(t.Context(), 0, 0)
	require.NoError(t, err)
	assert.Equal(t, ids("a", 2, 4), list(t, letters, all[1].Sequence, 0))
	assert.Equal(t, bridge.DeadLetter{
		Message: message("a", 0), Group: "group one", Attempts: 3, Error: "line 1\nline 2 ü", At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}, all[0].DeadLetter)

	require.NoError(t, letters.Discard(t.Context(), all[0].Sequence))
	assert.Equal(t, ids("a", 1, 4), list(t, letters, 0, 0))
	for _, call := range []func() error{
		func() error { return letters.Discard(t.Context(), all[0].Sequence) },
		func() error { return letters.Replay(t.Context(), all[0].Sequence) },
		func() error { return other.Discard(t.Context(), all[1].Sequence) },
		func() error { return other.Replay(t.Context(), all[1].Sequence) },
	} {
		assert.ErrorIs(t, call(), natsbridge.ErrNoLetter)
	}
	assert.Equal(t, ids("a", 1, 4), list(t, letters, 0, 0))
}

// What is replayed comes to its own group only, also soon after it was stored, and can be
// buried again.
func TestReplay(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	var own, others got
	publish(t, p, "a", 0, 2)
	join(t, p, "own", own.note(always))
	join(t, connect(t, e), "other", others.note(always))
	own.eventually(t, ids("a", 0, 2))
	bury(t, p, "own", message("a", 0))
	letters, err := p.DeadLetters("own")
	require.NoError(t, err)
	all, err := letters.List(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.NoError(t, letters.Replay(t.Context(), all[0].Sequence))
	assert.Empty(t, list(t, letters, 0, 0))
	own.eventually(t, append(ids("a", 0, 2), "a/0"))
	publish(t, p, "a", 2, 3)
	others.eventually(t, ids("a", 0, 3))

	require.NoError(t, p.Consumer("own").Bury(t.Context(), bridge.DeadLetter{Message: message("a", 0), At: time.Now()}))
	assert.Equal(t, ids("a", 0, 1), list(t, letters, 0, 0))
}

// A message that was just not too large for the log is not too large for its letter.
func TestALargeLetter(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	m := message("a", 0)
	m.Data = make([]byte, maxPayload)
	tooLarge := &bridge.TooLargeError{}
	require.ErrorAs(t, p.Publisher().Publish(t.Context(), m), &tooLarge)
	m.Data = make([]byte, tooLarge.Max)
	require.NoError(t, p.Publisher().Publish(t.Context(), m))
	require.NoError(t, p.Consumer("group").Bury(t.Context(), bridge.DeadLetter{Message: m, Error: strings.Repeat("\x00ü", 4000), At: time.Now()}))
	letters, err := p.DeadLetters("group")
	require.NoError(t, err)
	all, err := letters.List(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.NoError(t, letters.Replay(t.Context(), all[0].Sequence))
}
