package test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
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

// A handler that hangs keeps its partition from nobody: nor from its own member, when the one
// that had it meanwhile has gone.
func TestAHandlerThatHangsWhileItsPartitionComesBack(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	short := []natsbridge.Option{natsbridge.WithHandover(100 * time.Millisecond), natsbridge.WithMemberTTL(time.Second)}
	p, q := connect(t, e, short...), connect(t, e, short...)
	publish(t, p, "a", 0, 1)
	taken, finish := make(chan struct{}), make(chan struct{})
	var hung atomic.Bool
	var after got
	first := join(t, p, "group", func(ctx context.Context, part bridge.Partition) {
		if hung.Swap(true) {
			after.note(always)(ctx, part)
			return
		}
		_, err := part.Next(ctx)
		assert.NoError(t, err)
		close(taken)
		<-finish
	})
	end := sync.OnceFunc(func() { close(finish) })
	t.Cleanup(end)
	<-taken
	for { // until the other has been given the only partition
		var others got
		second := join(t, q, "group", others.note(never))
		took := func() bool { return len(others.list()) > 0 }
		for begun := time.Now(); !took() && time.Since(begun) < 2*time.Second; {
			time.Sleep(5 * time.Millisecond) // whom the server gives a partition, it tells nobody else
		}
		second.leave()
		if took() {
			break
		}
	}
	after.eventually(t, ids("a", 0, 1))
	end()
	first.leave()
}

// A log that has less than all the room of its server keeps its leases and its groups when
// it is full: the oldest messages make room.
func TestAFullLogKeepsItsLeasesAndItsMembers(t *testing.T) {
	t.Parallel()
	server, err := natsembed.Start(natsembed.Options{Dir: t.TempDir(), MaxStore: 4 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Shutdown(context.Background())) })
	conn, err := server.Connect()
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	e, err := natsbridge.New(conn, natsbridge.WithPartitions(1), natsbridge.WithMemberTTL(time.Second), natsbridge.WithMaxBytes(2<<20))
	require.NoError(t, err)
	require.NoError(t, e.Setup(t.Context()))
	p := &peer{Engine: e, t: t, conn: conn}
	var handled got
	join(t, p, "group", handled.note(always))
	for n := range 60 { // 6 MB
		m := message("a", n)
		m.Data = make([]byte, 100_000)
		require.NoError(t, p.Publisher().Publish(t.Context(), m))
	}
	time.Sleep(1500 * time.Millisecond) // longer than a member is there that can't say so
	publish(t, p, "a", 60, 61)
	require.Eventually(t, func() bool { return slices.Contains(handled.list(), message("a", 60).ID) }, enough, 5*time.Millisecond)
	held, err := e.Lease("name").Acquire(t.Context(), "holder", time.Second)
	require.NoError(t, err)
	assert.True(t, held)
}
