package crisptest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// memory is a network within this process. Its addresses look like loopback
// addresses, because clients insist on TLS for any other. All waiting is on
// channels and sync.Cond, which count as durably blocked in a synctest bubble.
type memory struct {
	mu        sync.Mutex // guards what follows
	lastPort  int
	listeners map[string]*memoryListener
}

func newMemory() *memory {
	return &memory{listeners: make(map[string]*memoryListener)}
}

func (m *memory) listen(addr string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if addr == "" || strings.HasSuffix(addr, ":0") {
		addr = m.freeAddr()
	}
	if m.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "memory", Addr: memoryAddr(addr), Err: syscall.EADDRINUSE}
	}
	l := &memoryListener{
		network: m,
		addr:    memoryAddr(addr),
		dialled: make(chan net.Conn),
		closed:  make(chan struct{}),
	}
	m.listeners[l.addr.String()] = l
	return l, nil
}

// freeAddr returns an address that no listener has; m.mu is held.
func (m *memory) freeAddr() string {
	for {
		m.lastPort++
		if addr := fmt.Sprintf("127.0.0.1:%d", m.lastPort); m.listeners[addr] == nil {
			return addr
		}
	}
}

func (m *memory) dial(ctx context.Context, _, address string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[address]
	m.mu.Unlock()
	if l == nil {
		return nil, refused(address)
	}
	client, server := memoryPipe(l.addr)
	select {
	case l.dialled <- server:
		return client, nil
	case <-l.closed:
		return nil, refused(address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) remove(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.listeners, address)
}

// refused returns the error of a kernel for an address on which nobody listens.
func refused(address string) error {
	return &net.OpError{Op: "dial", Net: "memory", Addr: memoryAddr(address), Err: syscall.ECONNREFUSED}
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

type memoryListener struct {
	network *memory
	addr    memoryAddr
	dialled chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialled:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		l.network.remove(l.addr.String())
		close(l.closed)
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

// memoryPipe returns both ends of a connection to addr.
func memoryPipe(addr net.Addr) (client, server *memoryConn) {
	up, down := newStream(), newStream()
	return &memoryConn{in: down, out: up, addr: addr}, &memoryConn{in: up, out: down, addr: addr}
}

// memoryConn is one end of a connection.
type memoryConn struct {
	in, out *stream
	addr    net.Addr
}

func (c *memoryConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memoryConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *memoryConn) LocalAddr() net.Addr         { return c.addr }
func (c *memoryConn) RemoteAddr() net.Addr        { return c.addr }

func (c *memoryConn) Close() error {
	c.out.update(func(s *stream) { s.writer.close(net.ErrClosed) })
	c.in.update(func(s *stream) { s.reader.close(net.ErrClosed) })
	return nil
}

// reset ends both directions for both ends.
func (c *memoryConn) reset() {
	for _, s := range []*stream{c.in, c.out} {
		s.update(func(s *stream) {
			s.reader.close(syscall.ECONNRESET)
			s.writer.close(syscall.ECONNRESET)
		})
	}
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.update(func(s *stream) { s.setDeadline(&s.reader, t) })
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.update(func(s *stream) { s.setDeadline(&s.writer, t) })
	return nil
}

// window is how many bytes a stream holds before its writer waits, like the socket
// buffers of a kernel.
const window = 64 << 10

// stream is one direction of a connection.
type stream struct {
	mu             sync.Mutex // guards what follows
	changed        *sync.Cond
	data           []byte
	reader, writer side
}

// side is the state of one end of a stream.
type side struct {
	closed   error       // the error of its own calls; nil while open
	deadline *time.Timer // nil if there is none
	expired  bool        // the deadline has passed
}

func (s *side) close(err error) {
	if s.closed == nil {
		s.closed = err
	}
	if s.deadline != nil {
		s.deadline.Stop()
	}
}

// failure returns the error of a call by this side, nil if it may go on.
func (s *side) failure() error {
	if s.closed != nil {
		return s.closed
	}
	if s.expired {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func newStream() *stream {
	s := new(stream)
	s.changed = sync.NewCond(&s.mu)
	return s
}

// update changes the stream and wakes whoever waits for it.
func (s *stream) update(change func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	s.changed.Broadcast()
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.reader.failure(); err != nil {
			return 0, err
		}
		if len(s.data) > 0 || len(p) == 0 {
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.changed.Broadcast()
			return n, nil
		}
		if s.writer.closed != nil {
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.writer.failure(); err != nil {
			return written, err
		}
		if s.reader.closed != nil {
			return written, syscall.EPIPE
		}
		n := min(len(p), window-len(s.data))
		s.data = append(s.data, p[:n]...)
		p = p[n:]
		written += n
		s.changed.Broadcast()
		if len(p) == 0 {
			return written, nil
		}
		s.changed.Wait()
	}
}

// setDeadline replaces a side's deadline; the zero time means none. s.mu is held.
func (s *stream) setDeadline(of *side, t time.Time) {
	if of.deadline != nil {
		of.deadline.Stop()
		of.deadline = nil
	}
	of.expired = false
	if t.IsZero() || of.closed != nil {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		of.expired = true
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		s.update(func(*stream) {
			if of.deadline == timer { // it was not replaced in the meantime
				of.expired = true
			}
		})
	})
	of.deadline = timer
}
