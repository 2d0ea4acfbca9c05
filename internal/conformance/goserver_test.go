package conformance

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	googollee "github.com/googollee/go-socket.io"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// goServer is a Crisp on the Socket.IO server that Go has.
type goServer struct {
	rest          string // base URL
	authenticated *stream[goSession]
	binds         *stream[crisp.Filter]
}

// goSession is a session that was let in.
type goSession struct {
	conn   googollee.Conn
	filter crisp.Filter
}

type authentication struct {
	Tier     crisp.Tier
	Username string
	Password string
	crisp.Filter
}

func startGoServer(t *testing.T) *goServer {
	t.Helper()
	s := &goServer{
		authenticated: newStream[goSession]("authentication at the server"),
		binds:         newStream[crisp.Filter]("socket:bind at the server"),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/{tier}/connect/endpoints", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"error": false, "reason": "resolved", "data": map[string]any{
			"socket": map[string]string{"app": "http://" + r.Host + relayPath},
		}})
	})
	baseURL := startGoogollee(t, mux, func(relay *googollee.Server) {
		relay.OnEvent("/", "authentication", s.authenticate)
		relay.OnEvent("/", "socket:bind", func(_ googollee.Conn, filter crisp.Filter) { s.binds.add(filter) })
	})
	s.rest = baseURL + "/v1/"
	return s
}

func (s *goServer) authenticate(conn googollee.Conn, request authentication) {
	for _, token := range []crisp.Token{pluginToken, userToken} {
		if request.Tier == token.Tier && request.Username == token.Identifier && request.Password == token.Key {
			conn.Emit("authenticated", true)
			s.authenticated.add(goSession{conn, request.Filter})
			return
		}
	}
	conn.Emit("unauthorized", map[string]string{"message": "invalid credentials"})
}

func (s goSession) emit(t *testing.T, name string) {
	t.Helper()
	require.True(t, slices.Contains(s.filter.Events, name), "%s was not asked for", name)
	s.conn.Emit(name, samplePayload(name))
}

// Every event of the tiers that together see all reaches its typed handler,
// also in a new session after a drop.
func TestGoServer(t *testing.T) {
	t.Parallel()
	srv := startGoServer(t)
	seen := make(map[string]bool)
	for _, token := range []crisp.Token{pluginToken, userToken} {
		b := newBot(t, srv.rest, token, crisp.WithEngineIO(3))
		b.connect()
		session := srv.authenticated.next(t)
		for i, info := range eventsOf(token.Tier) {
			if i == 40 {
				require.NoError(t, session.conn.Close())
				b.connected.next(t)
				session = srv.authenticated.next(t)
			}
			session.emit(t, info.Name)
			assertSample(t, info.Name, b.events.next(t), crisp.SourceRTM)
			seen[info.Name] = true
		}
		require.NoError(t, b.rtm.Close())
		require.ErrorIs(t, b.end(), crisp.ErrClosed)
	}
	assert.Len(t, seen, 82)
}

func TestGoServerBind(t *testing.T) {
	t.Parallel()
	srv := startGoServer(t)
	b := newBot(t, srv.rest, pluginToken, crisp.WithEngineIO(3))
	b.connect()
	filter := crisp.Filter{Events: []string{"message:send"}, Rooms: []string{otherWebsite}}
	require.NoError(t, b.rtm.Bind(t.Context(), filter))
	assert.Equal(t, filter, srv.binds.next(t))
}

func TestGoServerRefusesCredentials(t *testing.T) {
	t.Parallel()
	srv := startGoServer(t)
	b := newBot(t, srv.rest, crisp.PluginToken(pluginToken.Identifier, "wrong"), crisp.WithEngineIO(3))
	b.start()
	err := b.end()
	assert.ErrorIs(t, err, crisp.ErrUnauthorized)
	assert.ErrorContains(t, err, "invalid credentials")
}

// The server accepts a client of Engine.IO 4 and then does not understand it.
func TestGoServerOfAnotherVersion(t *testing.T) {
	t.Parallel()
	srv := startGoServer(t)
	b := newBot(t, srv.rest, pluginToken, crisp.WithEngineIO(4))
	b.start()
	assert.ErrorContains(t, b.end(), "the server speaks 3")
}
