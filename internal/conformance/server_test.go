//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// server is a Crisp on a real Socket.IO server.
type server struct {
	t       *testing.T
	node    *process
	options serverOptions
	rest    string // base URL
	relay   string // URL of RTM at first

	ready         *stream[report]
	authenticated *stream[report]
	binds         *stream[report]
	heartbeats    *stream[report]
	acks          *stream[report]
	ends          *stream[report]

	mu      sync.Mutex
	lastID  int
	answers map[int]chan answer
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

type token struct {
	Tier       crisp.Tier `json:"tier"`
	Identifier string     `json:"identifier"`
	Key        string     `json:"key"`
	Website    string     `json:"website,omitempty"`
}

// report is what a server tells of its clients.
type report struct {
	Report   string
	Rest     string
	Relay    string
	Session  string
	EngineIO int
	Filter   json.RawMessage
	Reason   string // of the end of a session
	Answers  json.RawMessage
}

type answer struct {
	ID     int
	Result json.RawMessage
	Error  string
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
	for _, tk := range allTokens {
		options.Tokens = append(options.Tokens, token{tk.Tier, tk.Identifier, tk.Key, tk.WebsiteID()})
	}
	return runServer(t, options)
}

func runServer(t *testing.T, options serverOptions) *server {
	t.Helper()
	s := &server{
		t:             t,
		options:       options,
		ready:         newStream[report]("start of the server"),
		authenticated: newStream[report]("authentication at the server"),
		binds:         newStream[report]("socket:bind at the server"),
		heartbeats:    newStream[report]("heartbeat at the server"),
		acks:          newStream[report]("acknowledgement at the server"),
		ends:          newStream[report]("end of a session at the server"),
		answers:       make(map[int]chan answer),
	}
	s.node = startNode(t, "server.mjs", options, s.hear)
	ready := s.ready.next(t)
	s.rest, s.relay = ready.Rest, ready.Relay
	return s
}

func (s *server) hear(line []byte) {
	var a answer
	var r report
	if !assert.NoError(s.t, json.Unmarshal(line, &r), "%s", line) {
		return
	}
	switch r.Report {
	case "ready":
		s.ready.add(r)
	case "authenticated":
		s.authenticated.add(r)
	case "bind":
		s.binds.add(r)
	case "heartbeat":
		s.heartbeats.add(r)
	case "ack":
		s.acks.add(r)
	case "end":
		s.ends.add(r)
	default:
		if assert.NoError(s.t, json.Unmarshal(line, &a), "%s", line) {
			s.waiting(a.ID) <- a
		}
	}
}

// waiting is where the answer to a command goes.
func (s *server) waiting(id int) chan answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[id]
}

// do gives the server a command and waits until it is done.
func (s *server) do(command string, arguments map[string]any) json.RawMessage {
	s.t.Helper()
	answered := make(chan answer, 1)
	s.mu.Lock()
	s.lastID++
	line := map[string]any{"id": s.lastID, "do": command}
	s.answers[s.lastID] = answered
	s.mu.Unlock()
	for key, value := range arguments {
		line[key] = value
	}
	encoded, err := json.Marshal(line)
	require.NoError(s.t, err)
	_, err = s.node.stdin.Write(append(encoded, '\n'))
	require.NoError(s.t, err)
	select {
	case a := <-answered:
		require.Empty(s.t, a.Error, "command %s", command)
		return a.Result
	case <-time.After(patience):
		require.FailNow(s.t, "no answer", "to the command %s", command)
		return nil
	}
}

func (s *server) emit(name string, args ...any) {
	s.t.Helper()
	s.do("emit", map[string]any{"name": name, "args": append([]any{}, args...)})
}

// end ends all sessions: by "disconnect", "close" or "terminate".
func (s *server) endSessions(how string) {
	s.t.Helper()
	s.do("end", map[string]any{"how": how})
}

// restart starts the server again, at the same address, after its end.
func (s *server) restart() *server {
	s.t.Helper()
	options := s.options
	for port, at := range map[*int]string{&options.RESTPort: s.rest, &options.RelayPort: s.relay} {
		*port = portOf(s.t, at)
	}
	return runServer(s.t, options)
}

// binary stands for binary data in the arguments of an event.
func binary(base64 string) map[string]string { return map[string]string{"$bytes": base64} }

// generation is a real server and the protocol to talk to it in.
type generation struct {
	socketIO int
	engineIO int
	settings map[string]any
}

// generations are the servers that Crisp's long-term support stands for: the
// two of Engine.IO 4, that of 3, and the newest with clients of 3 let in.
var generations = map[string]generation{
	"socket.io 4.8.4":                  {socketIO: 4, engineIO: 4},
	"socket.io 4.8.4, recovery":        {socketIO: 4, engineIO: 4, settings: map[string]any{"connectionStateRecovery": map[string]any{}}},
	"socket.io 4.8.4, Engine.IO 3 too": {socketIO: 4, engineIO: 3, settings: map[string]any{"allowEIO3": true}},
	"socket.io 3.1.2":                  {socketIO: 3, engineIO: 4},
	"socket.io 2.5.1":                  {socketIO: 2, engineIO: 3},
}

// start starts a server of the generation, with further settings.
func (g generation) start(t *testing.T, settings ...map[string]any) *server {
	t.Helper()
	all := make(map[string]any)
	for _, more := range append(settings, g.settings) {
		for key, value := range more {
			all[key] = value
		}
	}
	return startServer(t, g.socketIO, all)
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

// bot makes a bot that talks to a server of this generation.
func (g generation) bot(t *testing.T, s *server, token crisp.Token, opts ...crisp.RTMOption) *bot {
	t.Helper()
	return newBot(t, s.rest, token, append([]crisp.RTMOption{crisp.WithEngineIO(g.engineIO)}, opts...)...)
}

// heartbeat is a setting of all generations.
func heartbeat(interval, timeout time.Duration) map[string]any {
	return map[string]any{"pingInterval": interval.Milliseconds(), "pingTimeout": timeout.Milliseconds()}
}
