package chaos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"strings"
	"sync"
)

// tap is the client's end of a connection. It reads along: an event whose last
// byte was returned to the client has reached it.
type tap struct {
	net.Conn
	ledger *ledger

	mu      sync.Mutex // guards what follows
	failure error      // what reads fail with
	closed  bool       // by the client
	events  []event
	stream  stream
}

func newTap(conn net.Conn, l *ledger) *tap { return &tap{Conn: conn, ledger: l} }

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, t.stream.feed(p[:n])...)
	if err == nil {
		return n, nil
	}
	if !t.closed && len(t.events) > 0 {
		// The peer has ended it, so that the client could read to the end.
		t.ledger.arrived(t.events)
		t.events = nil
	}
	if t.failure != nil {
		err = t.failure
	}
	return n, err
}

func (t *tap) Close() error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.Conn.Close()
}

func (t *tap) fail(with error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failure = with
}

// stream finds the events in the bytes that a WebSocket's server sends.
type stream struct {
	buf      []byte
	upgraded bool
	other    bool // it is no WebSocket
}

func (s *stream) feed(data []byte) []event {
	if s.other {
		return nil
	}
	s.buf = append(s.buf, data...)
	if !s.upgraded && !s.upgrade() {
		return nil
	}
	var events []event
	for {
		payload, size := s.frame()
		if size == 0 {
			return events
		}
		if ev, ok := parseEvent(payload); ok {
			events = append(events, ev)
		}
		s.buf = s.buf[size:]
	}
}

// upgrade takes the HTTP answer off, once it is whole.
func (s *stream) upgrade() bool {
	head, rest, whole := bytes.Cut(s.buf, []byte("\r\n\r\n"))
	if !whole {
		return false
	}
	s.upgraded = strings.HasPrefix(string(head), "HTTP/1.1 101")
	s.other = !s.upgraded
	s.buf = rest
	return s.upgraded
}

// frame returns the payload of the first frame, and the frame's size; 0 if it is
// not whole.
func (s *stream) frame() (payload []byte, size int) {
	if len(s.buf) < 2 {
		return nil, 0
	}
	head, length := 2, int(s.buf[1]&0x7f)
	switch {
	case length == 126 && len(s.buf) >= 4:
		head, length = 4, int(binary.BigEndian.Uint16(s.buf[2:]))
	case length == 127 && len(s.buf) >= 10:
		head, length = 10, int(binary.BigEndian.Uint64(s.buf[2:]))
	case length >= 126:
		return nil, 0
	}
	if length < 0 || len(s.buf)-head < length {
		return nil, 0
	}
	return s.buf[head : head+length], head + length
}

func parseEvent(payload []byte) (event, bool) {
	const prefix = `42["message:send",`
	if !bytes.HasPrefix(payload, []byte(prefix)) {
		return event{}, false
	}
	var message struct {
		Session string `json:"session_id"`
		Content string `json:"content"`
	}
	argument := bytes.TrimSuffix(bytes.TrimSpace(payload[len(prefix):]), []byte("]"))
	if json.Unmarshal(argument, &message) != nil || message.Session == "" {
		return event{}, false
	}
	return event{message.Session, message.Content}, true
}
