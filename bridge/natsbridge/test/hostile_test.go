package test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
)

// No name keeps a message out of the log, or others: the server closes connections over
// subjects that are too long for it.
func TestOddNames(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 4, 0)
	p := connect(t, e)
	var want []string
	for i, name := range []string{
		" ", "a b", "a.b", ".", "..", "*", ">", "a.>", "%", "%2E", "日本", "\x00", "\r\n", "a\xff", "$JS.API", "_", "-", "\"", "\\",
		strings.Repeat("x", 300), strings.Repeat("x.", 2500), strings.Repeat("é", 1_000),
	} {
		m := message("a", i)
		m.Type, m.WebsiteID = name, name
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := p.Publisher().Publish(ctx, m)
		cancel()
		require.NoErrorf(t, err, "%.40q", name)
		want = append(want, m.ID)
	}
	var after got
	join(t, p, "*.> 日本\r\n", after.note(always))
	after.eventually(t, want)
}

// A consumer that somebody has removed from the server is made again.
func TestAConsumerThatWasRemoved(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	publish(t, p, "a", 0, 1)
	var after got
	join(t, p, "group", after.note(always))
	after.eventually(t, ids("a", 0, 1))
	js, err := jetstream.New(p.conn)
	require.NoError(t, err)
	require.NoError(t, js.DeleteConsumer(t.Context(), "CRISP", "group-0"))
	publish(t, p, "a", 1, 2)
	require.Eventually(t, func() bool {
		for _, id := range after.list() {
			if id == message("a", 1).ID {
				return true
			}
		}
		return false
	}, enough, 5*time.Millisecond)
}

// Attributes that are too large are an error that no attempt mends: whoever tried forever
// would keep all that is behind them waiting.
func TestAttributesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	p := connect(t, newEmbedded(t, 1, 0))
	m := message("a", 0)
	m.Type = strings.Repeat("x", 80_000)
	var tooLarge *bridge.TooLargeError
	require.ErrorAs(t, p.Publisher().Publish(t.Context(), m), &tooLarge)
	require.NoError(t, p.Publisher().Publish(t.Context(), message("a", 1)))
}
