package inspect

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Config is what the inspector needs to know about the command.
type Config struct {
	Addr    string // to listen on; empty for the first free default port
	Token   string
	Command string // "listen", "receive" or "serve"
	Run     string
	Ring    *Ring
	Capture string // the capture's path; empty for none

	Targets []Target
	Signing forward.Signing // for URLs that are no target
	// Repeat records what a user sent on the page, adds it to the ring, and returns the record.
	Repeat func(record.What) (record.Record, error)
	// Waiting returns what waits to be delivered. It may be nil.
	Waiting func() forward.Waiting
	Serve   *Serve // for crisp serve; nil for other commands
}

// Server is a running inspector.
type Server struct {
	cfg  Config
	http *http.Server
	url  string
	done chan struct{}
	ctx  context.Context // the base of all requests' contexts
	end  context.CancelFunc
}

//go:embed page
var page embed.FS

// The default addresses of the page; the first free port is used.
const (
	defaultHost = "127.0.0.1"
	firstPort   = 7702
	lastPort    = 7709
)

// Start starts an inspector. The caller closes it.
func Start(cfg Config) (*Server, error) {
	listener, err := listen(cfg.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, done: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(context.Background())
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // can't fail for a listener's address
	s.url = "http://" + listener.Addr().String() + "/"
	mux := http.NewServeMux()
	s.routes(mux)
	s.http = &http.Server{
		Handler: &guard{
			hosts: hostsAt(port),
			token: cfg.Token,
			cross: http.NewCrossOriginProtection(),
			next:  mux,
		},
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// The guard answers to OPTIONS *, too.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // it would log connections that make no request
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // it ends when the server is closed
	}()
	return s, nil
}

// hostsAt returns the Host headers with which requests may name the server.
func hostsAt(port string) (hosts []string) {
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
		hosts = append(hosts, host+":"+port)
		if port == "80" { // which browsers leave out
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// AddrError says that the page can't be served at an address.
type AddrError struct{ error }

// CheckAddr returns an *[AddrError] if an address is invalid or not loopback.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return &AddrError{fmt.Errorf("%q is not an address such as 127.0.0.1:7702", addr)}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return &AddrError{fmt.Errorf("%q has no port such as 7702", addr)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &AddrError{fmt.Errorf("%q is not this machine alone: the page shows what visitors write, and is for nobody else", addr)}
	}
	return nil
}

func listen(addr string) (listener net.Listener, err error) {
	if addr != "" {
		if err := CheckAddr(addr); err != nil {
			return nil, err
		}
		return net.Listen("tcp", addr)
	}
	for port := firstPort; port <= lastPort; port++ {
		listener, err = net.Listen("tcp", net.JoinHostPort(defaultHost, strconv.Itoa(port)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return listener, err
		}
	}
	return nil, fmt.Errorf("%w: so are the ports from %d on", err, firstPort)
}

// URL returns the page's URL with the token, which only the user may see.
func (s *Server) URL() string { return s.url + "?token=" + s.cfg.Token }

// Close ends the server and all its requests.
func (s *Server) Close() {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // don't wait for requests that still run
	}
	<-s.done
}

// servePage serves the page's files: "/" is index.html, "/assets/NAME" any of them.
func servePage(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, assets)
	if r.URL.Path == "/" {
		name = "index.html"
	}
	text, err := page.ReadFile("page/" + name)
	if err != nil || strings.Contains(name, "/") {
		fail(w, refused{errors.New("there is no such file"), http.StatusNotFound})
		return
	}
	w.Header().Set("Content-Type", typeOf(name))
	_, _ = w.Write(text) //nolint:gosec // a file of this program; and the client may have gone
}

// typeOf returns a file's media type, independent of the machine's MIME table.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}
