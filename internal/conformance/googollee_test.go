package conformance

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	googollee "github.com/googollee/go-socket.io"
	"github.com/googollee/go-socket.io/engineio"
	"github.com/googollee/go-socket.io/engineio/transport"
	googolleews "github.com/googollee/go-socket.io/engineio/transport/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/socketio"
)

// relayPath is where startGoogollee serves Socket.IO.
const relayPath = "/relay/app-1/"

// startGoogollee starts the Socket.IO server that Go has, which speaks
// Engine.IO 3, ends its frames in a newline, and shares no code with the
// client. What mux serves already is served beside it. It stops with the test,
// which must have closed its clients by then.
func startGoogollee(t *testing.T, mux *http.ServeMux, handlers func(*googollee.Server)) (baseURL string) {
	t.Helper()
	relay := googollee.NewServer(&engineio.Options{
		// No ping while the test runs: a connection that is closed during one
		// leaves a goroutine behind.
		PingInterval: patience,
		PingTimeout:  2 * patience, // has to be longer
		Transports:   []transport.Transport{googolleews.Default},
	})
	relay.OnConnect("/", func(googollee.Conn) error { return nil }) // an Emit in here would block forever
	relay.OnError("/", func(conn googollee.Conn, _ error) {
		if conn != nil {
			_ = conn.Close() // what the server otherwise never does for a client that is gone
		}
	})
	handlers(relay)
	var serving sync.WaitGroup
	serving.Go(func() { _ = relay.Serve() })

	mux.Handle(relayPath, relay)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		_ = relay.Close()
		serving.Wait()
		server.Close()
	})
	return server.URL
}

// The layer below the library by itself, with text of many lengths.
func TestGoogolleeServer(t *testing.T) {
	t.Parallel()
	disconnected := newStream[string]("end of a session at the server")
	baseURL := startGoogollee(t, http.NewServeMux(), func(s *googollee.Server) {
		s.OnEvent("/", "echo", func(conn googollee.Conn, text string) { conn.Emit("echoed", text, 2) })
		s.OnDisconnect("/", func(_ googollee.Conn, reason string) { disconnected.add(reason) })
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := socketio.Dial(ctx, baseURL+relayPath, socketio.Options{
		Version: 3,
		OnSkip:  func(s socketio.Skip) { t.Error(s.Reason) },
	})
	require.NoError(t, err)
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // or Next could wait forever
	assert.Equal(t, patience, c.Handshake().PingInterval)
	assert.Equal(t, 2*patience, c.Handshake().PingTimeout)

	for n := range 10 {
		text := strings.Repeat("héllo ", n*n*n)
		require.NoError(t, c.Emit(ctx, "echo", text))
		ev, err := c.Next()
		require.NoError(t, err)
		assert.Equal(t, "echoed", string(ev.Name))
		assert.Equal(t, `"`+text+`",2`, string(ev.Args))
		assert.Equal(t, `"`+text+`"`, string(ev.Arg()))
	}

	require.NoError(t, c.Close())
	disconnected.next(t)
}
