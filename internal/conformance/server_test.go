//go:build conformance && unix

package conformance

import (
	"maps"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// server is a Crisp on a real Socket.IO server.
type server struct {
	*node
	options serverOptions
	rest    string // base URL
	relay   string // URL of RTM at first
}

// serverOptions are those of node/server.mjs, which describes them.
type serverOptions struct {
	SocketIO      int            `json:"socketIO"`
	ServerOptions map[string]any `json:"serverOptions"`
	Tokens        []token        `json:"tokens"`
	Websites      []string       `json:"websites"`
	AuthTimeout   int            `json:"authTimeout"`
	RESTPort      int            `json:"restPort"`
	RelayPort     int            `json:"relayPort"`
}

// startServer starts a server of a generation of Socket.IO, with the options
// that this has.
func startServer(t *testing.T, socketIO int, settings map[string]any) *server {
	t.Helper()
	options := serverOptions{
		SocketIO:      socketIO,
		ServerOptions: settings,
		Websites:      []string{crisptest.WebsiteID, otherWebsite},
		AuthTimeout:   10_000,
	}
	for _, t := range allTokens {
		options.Tokens = append(options.Tokens, tokenOf(t))
	}
	return runServer(t, options)
}

func runServer(t *testing.T, options serverOptions) *server {
	t.Helper()
	s := &server{node: startNode(t, "server.mjs", options), options: options}
	ready := s.next("ready")
	s.rest, s.relay = ready.Rest, ready.Relay
	return s
}

// restart starts the server again, at the same address, after its end.
func (s *server) restart() *server {
	s.t.Helper()
	options := s.options
	options.RESTPort, options.RelayPort = portOf(s.t, s.rest), portOf(s.t, s.relay)
	return runServer(s.t, options)
}

// emit sends an event to all sessions that want it.
func (s *server) emit(name string, args ...any) {
	s.t.Helper()
	s.do("emit", map[string]any{"name": name, "args": args})
}

// endSessions ends all sessions: by "disconnect", "close" or "terminate".
func (s *server) endSessions(how string) {
	s.t.Helper()
	s.do("end", map[string]any{"how": how})
}

// binary stands for binary data in the arguments of an event.
func binary(base64 string) map[string]string { return map[string]string{"$bytes": base64} }

// generation is a real server and the protocol to talk to it in.
type generation struct {
	socketIO int
	engineIO int
	settings map[string]any
}

// generations are the servers that Crisp's long-term support stands for: two of
// Engine.IO 4, one of 3, the newest as it lets clients of 3 in, and as it is
// when it keeps what a client misses.
var generations = map[string]generation{
	"socket.io 4.8.4":                  {socketIO: 4, engineIO: 4},
	"socket.io 4.8.4, recovery":        {socketIO: 4, engineIO: 4, settings: map[string]any{"connectionStateRecovery": map[string]any{}}},
	"socket.io 4.8.4, Engine.IO 3 too": {socketIO: 4, engineIO: 3, settings: map[string]any{"allowEIO3": true}},
	"socket.io 3.1.2":                  {socketIO: 3, engineIO: 4},
	"socket.io 2.5.1":                  {socketIO: 2, engineIO: 3},
}

// eachGeneration runs a test against each, in parallel.
func eachGeneration(t *testing.T, test func(t *testing.T, g generation)) {
	t.Parallel()
	for name, g := range generations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, g)
		})
	}
}

// start starts a server of the generation, with further settings.
func (g generation) start(t *testing.T, settings ...map[string]any) *server {
	t.Helper()
	all := make(map[string]any)
	for _, more := range append(settings, g.settings) {
		maps.Copy(all, more)
	}
	return startServer(t, g.socketIO, all)
}

// bot makes a bot that talks to a server of this generation.
func (g generation) bot(t *testing.T, s *server, token crisp.Token, opts ...crisp.RTMOption) *bot {
	t.Helper()
	return newBot(t, s.rest, token, append([]crisp.RTMOption{crisp.WithEngineIO(g.engineIO)}, opts...)...)
}

// heartbeat is a setting of all generations.
func heartbeat(interval, timeout time.Duration) map[string]any {
	return map[string]any{"pingInterval": interval.Milliseconds(), "pingTimeout": timeout.Milliseconds()}
}

func hostOf(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	return u.Host
}

func portOf(t *testing.T, at string) int {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return port
}
