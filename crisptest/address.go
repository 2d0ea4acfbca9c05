package crisptest

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// WithAddr sets the address of REST, such as "127.0.0.1:4000", instead of a port
// that happens to be free: for a program whose base URL is in its configuration,
// http://127.0.0.1:4000/v1/. The host must be a loopback address or "localhost".
// REST tells clients where the RTM API is, which has a port of its own unless
// [WithSingleAddress] is given.
func WithAddr(addr string) Option {
	return func(c *config) error {
		host, err := checkAddr(addr)
		if err != nil {
			return fmt.Errorf("crisptest: WithAddr: %w", err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("crisptest: WithAddr: %q is not a loopback address", host)
		}
		c.addr = addr
		return nil
	}
}

// WithRemoteAddr is like [WithAddr] for an address that other machines can reach, such as
// ":4000" in a container. Everybody who reaches it can use the server, unencrypted. It
// includes [WithSingleAddress].
func WithRemoteAddr(addr string) Option {
	return func(c *config) error {
		if _, err := checkAddr(addr); err != nil {
			return fmt.Errorf("crisptest: WithRemoteAddr: %w", err)
		}
		c.addr, c.single = addr, true
		return nil
	}
}

func checkAddr(addr string) (host string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q is not the number of a port", port)
	}
	return host, nil
}

// WithSingleAddress serves the RTM API at the address of REST, below the path /rtm/,
// instead of at a port and a path of its own. One port is then enough, and with
// [WithAddr] also clients that remember where the RTM API was, as Crisp's own SDKs
// do, find it again after the server was restarted.
func WithSingleAddress() Option {
	return func(c *config) error {
		c.single = true
		return nil
	}
}

// openRTM starts the RTM API at an address and a random path of its own: Crisp's
// path changes, too, and is not /socket.io/.
func (s *Server) openRTM() (*httpServer, error) {
	path := "/rtm/" + strings.ToLower(rand.Text()[:8]) + "/"
	if s.single {
		return &httpServer{path: path}, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc(path+"{$}", s.serveRTM)
	server, err := s.serve(mux)
	if err != nil {
		return nil, err
	}
	server.path = path
	return server, nil
}

// firstRTM is openRTM when the server starts.
func (s *Server) firstRTM() (*httpServer, error) {
	if s.single {
		return &httpServer{path: "/rtm/"}, nil
	}
	return s.openRTM()
}

// shared reports whether a server is only a path of that of REST.
func (h *httpServer) shared() bool { return h.http == nil }

// isRTM reports whether the RTM API is at a path of the address of REST.
func (s *Server) isRTM(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rtm.shared() && path == s.rtm.path
}

// rtmAt returns the URL at which a request that came to a host finds a path of the
// RTM API's server; s.mu is held.
func (s *Server) rtmAt(host, path string) string {
	if s.rtm.shared() {
		return "http://" + host + path
	}
	return s.rtm.url + path
}

// fromHere returns an address at which this machine reaches what listens.
func fromHere(listening net.Addr) string {
	addr, ok := listening.(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return listening.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
}
