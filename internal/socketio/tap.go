package socketio

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// tap sits between the WebSocket and its connection, as an [http.RoundTripper]
// while dialing and as the connection itself afterwards, and sees what the
// WebSocket library doesn't show: whether and since when a read is waiting for
// the network, when bytes last arrived, and the connection below TLS.
//
// All of it costs something per read from the network, nothing per frame.
type tap struct {
	io.ReadWriteCloser
	base http.RoundTripper
	raw  net.Conn // nil if the transport doesn't tell

	start   time.Time    // before all that is measured
	waiting atomic.Int64 // when the current read began, 0 if there is none
	heard   atomic.Int64 // when bytes last arrived
}

func newTap(base http.RoundTripper) *tap {
	if base == nil {
		base = http.DefaultTransport
	}
	return &tap{base: base, start: time.Now().Add(-1)}
}

// RoundTrip taps the connection of an answer that switches protocols.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	var raw net.Conn
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { raw = info.Conn }}
	resp, err := t.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if body, ok := resp.Body.(io.ReadWriteCloser); ok {
		// From here on the connection is no longer the transport's but ours.
		t.ReadWriteCloser, t.raw = body, belowTLS(raw)
		resp.Body = t
	}
	return resp, nil
}

func belowTLS(conn net.Conn) net.Conn {
	if c, ok := conn.(*tls.Conn); ok {
		return c.NetConn()
	}
	return conn
}

func (t *tap) Read(p []byte) (int, error) {
	t.waiting.Store(t.now())
	n, err := t.ReadWriteCloser.Read(p)
	t.waiting.Store(0)
	if n > 0 {
		t.heard.Store(t.now())
	}
	return n, err
}

// abort cuts the connection. Closing a TLS connection properly takes up to five
// seconds if the peer has stopped reading; this never waits.
func (t *tap) abort() {
	if t.raw != nil {
		_ = t.raw.Close()
	}
}

// now is the time since start, which is cheaper to take and to keep than a
// [time.Time]. It is never 0.
func (t *tap) now() int64 { return int64(time.Since(t.start)) }

// silence is for how long the current read has been waiting, 0 if none is: as
// long as nobody listens, nothing can be said about the peer.
func (t *tap) silence() time.Duration {
	since := t.waiting.Load()
	if since == 0 {
		return 0
	}
	return time.Duration(t.now() - since)
}

func (t *tap) lastHeard() time.Time { return t.start.Add(time.Duration(t.heard.Load())) }
