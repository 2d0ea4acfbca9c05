package socketio

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endpoint is the URL of the server that startServer starts.
const endpoint = "http://server.test/some/path/"

const (
	openPacket    = `0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}`
	connectPacket = `40{"sid":"session"}`
)

// memoryListener is a network in memory, for tests in virtual time. It has no
// buffer, like net.Pipe: a write waits until the other side reads. So do pings and
// their answers, which a WebSocket library gives five seconds: where a side does not
// read for longer, it takes a buffered one.
type memoryListener struct {
	buffered bool
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if l.buffered {
		client, server = newBuffered(client), newBuffered(server)
	}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// buffered is a connection with a buffer for what is written.
type buffered struct {
	net.Conn
	out    chan []byte
	closed chan struct{}
	once   sync.Once
}

const bufferedWrites = 16

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, out: make(chan []byte, bufferedWrites), closed: make(chan struct{})}
	go b.pump()
	return b
}

func (b *buffered) pump() {
	for {
		select {
		case p := <-b.out:
			if _, err := b.Conn.Write(p); err != nil {
				return
			}
		case <-b.closed:
			return
		}
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.out <- slices.Clone(p):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

// startHTTP serves handler on a network of its own and returns a client for it.
func startHTTP(t *testing.T, handler http.HandlerFunc) *http.Client {
	t.Helper()
	return startOn(t, newMemoryListener(), handler)
}

func startOn(t *testing.T, listener *memoryListener, handler http.HandlerFunc) *http.Client {
	t.Helper()
	server := &http.Server{Handler: handler}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return &http.Client{Transport: transport}
}

// startServer runs script for each WebSocket that is opened.
func startServer(t *testing.T, script func(*peer)) *http.Client {
	t.Helper()
	return startHTTP(t, serve(t, script))
}

// startBuffered is startServer on a buffered network.
func startBuffered(t *testing.T, script func(*peer)) *http.Client {
	t.Helper()
	listener := newMemoryListener()
	listener.buffered = true
	return startOn(t, listener, serve(t, script))
}

func serve(t *testing.T, script func(*peer)) http.HandlerFunc {
	var scripts sync.WaitGroup
	t.Cleanup(scripts.Wait)
	return func(w http.ResponseWriter, r *http.Request) {
		scripts.Add(1)
		defer scripts.Done()
		conn := new(hijacked)
		ws, err := websocket.Accept(hijacker{w, conn}, r, nil)
		if !assert.NoError(t, err) {
			return
		}
		ws.SetReadLimit(-1)
		defer func() { _ = ws.CloseNow() }()
		script(&peer{t: t, ws: ws, conn: conn.Conn, request: r})
	}
}

// hijacker lets a test write below the WebSocket library.
type hijacker struct {
	http.ResponseWriter
	conn *hijacked
}

type hijacked struct{ net.Conn }

func (h hijacker) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	conn, rw, err = http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn.Conn = conn
	return conn, rw, err
}

// A peer is the server's end of a WebSocket. Once the client is gone, sending
// does nothing and receive returns "".
type peer struct {
	t       *testing.T
	ws      *websocket.Conn
	conn    net.Conn // below ws
	request *http.Request
}

// handshake does the server's part of both handshakes, in Engine.IO 4.
func (p *peer) handshake() { p.handshakeVersion(4) }

func (p *peer) handshakeVersion(version int) {
	p.send(openPacket)
	if version == 3 {
		p.send("40")
		return
	}
	p.expect("40")
	p.send(connectPacket)
}

func (p *peer) send(frames ...string) {
	for _, frame := range frames {
		_ = p.ws.Write(context.Background(), websocket.MessageText, []byte(frame))
	}
}

func (p *peer) sendBinary(frames ...string) {
	for _, frame := range frames {
		_ = p.ws.Write(context.Background(), websocket.MessageBinary, []byte(frame))
	}
}

// sendAttachment3 sends an attachment as Engine.IO 3 does: as a binary frame, or
// as text.
func (p *peer) sendAttachment3(data string, asText bool) {
	if asText {
		p.send("b4" + base64.StdEncoding.EncodeToString([]byte(data)))
		return
	}
	p.sendBinary("\x04" + data)
}

// receive returns the client's next frame, "" if it is gone.
func (p *peer) receive() string {
	_, frame, err := p.ws.Read(context.Background())
	if err != nil {
		return ""
	}
	return string(frame)
}

func (p *peer) expect(frames ...string) {
	p.t.Helper()
	for _, frame := range frames {
		assert.Equal(p.t, frame, p.receive(), "frame from the client")
	}
}

// drain reads until the client is gone.
func (p *peer) drain() {
	for p.receive() != "" {
	}
}

// skips collects the reasons that Options.OnSkip hears.
type skips []error

func (s *skips) add(skipped Skip) { *s = append(*s, skipped.Reason) }

// open dials the server. The connection is closed at the end of the test.
func open(t *testing.T, client *http.Client, opt Options) *Conn {
	t.Helper()
	opt.HTTPClient = client
	c, err := Dial(t.Context(), endpoint, opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func nextName(t *testing.T, c *Conn) string {
	t.Helper()
	ev, err := c.Next()
	require.NoError(t, err)
	return string(ev.Name)
}

// sendRaw writes bytes to the network, without the WebSocket library.
func (p *peer) sendRaw(frames string) { _, _ = p.conn.Write([]byte(frames)) }
