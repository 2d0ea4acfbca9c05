//go:build conformance && unix

package conformance

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestRefusedCredentials(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		srv.do("authentication", map[string]any{"answer": "reject", "message": "token is revoked"})
		b := g.bot(t, srv, pluginToken)
		b.start()
		err := b.end()
		assert.ErrorIs(t, err, crisp.ErrUnauthorized)
		assert.ErrorContains(t, err, "token is revoked")
		assert.Empty(t, b.retrying.take())
	})
}

// REST is the first to refuse credentials that are wrong altogether.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	srv := startServer(t, 4, nil)
	b := newBot(t, srv.rest, crisp.PluginToken(pluginToken.Identifier, "wrong"))
	b.start()
	assert.ErrorIs(t, b.end(), crisp.ErrUnauthorized)
}

// A website that the plugin is not installed on is refused.
func TestRefusedRooms(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken, crisp.WithFilter(crisp.Filter{Rooms: []string{"somebody else's"}}))
		b.start()
		assert.ErrorIs(t, b.end(), crisp.ErrUnauthorized)
	})
}

// A server that leaves the authentication unanswered is given up after 10 s,
// and tried again.
func TestSilentServer(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		srv.do("authentication", map[string]any{"answer": "ignore"})
		b := g.bot(t, srv, pluginToken)
		b.start()
		assert.ErrorIs(t, b.retrying.next(t).Err, crisp.ErrSilent)
		srv.do("authentication", map[string]any{"answer": "accept"})
		b.connected.next(t)
	})
}

// A server of another version of the protocol is told apart from one that is
// down.
func TestVersionMismatch(t *testing.T) {
	t.Parallel()
	srv := startServer(t, 2, nil)
	b := newBot(t, srv.rest, pluginToken, crisp.WithEngineIO(4))
	b.start()
	err := b.end()
	assert.ErrorContains(t, err, "asked for Engine.IO 4")
	assert.ErrorContains(t, err, "speaks 3")
}

// A server that lets no clients of Engine.IO 3 in accepts the WebSocket and
// then puts a plain HTTP error on it. Trying again would not help.
func TestOldVersionIsRefused(t *testing.T) {
	t.Parallel()
	srv := startServer(t, 4, nil)
	b := newBot(t, srv.rest, pluginToken, crisp.WithEngineIO(3))
	b.start()
	assert.ErrorContains(t, b.end(), "asked for Engine.IO 3, but the server speaks 4")
}

// The subscription reaches the server, which applies it; Bind replaces it.
func TestFilterAndBind(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		filter := crisp.Filter{Events: []string{"message:send", "session:removed"}, Rooms: []string{crisptest.WebsiteID}}
		b := g.bot(t, srv, pluginToken, crisp.WithFilter(filter))
		b.connect()
		authenticated := srv.next("authenticated")
		assert.Equal(t, g.engineIO, authenticated.EngineIO)
		assertFilter(t, filter, authenticated.Filter)

		send := func(website string, names ...string) {
			for _, name := range names {
				srv.emit(name, map[string]string{"website_id": website, "session_id": "session_1"})
			}
		}
		all := []string{"message:removed", "session:removed", "message:send"}
		send(otherWebsite, all...)
		send(crisptest.WebsiteID, all...)
		assert.Equal(t, "session:removed", b.events.next(t).EventName())
		assert.Equal(t, "message:send", b.events.next(t).EventName())

		filter = crisp.Filter{Events: []string{"message:removed"}, Rooms: []string{otherWebsite}}
		require.NoError(t, b.rtm.Bind(t.Context(), filter))
		assertFilter(t, filter, srv.next("bind").Filter)
		send(crisptest.WebsiteID, all...)
		send(otherWebsite, all...)
		removed := b.events.next(t)
		assert.Equal(t, "message:removed", removed.EventName())
		assert.Equal(t, otherWebsite, removed.EventMeta().WebsiteID)

		require.NoError(t, b.rtm.Rebind(t.Context()))
		assert.JSONEq(t, `{}`, string(srv.next("bind").Filter))

		srv.endSessions("terminate")
		b.connected.next(t)
		assertFilter(t, filter, srv.next("authenticated").Filter)
		send(otherWebsite, "message:removed")
		assert.Equal(t, "message:removed", b.events.next(t).EventName())
		assert.Empty(t, b.events.take())
	})
}

func assertFilter(t *testing.T, want crisp.Filter, sent json.RawMessage) {
	t.Helper()
	var got crisp.Filter
	require.NoError(t, json.Unmarshal(sent, &got))
	assert.ElementsMatch(t, want.Events, got.Events)
	assert.ElementsMatch(t, want.Rooms, got.Rooms)
}

// Clients of one process share nothing.
func TestTwoClients(t *testing.T) {
	t.Parallel()
	srv := startServer(t, 4, nil)
	first := newBot(t, srv.rest, pluginToken, crisp.WithFilter(crisp.Filter{Rooms: []string{crisptest.WebsiteID}}))
	second := newBot(t, srv.rest, userToken, crisp.WithFilter(crisp.Filter{Rooms: []string{otherWebsite}}))
	first.connect()
	second.connect()
	for _, website := range []string{crisptest.WebsiteID, otherWebsite} {
		srv.emit("message:removed", map[string]string{"website_id": website})
	}
	assert.Equal(t, crisptest.WebsiteID, first.events.next(t).EventMeta().WebsiteID)
	assert.Equal(t, otherWebsite, second.events.next(t).EventMeta().WebsiteID)

	require.NoError(t, first.rtm.Close())
	require.ErrorIs(t, first.end(), crisp.ErrClosed)
	srv.emit("message:removed", map[string]string{"website_id": otherWebsite})
	second.events.next(t)
	assert.Empty(t, first.events.take())
}

// An idle session stays up by its heartbeats.
func TestHeartbeats(t *testing.T) {
	const intervals = 12
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t, heartbeat(200*time.Millisecond, 10*time.Second))
		b := g.bot(t, srv, pluginToken)
		b.connect()
		for range intervals {
			srv.next("heartbeat")
		}
		srv.emit("message:send", samplePayload("message:send"))
		assertSample(t, "message:send", b.events.next(t), crisp.SourceRTM)
		assert.Empty(t, b.disconnected.take())
	})
}

// A program that is slower than its events for longer than a dead peer would
// be given keeps its session, and loses nothing.
func TestBackpressure(t *testing.T) {
	const (
		count    = 20_000 // of 700 bytes: more than all socket buffers hold
		interval = 500 * time.Millisecond
		timeout  = 3 * time.Second
	)
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t, heartbeat(interval, timeout))
		begun, resume := make(chan struct{}, count), make(chan struct{})
		events := newStream[crisp.Event]("event")
		b := newBotWith(t, srv.rest, pluginToken, func(ctx context.Context, ev crisp.Event) error {
			begun <- struct{}{}
			select {
			case <-resume:
			case <-ctx.Done():
			}
			events.add(ev)
			return nil
		}, crisp.WithEngineIO(g.engineIO), crisp.WithQueue(64<<10, crisp.OverflowBlock))
		b.connect()
		srv.do("burst", map[string]any{
			"name": "message:send", "payload": samplePayload("message:send"), "count": count, "sessions": 1,
		})
		<-begun

		blocked := time.Now()
		for srv.take("heartbeat"); time.Since(blocked) <= interval+timeout; {
			srv.next("heartbeat")
		}
		assert.Less(t, b.rtm.Stats().Received, uint64(count), "the server is being held up")
		close(resume)
		for i := range count {
			message, ok := events.next(t).(*crisp.MessageSend)
			require.True(t, ok)
			require.EqualValues(t, i+1, message.Fingerprint)
		}
		assert.Empty(t, srv.take("end"))
		assert.Empty(t, b.gaps.take())
		assert.Empty(t, b.dropped.take())
	})
}
