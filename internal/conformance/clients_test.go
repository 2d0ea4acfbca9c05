//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// client is a generation of socket.io-client, and the protocol that it speaks.
type client struct {
	socketIO int
	engineIO int
}

var clients = map[string]client{
	"socket.io-client 4.8.4": {socketIO: 4, engineIO: 4},
	"socket.io-client 3.1.3": {socketIO: 3, engineIO: 4},
	"socket.io-client 2.5.0": {socketIO: 2, engineIO: 3},
}

// eachClient runs a test of crisptest with each, in parallel.
func eachClient(t *testing.T, test func(t *testing.T, c client)) {
	t.Parallel()
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// start starts a program that listens to all events with a client of this
// generation. What it asks for is up to the filter.
func (c client) start(t *testing.T, srv *crisptest.Server, token crisp.Token, filter map[string]any) *node {
	t.Helper()
	return startNode(t, "client.mjs", c.options(srv, token, filter))
}

func (c client) options(srv *crisptest.Server, token crisp.Token, filter map[string]any) map[string]any {
	authentication := map[string]any{"tier": token.Tier, "username": token.Identifier, "password": token.Key}
	maps.Copy(authentication, filter)
	return map[string]any{
		"socketIO":       c.socketIO,
		"rest":           srv.URL(),
		"authentication": authentication,
		"listen":         namesOf(eventsOf(token.Tier)),
	}
}

func namesOf(infos []crisp.EventInfo) []string {
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// assertEvent expects the next event of a program, and returns its argument.
func assertEvent(t *testing.T, n *node, name string) json.RawMessage {
	t.Helper()
	event := n.next("event")
	assert.Equal(t, name, event.Name)
	require.Len(t, event.Args, 1)
	return event.Args[0]
}

// assertAuthenticated waits until a program is connected and authenticated.
func assertAuthenticated(t *testing.T, n *node) {
	t.Helper()
	n.next("connect")
	assert.JSONEq(t, `true`, string(assertEvent(t, n, "authenticated")))
}

// assertReceives sends a program an event.
func assertReceives(t *testing.T, srv *crisptest.Server, n *node) {
	t.Helper()
	srv.Emit(crisptest.Sample("message:send"))
	assert.JSONEq(t, string(samplePayload("message:send")), string(assertEvent(t, n, "message:send")))
}

func TestClientsGetEveryEvent(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t)
		seen := make(map[string]bool)
		for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
			infos := eventsOf(tier)
			n := c.start(t, srv, srv.TokenFor(tier), map[string]any{"events": namesOf(infos)})
			assertAuthenticated(t, n)
			for _, info := range infos {
				srv.Emit(crisptest.Sample(info.Name))
				assert.JSONEq(t, string(samplePayload(info.Name)), string(assertEvent(t, n, info.Name)))
				seen[info.Name] = true
			}
			session, err := srv.WaitSession(t.Context(), func(s crisptest.Session) bool { return s.Tier == tier })
			require.NoError(t, err)
			assert.Equal(t, c.engineIO, session.EngineIO)
			n.stop()
		}
		assert.Len(t, seen, 82)
	})
}

func TestClientsAreFiltered(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t)
		n := c.start(t, srv, srv.Token(), map[string]any{
			"events": []string{"message:send", "session:removed"},
			"rooms":  []string{otherWebsite},
		})
		assertAuthenticated(t, n)
		send := func(website string) {
			for _, name := range []string{"message:removed", "session:removed", "message:send"} {
				srv.EmitRaw(name, []byte(`{"website_id":"`+website+`"}`))
			}
		}
		send(crisptest.WebsiteID)
		send(otherWebsite)
		assert.JSONEq(t, `{"website_id":"`+otherWebsite+`"}`, string(assertEvent(t, n, "session:removed")))
		assertEvent(t, n, "message:send")

		n.do("emit", map[string]any{"name": "socket:bind", "args": []any{map[string]any{"events": []string{"message:removed"}}}})
		_, err := srv.WaitBind(t.Context(), func(crisptest.Bind) bool { return true })
		require.NoError(t, err)
		send(crisptest.WebsiteID)
		assert.JSONEq(t, `{"website_id":"`+crisptest.WebsiteID+`"}`, string(assertEvent(t, n, "message:removed")))

		n.do("emit", map[string]any{"name": "socket:bind:push", "args": []any{map[string]any{"events": []string{"session:removed"}}}})
		_, err = srv.WaitBind(t.Context(), func(b crisptest.Bind) bool { return b.Kind == "socket:bind:push" })
		require.NoError(t, err)
		send(crisptest.WebsiteID)
		assertEvent(t, n, "message:removed")
		assertEvent(t, n, "session:removed")
		assert.Empty(t, n.take("event"))
	})
}

func TestClientsAreRefused(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t)
		srv.RejectAuth("no such token")
		n := c.start(t, srv, srv.Token(), map[string]any{"events": []string{"message:send"}})
		assert.JSONEq(t, `{"message":"no such token"}`, string(assertEvent(t, n, "unauthorized")))
		assert.Equal(t, "io server disconnect", n.next("end").Reason)
	})
}

func TestClientsMustAuthenticate(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t, crisptest.WithAuthTimeout(100*time.Millisecond))
		options := c.options(srv, srv.Token(), nil)
		options["mute"] = true
		n := startNode(t, "client.mjs", options)
		n.next("connect")
		assert.Equal(t, "io server disconnect", n.next("end").Reason)
	})
}

// However the connection is lost, clients notice it as they do with the real
// servers, and come back: by themselves, except from a disconnection in so many
// words.
func TestClientsReconnect(t *testing.T) {
	drops := []struct {
		how    crisptest.Drop
		reason string
	}{
		{how: crisptest.DropClose, reason: "transport close"},
		{how: crisptest.DropCut, reason: "transport close"},
		{how: crisptest.DropReset, reason: "transport "}, // close or error, by which of them ws hears first
		{how: crisptest.DropPacket, reason: "io server disconnect"},
	}
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t)
		n := c.start(t, srv, srv.Token(), map[string]any{"events": []string{"message:send"}})
		assertAuthenticated(t, n)
		for _, drop := range drops {
			srv.DropConnections(drop.how)
			assert.Contains(t, n.next("end").Reason, drop.reason)
			if drop.how == crisptest.DropPacket {
				n.do("connect", nil)
			}
			assertAuthenticated(t, n)
			assertReceives(t, srv, n)
		}
		srv.TakeDown()
		n.next("end")
		srv.BringUp()
		assertAuthenticated(t, n)
		assertReceives(t, srv, n)
	})
}

func TestClientsKeepTheirHeartbeat(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t, crisptest.WithHeartbeat(200*time.Millisecond, 10*time.Second))
		n := c.start(t, srv, srv.Token(), map[string]any{"events": []string{"message:send"}})
		assertAuthenticated(t, n)
		for range 12 {
			n.next("heartbeat")
		}
		assertReceives(t, srv, n)
		assert.Empty(t, n.take("end"))
	})
}

func TestClientsNoticeSilence(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		srv := crisptest.NewServer(t, crisptest.WithHeartbeat(500*time.Millisecond, 1500*time.Millisecond))
		n := c.start(t, srv, srv.Token(), map[string]any{"events": []string{"message:send"}})
		assertAuthenticated(t, n)
		srv.GoSilent()
		assert.Equal(t, "ping timeout", n.next("end").Reason)
		assertAuthenticated(t, n)
		assertReceives(t, srv, n)
	})
}
