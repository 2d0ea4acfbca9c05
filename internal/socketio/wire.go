package socketio

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// readAhead is how much is read from the network at a time, which is more than
// the WebSocket library asks for. With a burst of events, the system calls saved
// outweigh all that Next costs on top of reading a frame. More gains little.
const readAhead = 16 << 10

// A wire is the connection below the WebSocket. It reads ahead, and it sees what
// the WebSocket library doesn't show: whether and since when somebody waits for
// the network, when bytes last arrived, and the connection below TLS. None of
// this costs anything per frame.
type wire struct {
	io.ReadWriteCloser
	raw   net.Conn // below TLS, nil if the HTTP transport doesn't tell
	ahead *bufio.Reader

	start   time.Time    // before all that is measured
	waiting atomic.Int64 // when the current read began, 0 if there is none
	heard   atomic.Int64 // when bytes last arrived
}

func newWire(conn io.ReadWriteCloser, raw net.Conn) *wire {
	if c, ok := raw.(*tls.Conn); ok {
		raw = c.NetConn()
	}
	w := &wire{ReadWriteCloser: conn, raw: raw, start: time.Now().Add(-1)}
	w.ahead = bufio.NewReaderSize(network{w}, readAhead)
	return w
}

func (w *wire) Read(p []byte) (int, error) { return w.ahead.Read(p) }

// network is the reading side of a wire without the reading ahead.
type network struct{ *wire }

func (n network) Read(p []byte) (int, error) {
	n.waiting.Store(n.now())
	size, err := n.ReadWriteCloser.Read(p)
	n.waiting.Store(0)
	if size > 0 {
		n.heard.Store(n.now())
	}
	return size, err
}

// abort cuts the connection. Closing a TLS connection properly takes up to five
// seconds if the peer has stopped reading; this never waits.
func (w *wire) abort() {
	if w.raw != nil {
		_ = w.raw.Close()
	}
}

// now is the time since start, which is cheaper to take and to keep than a
// [time.Time]. It is never 0.
func (w *wire) now() int64 { return int64(time.Since(w.start)) }

// listening says whether somebody is waiting for the network.
func (w *wire) listening() bool { return w.waiting.Load() != 0 }

// silence is for how long somebody has been waiting for the network, 0 if
// nobody is: as long as nobody listens, nothing can be said about the peer.
func (w *wire) silence() time.Duration {
	since := w.waiting.Load()
	if since == 0 {
		return 0
	}
	return time.Duration(w.now() - since)
}

func (w *wire) lastHeard() time.Time { return w.start.Add(time.Duration(w.heard.Load())) }

// A wiretap is an [http.RoundTripper] that puts a wire below a WebSocket.
type wiretap struct {
	http.RoundTripper
	wire *wire // nil until an answer switches protocols
}

func (t *wiretap) RoundTrip(req *http.Request) (*http.Response, error) {
	var raw net.Conn
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { raw = info.Conn }}
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		// From here on the connection is no longer the transport's but ours.
		t.wire = newWire(conn, raw)
		resp.Body = t.wire
	}
	return resp, nil
}
