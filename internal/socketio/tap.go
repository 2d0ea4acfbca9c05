package socketio

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// readAhead is how much is read from the network at a time, and the largest
// message that is read in place. With a burst of events, each system call that
// is saved counts. More gains little.
const readAhead = 64 << 10

// A tap sits between the network and the WebSocket library, in the place of the
// connection. The library does what it is good at (handshake, masking, control
// frames, fragments, closing); the tap is there for what it does not offer:
//
//   - It reads ahead, in large pieces: with a burst of events, one system call
//     brings a hundred frames.
//   - It hands out plain text frames itself, in place, without a copy and
//     without the library's state machine, which takes three times as long.
//   - It knows where frames begin, so that the library never gets a byte of the
//     frame behind the one that it reads. That is what makes the two ways of
//     reading safe to mix: each frame belongs to one of them.
//   - It knows whether the reader is waiting for the network, since when it has waited for
//     the current packet, when bytes last arrived, and whether they may be old (doubt).
//     Heartbeats, gaps and the stored position depend on that.
//   - It holds the connection below TLS, which can be cut without waiting.
type tap struct {
	io.ReadWriteCloser
	raw       net.Conn // below TLS, nil if the HTTP transport doesn't trace it
	ahead     *bufio.Reader
	remaining int64 // bytes left of the frame that the WebSocket library is reading
	data      bool  // that frame is part of a message, not a control frame
	limit     int64 // of a frame's payload, in bytes

	onWait func() // see Options

	// Times are in nanoseconds since start, which is before all of them.
	start   time.Time
	waiting atomic.Int64 // when the current read began, 0 if there is none
	since   atomic.Int64 // when the first read for the current packet began, 0 if there was none
	size    atomic.Int64 // of that packet as far as the WebSocket library has read it, in bytes
	heard   atomic.Int64 // when bytes last arrived
	doubt   doubt
	onLate  func() // called when bytes come late: see doubt
}

func newTap(conn io.ReadWriteCloser, raw net.Conn, onWait func()) *tap {
	if c, ok := raw.(*tls.Conn); ok {
		raw = c.NetConn()
	}
	t := &tap{ReadWriteCloser: conn, raw: raw, onWait: onWait, onLate: func() {}, start: time.Now().Add(-1)}
	t.ahead = bufio.NewReaderSize(network{t}, readAhead)
	return t
}

// text returns the next message without the WebSocket library's help if it is a
// text in a single frame that fits into the buffer. It is valid until the next
// read. Anything else, errors included, is left for the library.
//
// It must not be called while the library is in the middle of a message.
func (t *tap) text(limit int64) (message []byte, ok bool) {
	h, err := t.header()
	if err != nil || !h.plainText || h.payload > limit {
		return nil, false
	}
	size := int64(h.size) + h.payload
	if size > readAhead {
		return nil, false
	}
	frame, err := t.ahead.Peek(int(size))
	if err != nil {
		return nil, false
	}
	_, _ = t.ahead.Discard(len(frame)) // can't fail, and leaves the bytes in place
	return frame[h.size:], true
}

// Read is called by the WebSocket library. It never returns bytes of two frames
// at once, so that the library doesn't buffer the start of a frame which text is
// to read.
func (t *tap) Read(p []byte) (int, error) {
	if t.remaining == 0 {
		h, err := t.header()
		if err != nil {
			return 0, err
		}
		if h.payload > t.limit { // at once: so much may never come
			return 0, errFrameTooLarge
		}
		t.remaining = int64(h.size) + h.payload
		if t.data = h.data; t.data {
			t.size.Add(-int64(h.size)) // the header, which is added below, doesn't count
		}
	}
	n, err := t.ahead.Read(p[:min(int64(len(p)), t.remaining)])
	t.remaining -= int64(n)
	if t.data {
		t.size.Add(int64(n))
	}
	return n, err
}

// frameHeader is what a tap has to know of a frame. Sizes are in bytes.
type frameHeader struct {
	size      int   // of the header itself
	payload   int64 // of what follows the header
	data      bool  // not a ping, a pong or a close
	plainText bool  // a whole text message: not fragmented, without extensions
}

// httpAnswer returns the HTTP answer that comes in place of the first frame. A
// socket.io 4 server sends one to clients of Engine.IO 3, although it has switched
// to the WebSocket protocol before.
func (t *tap) httpAnswer() *http.Response {
	const begin = "HTTP/"
	for n := range len(begin) { // no frame begins with an H, but one may be shorter than all of it
		if b, err := t.ahead.Peek(n + 1); err != nil || b[n] != begin[n] {
			return nil
		}
	}
	resp, err := http.ReadResponse(t.ahead, nil)
	if err != nil {
		return nil
	}
	return resp
}

// header parses the header of the next frame and leaves it in the buffer.
func (t *tap) header() (frameHeader, error) {
	const (
		finalText  = 0x81
		control    = 0x08
		masked     = 0x80
		lengthBits = 0x7f
		length16   = 126
		length64   = 127
		maxHeader  = 2 + 8
	)
	b, err := t.ahead.Peek(2)
	if err != nil {
		return frameHeader{}, err
	}
	if b[1]&masked != 0 { // the WebSocket library would return the payload as it is, masked
		return frameHeader{}, errMasked
	}
	h := frameHeader{
		size:      2,
		payload:   int64(b[1] & lengthBits),
		data:      b[0]&control == 0,
		plainText: b[0] == finalText,
	}
	switch h.payload {
	case length16:
		h.size += 2
	case length64:
		h.size += 8
	}
	if b, err = t.ahead.Peek(h.size); err != nil {
		return frameHeader{}, err
	}
	switch h.payload {
	case length16:
		h.payload = int64(binary.BigEndian.Uint16(b[2:]))
	case length64:
		// A length beyond int64 is invalid; it is left for the library to refuse.
		h.payload = int64(min(binary.BigEndian.Uint64(b[2:]), math.MaxInt64-maxHeader))
	}
	return h, nil
}

var errMasked = fmt.Errorf("%w: the server masks its frames, as only clients do", ErrHandshake)

var errFrameTooLarge = errors.New("socketio: frame over the read limit")

// network is what a tap's buffer reads from. It notes when it waits and when
// bytes arrive. At its end it returns io.ErrUnexpectedEOF, because the WebSocket
// library takes an io.EOF within a message for the end of that message.
type network struct{ *tap }

func (n network) Read(p []byte) (int, error) {
	n.onWait()
	began := n.now()
	n.waiting.Store(began)
	if n.since.Load() == 0 {
		n.since.Store(began)
	}
	size, err := n.ReadWriteCloser.Read(p)
	n.waiting.Store(0)
	now := n.now()
	if size > 0 {
		if last := n.heard.Load(); n.doubt.late(time.Duration(now - last)) {
			n.doubt.arise(last)
			n.onLate()
		}
		n.doubt.heard(time.Duration(now - began))
		n.heard.Store(now)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return size, err
}

// abort cuts the connection. Closing a TLS connection properly takes up to five
// seconds if the peer has stopped reading; this never waits.
func (t *tap) abort() {
	if t.raw != nil {
		_ = t.raw.Close()
	}
}

// now returns the nanoseconds since start, which an atomic can hold, unlike a
// [time.Time]. It is never 0.
func (t *tap) now() int64 { return int64(time.Since(t.start)) }

// listening reports whether somebody is waiting for the network.
func (t *tap) listening() bool { return t.waiting.Load() != 0 }

// packetRead notes that a packet has come whole.
func (t *tap) packetRead() {
	if t.since.Load() != 0 { // in a burst, most need no wait for the network
		t.since.Store(0)
	}
}

// packetReadByLibrary is packetRead for a packet that came by Read.
func (t *tap) packetReadByLibrary() {
	t.packetRead()
	t.size.Store(0)
}

// wait returns what the reader is waiting for. While nobody reads, the peer can't be called
// silent.
func (t *tap) wait() wait {
	return wait{
		since: time.Duration(t.since.Load()),
		heard: time.Duration(t.heard.Load()),
		size:  t.size.Load(),
	}
}

func (t *tap) lastHeard() time.Time { return t.start.Add(time.Duration(t.heard.Load())) }

// A tapTransport is an [http.RoundTripper] that puts a tap below a WebSocket.
type tapTransport struct {
	http.RoundTripper
	onWait func()
	tap    *tap // nil until an answer switches protocols
}

func (t *tapTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var raw net.Conn
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { raw = info.Conn }}
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: the HTTP client's RoundTripper wraps the body of the answer in a %.100T, which is no io.ReadWriteCloser",
			ErrUnsupported, resp.Body)
	}
	// From here on the connection is no longer the transport's but ours.
	t.tap = newTap(conn, raw, t.onWait)
	resp.Body = t.tap
	return resp, nil
}
