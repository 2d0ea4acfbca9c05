package socketio_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	googollee "github.com/googollee/go-socket.io"
	"github.com/googollee/go-socket.io/engineio"
	"github.com/googollee/go-socket.io/engineio/transport"
	googolleews "github.com/googollee/go-socket.io/engineio/transport/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/socketio"
)

// startGoogollee starts an Engine.IO 3 server that shares no code with the
// client, at /relay/. Its clients have to be closed before the test ends.
func startGoogollee(t *testing.T, handlers func(*googollee.Server)) (endpoint string) {
	t.Helper()
	server := googollee.NewServer(&engineio.Options{
		// No ping while the test runs: the server leaves a goroutine behind for
		// 30 s if a connection is closed during one.
		PingInterval: 20 * time.Second,
		PingTimeout:  time.Minute, // has to be longer than the interval
		Transports:   []transport.Transport{googolleews.Default},
	})
	// It leaks the goroutines of a session whose client is gone unless the session
	// is closed from the error handler.
	server.OnError("/", func(conn googollee.Conn, _ error) {
		if conn != nil {
			_ = conn.Close()
		}
	})
	handlers(server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve() })
	mux := http.NewServeMux()
	mux.Handle("/relay/", server)
	listener := httptest.NewServer(mux)
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		listener.Close()
	})
	return listener.URL + "/relay/"
}

func TestGoogolleeServer(t *testing.T) {
	disconnected := make(chan struct{})
	endpoint := startGoogollee(t, func(s *googollee.Server) {
		s.OnConnect("/", func(googollee.Conn) error { return nil }) // an Emit in here would block forever
		s.OnEvent("/", "echo", func(conn googollee.Conn, text string) { conn.Emit("echoed", text, 2) })
		s.OnDisconnect("/", func(googollee.Conn, string) { close(disconnected) })
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := socketio.Dial(ctx, endpoint, socketio.Options{
		Version: 3,
		OnSkip:  func(err error) { t.Error(err) },
	})
	require.NoError(t, err)
	assert.Equal(t, 20*time.Second, c.Handshake().PingInterval)
	assert.Equal(t, time.Minute, c.Handshake().PingTimeout)

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
	<-disconnected
}
