package crisp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutable is a network whose connections may fall silent: nothing that the peer
// sends arrives any more, and nothing tells of it.
type mutable struct {
	mu    sync.Mutex
	conns []*mutableConn
}

type mutableConn struct {
	net.Conn
	mute, closed chan struct{}
	once         sync.Once
}

func (m *mutable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &mutableConn{Conn: conn, mute: make(chan struct{}), closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return c, nil
}

// fallSilent concerns the connections that there are.
func (m *mutable) fallSilent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		close(c.mute)
	}
	m.conns = nil
}

func (c *mutableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.mute:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *mutableConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Over HTTP/2 all calls share a connection. When that dies in silence, with the
// RTM session's say, calls that fail for it don't end it: without pings no client
// could reconnect until the kernel gives up, a quarter of an hour later.
func TestAnHTTP2ConnectionThatFallsSilentIsGivenUp(t *testing.T) {
	var protocols sync.Map
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols.Store(r.Proto, true)
		_, _ = io.WriteString(w, `{"error":false,"reason":"resolved","data":{"socket":{"app":"https://rtm.example/"}}}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	network, defaults := new(mutable), newHTTPClient()
	transport, ok := defaults.Transport.(*http.Transport)
	require.True(t, ok)
	assert.LessOrEqual(t, transport.HTTP2.SendPingTimeout+transport.HTTP2.PingTimeout, defaultConnectTimeout,
		"the first attempt to reconnect that fails for it is the last")
	transport.DialContext = network.dial
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: transport.HTTP2.SendPingTimeout / 100, PingTimeout: transport.HTTP2.PingTimeout / 100}
	client, err := New(PluginToken("a", "b"), WithBaseURL(server.URL), WithHTTPClient(defaults))
	require.NoError(t, err)
	defer client.CloseIdleConnections()

	_, err = client.ConnectEndpoints(t.Context())
	require.NoError(t, err)
	network.fallSilent()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := client.ConnectEndpoints(ctx)
		return err == nil
	}, 10*time.Second, time.Millisecond, "the next attempts use a new connection")
	_, http2 := protocols.Load("HTTP/2.0")
	assert.True(t, http2)
}
