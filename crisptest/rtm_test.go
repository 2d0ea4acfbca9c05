package crisptest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestHandshakeOfEachVersion(t *testing.T) {
	tests := []struct {
		query string
		open  map[string]any
	}{
		{query: eio4, open: map[string]any{"upgrades": []any{}, "pingInterval": 25000.0, "pingTimeout": 20000.0, "maxPayload": 1e6}},
		{query: eio3, open: map[string]any{"upgrades": []any{}, "pingInterval": 25000.0, "pingTimeout": 20000.0}},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			c := dial(t, crisptest.NewServer(t), test.query)
			text := c.read()
			require.Equal(t, byte('0'), text[0])
			var open map[string]any
			require.NoError(t, json.Unmarshal([]byte(text[1:]), &open))
			assert.Len(t, open["sid"], 20)
			delete(open, "sid")
			assert.Equal(t, test.open, open)

			if test.query == eio3 {
				assert.Equal(t, "40", c.read(), "a client of version 3 does not ask for the connection")
				return
			}
			c.write("40")
			assert.Regexp(t, `^40\{"sid":"[^"]{20}"\}$`, c.read())
		})
	}
}

func TestWhatIsNoHandshake(t *testing.T) {
	srv := crisptest.NewServer(t)
	tests := []struct {
		name, query string
		upgrade     bool
		method      string
		body        string
	}{
		{name: "long-polling", query: "?EIO=4&transport=polling", body: `{"code":0,"message":"Transport unknown"}`},
		{name: "no transport", query: "?EIO=4", upgrade: true, body: "Transport unknown"},
		{name: "upgrade of a session", query: "?EIO=4&transport=websocket&sid=abc", upgrade: true, body: "Session ID unknown"},
		{name: "POST", query: "?EIO=4&transport=websocket", method: http.MethodPost, body: `{"code":2,"message":"Bad handshake method"}`},
		{name: "no upgrade", query: "?EIO=4&transport=websocket", body: `{"code":3,"message":"Bad request"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, endpoint(t, srv)+test.query, nil)
			require.NoError(t, err)
			if test.upgrade {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "websocket")
			}
			resp, err := srv.HTTPClient().Do(r)
			require.NoError(t, err)
			defer func() { assert.NoError(t, resp.Body.Close()) }()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
			assert.Equal(t, test.body, string(body))
		})
	}
}

func TestPathIsNotTheLibrarysDefault(t *testing.T) {
	srv := crisptest.NewServer(t)
	assert.NotContains(t, endpoint(t, srv), "/socket.io/")
	_, status, err := upgrade(t, srv, endpoint(t, srv)+"elsewhere/"+eio4)
	require.Error(t, err)
	assert.Equal(t, http.StatusNotFound, status)
}

// A client that violates the protocol loses its connection, as in socket.io.
func TestProtocolViolationsEndTheConnection(t *testing.T) {
	tests := []struct {
		name, query, frame string
	}{
		{name: "event before the connection", query: eio4, frame: `42["authentication",{}]`},
		{name: "client pings in version 4", query: eio4, frame: "2"},
		{name: "client pongs in version 3", query: eio3, frame: "3"},
		{name: "client connects in version 3", query: eio3, frame: "40"},
		{name: "empty frame", query: eio4, frame: ""},
		{name: "unknown Engine.IO packet", query: eio4, frame: "9"},
		{name: "unknown Socket.IO packet", query: eio4, frame: "49"},
		{name: "empty Socket.IO packet", query: eio4, frame: "4"},
		{name: "no JSON", query: eio3, frame: "42[oops"},
		{name: "no array", query: eio3, frame: `42{"a":1}`},
		{name: "no event name", query: eio3, frame: `42[]`},
		{name: "event name of another type", query: eio3, frame: `42[{}]`},
		{name: "no event name at all", query: eio3, frame: `42[null]`},
		{name: "reserved event", query: eio3, frame: `42["disconnect"]`},
		{name: "server's packet", query: eio3, frame: `44{}`},
		{name: "event of a foreign namespace", query: eio3, frame: `42/admin,["x"]`},
		{name: "attachments without end", query: eio3, frame: `459999999999-["x"]`},
		{name: "attachments without count", query: eio3, frame: `45["x"]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, crisptest.NewServer(t), test.query)
			c.write(test.frame)
			_, err := c.readEnd()
			assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), "closed politely and without a code: %v", err)
		})
	}
}

func TestAttachmentsMustFollowTheirPacket(t *testing.T) {
	tests := map[string]func(c *rawClient) error{
		"none was announced": func(c *rawClient) error {
			return c.ws.Write(t.Context(), websocket.MessageBinary, []byte{4, 1})
		},
		"text instead": func(c *rawClient) error {
			c.write(`451-["x",{"_placeholder":true,"num":0}]`)
			return c.ws.Write(t.Context(), websocket.MessageText, []byte(`42["x"]`))
		},
		"no message": func(c *rawClient) error {
			c.write(`451-["x",{"_placeholder":true,"num":0}]`)
			return c.ws.Write(t.Context(), websocket.MessageBinary, []byte{1})
		},
	}
	for name, violate := range tests {
		t.Run(name, func(t *testing.T) {
			c := connect(t, crisptest.NewServer(t), eio3)
			require.NoError(t, violate(c))
			_, err := c.readEnd()
			assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), "%v", err)
		})
	}
}

func TestWhatIsTolerated(t *testing.T) {
	srv := crisptest.NewServer(t)
	c := connect(t, srv, eio3)
	for _, frame := range []string{"6", "5", "1", "43[]", "431[true]", `42["unheard:of",1]`, "42[1]", `427["acks","are not given"]`, `451-["x",{"_placeholder":true,"num":0}]`} {
		c.write(frame)
	}
	require.NoError(t, c.ws.Write(t.Context(), websocket.MessageBinary, []byte{4, 1, 2, 3})) // the attachment
	c.write("2")
	assert.Equal(t, "3", c.read())
}

func TestForeignNamespaces(t *testing.T) {
	tests := []struct{ query, frame, answer string }{
		{query: eio4, frame: "40/admin,", answer: `44/admin,{"message":"Invalid namespace"}`},
		{query: eio3, frame: "40/admin", answer: `44/admin,"Invalid namespace"`},
	}
	for _, test := range tests {
		c := connect(t, crisptest.NewServer(t), test.query)
		c.write(test.frame)
		assert.Equal(t, test.answer, c.read())
	}
}

func TestHeartbeatOfVersion4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithHeartbeat(10*time.Second, 5*time.Second), crisptest.WithAuthTimeout(time.Hour))
		c := connect(t, srv, eio4)
		start := time.Now()
		assert.Equal(t, "2", c.read())
		assert.Equal(t, 10*time.Second, time.Since(start))
		c.write("3")
		assert.Equal(t, "2", c.read())
		assert.Equal(t, 20*time.Second, time.Since(start), "the interval runs from the pong on")

		frames, err := c.readEnd()
		assert.Empty(t, frames)
		assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err))
		assert.Equal(t, 25*time.Second, time.Since(start), "kicked for the pong that did not come")
	})
}

func TestAnotherPacketExtendsThePongOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithHeartbeat(10*time.Second, 5*time.Second), crisptest.WithAuthTimeout(time.Hour))
		c := connect(t, srv, eio4)
		start := time.Now()
		require.Equal(t, "2", c.read())
		for range 2 {
			<-time.After(4 * time.Second)
			c.write("6")
		}
		_, err := c.readEnd()
		require.Error(t, err)
		assert.Equal(t, 19*time.Second, time.Since(start), "10 s, the first packet at 14 s, and 5 s from then")
	})
}

func TestHeartbeatOfVersion3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithHeartbeat(10*time.Second, 5*time.Second), crisptest.WithAuthTimeout(time.Hour))
		c := connect(t, srv, eio3)
		<-time.After(14 * time.Second)
		c.write("2")
		assert.Equal(t, "3", c.read())
		start := time.Now()
		_, err := c.readEnd()
		require.Error(t, err)
		assert.Equal(t, 15*time.Second, time.Since(start))
	})
}

func TestSessionThatDoesNotAuthenticateInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		start := time.Now()
		c := connect(t, srv, eio4)
		frames, err := c.readEnd()
		require.Error(t, err)
		assert.Equal(t, []string{"41"}, frames)
		assert.Equal(t, 10*time.Second, time.Since(start))
		require.Len(t, srv.PastSessions(), 1)
		assert.Equal(t, "it did not authenticate in time", srv.PastSessions()[0].Ended)
	})
}

func TestAuthentication(t *testing.T) {
	plugin := crisp.PluginToken("id-plugin", "key-plugin")
	srv := crisptest.NewServer(t, crisptest.WithToken(plugin), crisptest.WithWebsites("w1", crisptest.WebsiteID))
	user, website := srv.TokenFor(crisp.TierUser), srv.TokenFor(crisp.TierWebsite)
	tests := []struct {
		name    string
		frame   string
		message string // of the refusal; empty if it is accepted
	}{
		{name: "plugin", frame: authentication(plugin, "")},
		{name: "user", frame: authentication(user, "")},
		{name: "website", frame: authentication(website, "")},
		{name: "no tier, as in the quickstart", frame: `42["authentication",{"username":"id-plugin","password":"key-plugin"}]`},
		{name: "rooms", frame: authentication(plugin, `"rooms":["w1"]`)},
		{name: "room of another website", frame: authentication(plugin, `"rooms":["w1","w2"]`), message: `not subscribed to website "w2"`},
		{name: "room beyond the website token", frame: authentication(website, `"rooms":["w1"]`), message: `not subscribed to website "w1"`},
		{name: "wrong key", frame: authentication(crisp.PluginToken("id-plugin", "wrong"), ""), message: "invalid authentication"},
		{name: "wrong tier", frame: authentication(crisp.UserToken("id-plugin", "key-plugin"), ""), message: "invalid authentication"},
		{name: "nothing", frame: `42["authentication"]`, message: "the authentication is malformed"},
		{name: "no object", frame: `42["authentication","key-plugin"]`, message: "the authentication is malformed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, srv, eio4)
			c.write(test.frame)
			if test.message == "" {
				assert.Equal(t, `42["authenticated",true]`, c.read())
				return
			}
			frames, err := c.readEnd()
			require.Error(t, err)
			message, _ := json.Marshal(test.message)
			assert.Equal(t, []string{`42["unauthorized",{"message":` + string(message) + `}]`, "41"}, frames)
		})
	}
}

func TestNothingFlowsBeforeAuthentication(t *testing.T) {
	srv := crisptest.NewServer(t)
	c := connect(t, srv, eio4)
	c.write(`42["socket:bind",{"events":["message:send"]}]`)
	srv.EmitRaw("message:send", []byte(`{}`))
	c.write(authentication(srv.Token(), ""))
	assert.Equal(t, `42["authenticated",true]`, c.read())
	assert.Empty(t, srv.Binds())
}

func TestFilters(t *testing.T) {
	const (
		of1      = `{"website_id":"w1","session_id":"s","inbox_id":"i1"}`
		of2      = `{"website_id":"w2","session_id":"s"}`
		noone    = `{"visitors":1}`
		bucket2  = `{"resource":{"type":"website","id":"w2"}}`
		envelope = `{"website_id":"w2","data":{"session_id":"s"}}`
	)
	emitted := []struct{ name, payload string }{
		{"a", of1}, {"a", of2}, {"b", of1}, {"b", noone}, {"a", bucket2}, {"a", envelope}, {"a", `[1]`}, {"a", `no JSON`},
	}
	website := crisp.WebsiteToken("w1", "id", "key")
	tests := []struct {
		name    string
		token   crisp.Token
		members string
		got     []int // by number in emitted
	}{
		{name: "none", got: []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{name: "events", members: `"events":["b","c"]`, got: []int{2, 3}},
		{name: "no events", members: `"events":[]`, got: nil},
		{name: "rooms", members: `"rooms":["w1"]`, got: []int{0, 2, 3, 6, 7}},
		{name: "empty rooms", members: `"rooms":[]`, got: []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{name: "inboxes", members: `"inboxes":["i1"]`, got: []int{0, 2, 3, 4, 5, 6, 7}},
		{name: "events and rooms", members: `"events":["a"],"rooms":["w2"]`, got: []int{1, 4, 5, 6, 7}},
		{name: "website token", token: website, got: []int{0, 2, 3, 6, 7}},
	}
	srv := crisptest.NewServer(t, crisptest.WithToken(website))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := test.token
			if token.Tier == "" {
				token = srv.TokenFor(crisp.TierPlugin)
			}
			c := authenticate(t, srv, token, test.members)
			for _, e := range emitted {
				srv.EmitRaw(e.name, []byte(e.payload))
			}
			c.write(`42["socket:bind",{"events":["end"]}]`)
			_, err := srv.WaitSession(t.Context(), func(s crisptest.Session) bool { return len(s.Events) == 1 && s.Events[0] == "end" })
			require.NoError(t, err)
			srv.EmitRaw("end", nil)
			var want []string
			for _, i := range test.got {
				want = append(want, fmt.Sprintf("42[%q,%s]", emitted[i].name, emitted[i].payload))
			}
			assert.Equal(t, want, c.readTo(`42["end"]`))
			srv.DropConnections()
		})
	}
}

func TestBinds(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1", "w2"))
	c := connect(t, srv, eio3)
	c.write(authentication(srv.Token(), `"events":["a","b"],"rooms":["w1"]`))
	require.Equal(t, `42["authenticated",true]`, c.read())
	tests := []struct {
		frame         string
		events, rooms []string // afterwards
		refused       bool
	}{
		{frame: `["socket:bind",{}]`, events: []string{"a", "b"}, rooms: []string{"w1"}},
		{frame: `["socket:bind",""]`, events: []string{"a", "b"}, rooms: []string{"w1"}},
		{frame: `["socket:bind"]`, events: []string{"a", "b"}, rooms: []string{"w1"}},
		{frame: `["socket:bind:push",{"events":["b","c"]}]`, events: []string{"a", "b", "c"}, rooms: []string{"w1"}},
		{frame: `["socket:bind:pop",{"events":["a","x"]}]`, events: []string{"b", "c"}, rooms: []string{"w1"}},
		{frame: `["socket:bind",{"events":["d"],"rooms":["w1","w2"]}]`, events: []string{"d"}, rooms: []string{"w1", "w2"}},
		{frame: `["socket:bind",{"events":["e"],"rooms":["w3"]}]`, events: []string{"d"}, rooms: []string{"w1", "w2"}, refused: true},
		{frame: `["socket:bind",{"events":["e"]}]`, events: []string{"e"}},
		{frame: `["socket:bind:pop",{"events":["e"]}]`, events: []string{}},
		{frame: `["socket:bind",{"rooms":["w2"]}]`, rooms: []string{"w2"}},
		{frame: `["socket:bind:push",{"events":["a"]}]`, rooms: []string{"w2"}},
	}
	for i, test := range tests {
		c.write("42" + test.frame)
		c.write("2")
		require.Equal(t, "3", c.read(), "the server has taken the bind by now")
		require.Len(t, srv.Binds(), i+1)
		bind := srv.Binds()[i]
		assert.True(t, strings.HasPrefix(test.frame, `["`+bind.Kind+`"`), test.frame)
		assert.Equal(t, test.refused, bind.Refused, test.frame)
		session := srv.Sessions()[0]
		assert.Equal(t, session.ID, bind.SessionID)
		assert.Equal(t, test.events, session.Events, test.frame)
		assert.Equal(t, test.rooms, session.Rooms, test.frame)
	}
}

func TestPopFromAllEvents(t *testing.T) {
	srv := crisptest.NewServer(t)
	c := authenticate(t, srv, srv.Token(), "")
	c.write(`42["socket:bind:pop",{"events":["message:send"]}]`)
	session, err := srv.WaitSession(t.Context(), func(s crisptest.Session) bool { return s.Events != nil })
	require.NoError(t, err)
	assert.Len(t, session.Events, 81, "the catalog has 82")
	assert.NotContains(t, session.Events, "message:send")
}

func TestSessionKeepsItsWebsitesUntilItBinds(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1"))
	c := connect(t, srv, eio3)
	c.write(authentication(srv.Token(), ""))
	require.Equal(t, `42["authenticated",true]`, c.read())
	emit := func() {
		for _, website := range []string{"w1", "w2"} {
			srv.EmitRaw("message:send", []byte(`{"website_id":"`+website+`"}`))
		}
		srv.EmitRaw("end", nil)
	}
	srv.SetWebsites("w2")
	emit()
	assert.Equal(t, []string{`42["message:send",{"website_id":"w1"}]`}, c.readTo(`42["end"]`))
	c.write(`42["socket:bind",{}]`)
	c.write("2")
	require.Equal(t, "3", c.read())
	emit()
	assert.Equal(t, []string{`42["message:send",{"website_id":"w2"}]`}, c.readTo(`42["end"]`))

	srv.SetWebsites()
	c.write(`42["socket:bind",""]`)
	c.write("2")
	require.Equal(t, "3", c.read())
	emit()
	assert.Len(t, c.readTo(`42["end"]`), 2)
}

func TestWebsiteTokenOfAWebsiteThatIsGone(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1"))
	c := authenticate(t, srv, srv.TokenFor(crisp.TierWebsite), "")
	srv.EmitRaw("message:send", []byte(`{"website_id":"`+crisptest.WebsiteID+`"}`))
	srv.EmitRaw("end", nil)
	assert.Empty(t, c.readTo(`42["end"]`))
}

func TestEventsComeInOrderAndWaitForASlowReader(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.InMemory())
	c := authenticate(t, srv, srv.Token(), "")
	payload := `"` + strings.Repeat("x", 10_000) + `"`
	const n = 300 // more than the connection's window holds
	for i := range n {
		srv.EmitRaw(fmt.Sprint(i), []byte(payload))
	}
	backlog := srv.Sessions()[0].Backlog
	assert.Positive(t, backlog.Frames)
	assert.Greater(t, backlog.Bytes, 1_000_000)
	for i := range n {
		require.Equal(t, fmt.Sprintf(`42["%d",%s]`, i, payload), c.read())
	}
	_, err := srv.WaitSession(t.Context(), func(s crisptest.Session) bool { return s.Backlog == crisptest.Backlog{} })
	require.NoError(t, err)
}

func TestAClientThatDisconnectsEndsItsSession(t *testing.T) {
	srv := crisptest.NewServer(t)
	c := authenticate(t, srv, srv.Token(), "")
	first := srv.Sessions()[0].ID
	c.write("41")
	c.write("40") // on the same connection, as a client that reconnects its namespace
	assert.Regexp(t, `^40\{"sid"`, c.read())
	require.Len(t, srv.PastSessions(), 1)
	assert.Equal(t, first, srv.PastSessions()[0].ID)
	assert.Equal(t, "the client disconnected", srv.PastSessions()[0].Ended)
	require.Len(t, srv.Sessions(), 1)
	assert.NotEqual(t, first, srv.Sessions()[0].ID)
	assert.False(t, srv.Sessions()[0].Authenticated)
}

func TestSessionTellsOfItsClient(t *testing.T) {
	srv := crisptest.NewServer(t)
	authenticate(t, srv, srv.TokenFor(crisp.TierUser), `"events":["a"],"inboxes":["i"]`)
	session := srv.Sessions()[0]
	assert.Equal(t, 4, session.EngineIO)
	assert.Equal(t, crisp.TierUser, session.Tier)
	assert.Equal(t, []string{"a"}, session.Events)
	assert.Equal(t, []string{"i"}, session.Inboxes)
	assert.Equal(t, "13", session.Header.Get("Sec-WebSocket-Version"))
	assert.Contains(t, session.String(), "authenticated as user")
}

func TestSessionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithSessionLimit(1, crisptest.OverLimitDisconnect))
		first := authenticate(t, srv, srv.Token(), "")
		second := connect(t, srv, eio4)
		second.write(authentication(srv.Token(), ""))
		frames, err := second.readEnd()
		require.Error(t, err)
		assert.Equal(t, []string{"41"}, frames)

		require.NoError(t, first.ws.Close(websocket.StatusNormalClosure, ""))
		synctest.Wait()
		authenticate(t, srv, srv.Token(), "")
	})
}

func TestSilenceBeyondTheSessionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithSessionLimit(1, crisptest.OverLimitSilent))
		authenticate(t, srv, srv.Token(), "")
		second := connect(t, srv, eio4)
		second.write(authentication(srv.Token(), ""))
		srv.EmitRaw("message:send", []byte(`{}`))
		assert.Equal(t, "2", second.read(), "nothing but the heartbeat")
	})
}
