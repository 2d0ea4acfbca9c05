//go:build conformance && unix

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// target is a server that a script is played to: crisptest, or the real server
// that it is held against.
type target struct {
	endpoint   string // with the query of the handshake
	emit       func(name string, payload json.RawMessage)
	reject     func(message string)
	accept     func()
	disconnect func()
}

// Both servers are told the same heartbeat, which no script waits for, and let
// the same token in.
const (
	frameInterval = 40 * time.Second
	frameTimeout  = 30 * time.Second
	lateness      = 5 * time.Second // when a session is late with its authentication
)

func realTarget(t *testing.T, g generation) target {
	t.Helper()
	settings := heartbeat(frameInterval, frameTimeout)
	maps.Copy(settings, g.settings)
	srv := runServer(t, serverOptions{
		SocketIO:      g.socketIO,
		ServerOptions: settings,
		Tokens:        []token{tokenOf(pluginToken)},
		AuthTimeout:   int(lateness.Milliseconds()),
	})
	return target{
		endpoint:   srv.relay + handshakeQuery(g.engineIO),
		emit:       func(name string, payload json.RawMessage) { srv.emit(name, payload) },
		reject:     func(m string) { srv.do("authentication", map[string]any{"answer": "reject", "message": m}) },
		accept:     func() { srv.do("authentication", map[string]any{"answer": "accept"}) },
		disconnect: func() { srv.endSessions("disconnect") },
	}
}

func fakeTarget(t *testing.T, engineIO int) target {
	t.Helper()
	srv := crisptest.NewServer(t,
		crisptest.WithToken(pluginToken),
		crisptest.WithHeartbeat(frameInterval, frameTimeout),
		crisptest.WithAuthTimeout(lateness))
	endpoints, err := srv.Client().ConnectEndpoints(t.Context())
	require.NoError(t, err)
	return target{
		endpoint:   endpoints.Socket.App + handshakeQuery(engineIO),
		emit:       func(name string, payload json.RawMessage) { srv.EmitRaw(name, payload) },
		reject:     func(m string) { srv.RejectAuth(m) },
		accept:     srv.Heal,
		disconnect: func() { srv.DropConnections(crisptest.DropPacket) },
	}
}

func handshakeQuery(engineIO int) string {
	return fmt.Sprintf("?EIO=%d&transport=websocket", engineIO)
}

// player is a bare WebSocket that plays a script and notes what the server
// sends.
type player struct {
	target
	t        *testing.T
	engineIO int
	ws       *websocket.Conn
	noted    []string
}

func play(t *testing.T, on target, engineIO int, script func(p *player)) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, on.endpoint, nil)
	require.NoError(t, err)
	if resp.Body != nil {
		require.NoError(t, resp.Body.Close())
	}
	defer func() { _ = ws.CloseNow() }()
	p := &player{target: on, t: t, engineIO: engineIO, ws: ws}
	script(p)
	return p.noted
}

func (p *player) write(kind websocket.MessageType, data string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	require.NoError(p.t, p.ws.Write(ctx, kind, []byte(data)))
}

func (p *player) send(frames ...string) {
	p.t.Helper()
	for _, frame := range frames {
		p.write(websocket.MessageText, frame)
	}
}

var sid = regexp.MustCompile(`"sid":"[\w-]{20}"`)

// asOf2 undoes what a newer server tells clients of Engine.IO 3 in another form
// than the servers of their time.
var asOf2 = strings.NewReplacer(`,"maxPayload":1000000`, ``, `{"message":"Invalid namespace"}`, `"Invalid namespace"`)

// note keeps a frame, without the identifiers that are never the same.
func (p *player) note(frame string) {
	frame = sid.ReplaceAllString(frame, `"sid":""`)
	if p.engineIO == 3 {
		frame = asOf2.Replace(frame)
	}
	p.noted = append(p.noted, frame)
}

// until reads up to a frame that begins so, or to the end of the connection,
// and notes what it reads.
func (p *player) until(prefix string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		_, data, err := p.ws.Read(ctx)
		require.NoError(p.t, ctx.Err(), "waiting for %s…", prefix)
		if err != nil {
			p.note(fmt.Sprintf("closed with %d", websocket.CloseStatus(err)))
			return
		}
		p.note(string(data))
		if strings.HasPrefix(string(data), prefix) {
			return
		}
	}
}

// end reads up to the end of the connection.
func (p *player) end() {
	p.t.Helper()
	p.until("nothing that a server sends")
}

// connect does the handshakes.
func (p *player) connect() {
	p.t.Helper()
	p.until("0")
	if p.engineIO == 4 {
		p.send("40")
	}
	p.until("40")
}

// authenticate opens a session.
func (p *player) authenticate(events ...string) {
	p.t.Helper()
	p.connect()
	request, err := json.Marshal(map[string]any{
		"tier": pluginToken.Tier, "username": pluginToken.Identifier, "password": pluginToken.Key, "events": events,
	})
	require.NoError(p.t, err)
	p.send(`42["authentication",` + string(request) + `]`)
	p.until("42")
}

// script is what a client and a server do, from the open WebSocket on.
type script struct {
	name     string
	engineIO int // 0: both
	play     func(p *player)
}

// sessions are scripts that honour the protocol.
var sessions = []script{
	{name: "every event", play: func(p *player) {
		infos := eventsOf(crisp.TierPlugin)
		p.authenticate(namesOf(infos)...)
		for _, info := range infos {
			p.emit(info.Name, samplePayload(info.Name))
			p.until("42")
		}
	}},
	{name: "refused credentials", play: func(p *player) {
		p.reject("no such token")
		defer p.accept()
		p.authenticate()
		p.end()
	}},
	{name: "no authentication", play: func(p *player) {
		p.connect()
		p.end()
	}},
	{name: "disconnection by the server", play: func(p *player) {
		p.authenticate("message:send")
		p.disconnect()
		p.until("41")
	}},
	{name: "disconnection by the server, and a heartbeat", engineIO: 3, play: func(p *player) {
		p.authenticate("message:send")
		p.disconnect()
		p.send("2")
		p.until("3")
	}},
	{name: "disconnection by the client, and connection anew", engineIO: 4, play: func(p *player) {
		p.authenticate("message:send")
		p.send("41", "40/between,") // the real server needs a moment in between
		p.until("44/between")
		p.send("40")
		p.until("40")
	}},
	{name: "foreign namespaces", play: func(p *player) {
		p.connect()
		p.send("40/admin,", "40/other,")
		p.until("44/other")
	}},
	{name: "pings of Engine.IO 3", engineIO: 3, play: func(p *player) {
		p.connect()
		p.send("2")
		p.until("3")
		p.send("2probe")
		p.until("3")
	}},
}

// oddities are frames that clients should not send. Some servers take them in
// silence, others end the connection.
var oddities = []string{
	"1", "5", "6", "43[]", "431[true]", `42["unheard:of",1]`, `427["with","an ack"]`, `42["a"`, "42[]", "42[1]", "42[null]",
	`42{"a":1}`, "42[{}]", `42["disconnect"]`, "44{}", `44"no"`, `42/admin,["x"]`, "41/admin,", "", "9", "4", "49", "x",
	"2", "3", "40", `459999999999-["x"]`, `45["x"]`, `451-["x",{"_placeholder":true,"num":0}]`, `461-1[{"_placeholder":true,"num":0}]`,
}

// odd is the script of a client that sends such a frame.
func odd(frame string) func(p *player) {
	return func(p *player) {
		p.connect()
		// A server that is still there then says that it knows no such namespace.
		p.send(frame, "40/behind,")
		p.until("44/behind")
	}
}

// What crisptest puts on the wire is what the real servers put there, frame by
// frame, and byte by byte except for identifiers.
func TestFramesAreThoseOfRealServers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"socket.io 4.8.4", "socket.io 4.8.4, Engine.IO 3 too", "socket.io 2.5.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := generations[name]
			original, fake := realTarget(t, g), fakeTarget(t, g.engineIO)
			compare := func(name string, script func(p *player)) {
				t.Run(name, func(t *testing.T) {
					want, got := play(t, original, g.engineIO, script), play(t, fake, g.engineIO, script)
					for i := range min(len(want), len(got)) {
						require.Equal(t, want[i], got[i], "frame %d", i)
					}
					require.Len(t, got, len(want))
				})
			}
			for _, s := range sessions {
				if s.engineIO == 0 || s.engineIO == g.engineIO {
					compare(s.name, s.play)
				}
			}
			if g.socketIO == 4 { // crisptest is as strict as the newest
				for _, frame := range oddities {
					compare("client sends "+frame, odd(frame))
				}
			}
		})
	}
}

// So are the answers to what is no handshake.
func TestRefusedHandshakesAreThoseOfRealServers(t *testing.T) {
	t.Parallel()
	original, fake := realTarget(t, generations["socket.io 4.8.4, Engine.IO 3 too"]), fakeTarget(t, 3)
	for _, query := range []string{
		"", "?EIO=4", "?transport=websocket", "?EIO=5&transport=websocket", "?EIO=4&transport=carrier-pigeon",
		"?EIO=4&transport=websocket&sid=unknown", "?EIO=3&transport=websocket&sid=unknown",
	} {
		for _, upgrade := range []bool{true, false} {
			want := shake(t, original, query, upgrade)
			assert.Equal(t, want, shake(t, fake, query, upgrade), "%q, upgrade: %t", query, upgrade)
		}
	}
}

// shake tries a handshake with another query, and returns the answer.
func shake(t *testing.T, on target, query string, upgrade bool) string {
	t.Helper()
	base, _, _ := strings.Cut(on.endpoint, "?")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+query, nil)
	require.NoError(t, err)
	if upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.Status
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.Status + ": " + string(body)
}
