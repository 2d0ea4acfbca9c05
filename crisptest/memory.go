package crisptest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memory is a network that exists in this process alone. Its addresses look
// like loopback ones, so that clients which insist on TLS for anything else
// accept them. All waiting is on channels and sync.Cond, which a synctest
// bubble counts as durably blocked.
type memory struct {
	mu        sync.Mutex
	lastPort  int
	listeners map[string]*memoryListener
}

func newMemory() *memory {
	return &memory{listeners: make(map[string]*memoryListener)}
}

func (m *memory) listen() (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastPort++
	l := &memoryListener{
		network: m,
		addr:    memoryAddr(fmt.Sprintf("127.0.0.1:%d", m.lastPort)),
		dialled: make(chan net.Conn),
		closed:  make(chan struct{}),
	}
	m.listeners[l.addr.String()] = l
	return l, nil
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

func (m *memory) forget(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.listeners, address)
}

// refused is what the kernel says of an address that nobody listens at.
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
		l.network.forget(l.addr.String())
		close(l.closed)
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

// memoryPipe makes both ends of a connection to addr.
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

// reset breaks both directions at once, for both ends.
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

// window is how much a stream holds before its writer waits, as the kernel's
// socket buffers would.
const window = 64 << 10

// stream is one direction of a connection.
type stream struct {
	mu             sync.Mutex
	changed        *sync.Cond
	data           []byte
	reader, writer side
}

// side is what one end of a stream has done to it.
type side struct {
	closed   error       // what its own calls fail with; nil while open
	deadline *time.Timer // nil without one
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

// failure is what a call of this side fails with, if it does.
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

// update changes the stream and wakes whoever waits on it.
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

// setDeadline replaces a side's deadline; the zero time takes it away. The
// stream is locked.
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
			if of.deadline == timer { // and not replaced in the meantime
				of.expired = true
			}
		})
	})
	of.deadline = timer
}
