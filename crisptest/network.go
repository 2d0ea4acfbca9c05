package crisptest

import (
	"context"
	"net"
	"net/http"
)

// network is where a Server listens: on loopback sockets, or in memory, which
// works inside a synctest bubble.
type network interface {
	listen(addr string) (net.Listener, error) // at any address if it is empty
	dial(ctx context.Context, network, address string) (net.Conn, error)
}

// loopback is the machine's loopback interface. Unless an address is given, the
// kernel chooses the port of a listener.
type loopback struct{ net.Dialer }

func (loopback) listen(addr string) (net.Listener, error) {
	if addr != "" {
		return net.Listen("tcp", addr)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil { // the machine may have only IPv6
		if l6, err6 := net.Listen("tcp6", "[::1]:0"); err6 == nil {
			return l6, nil
		}
	}
	return l, err
}

func (l loopback) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return l.DialContext(ctx, network, address)
}

// resetConn ends a connection with a TCP reset, as a host that has crashed does.
// What was in transit is lost.
func resetConn(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
		_ = c.Close()
	case *memoryConn:
		c.reset()
	}
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

func rememberConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	return c
}
