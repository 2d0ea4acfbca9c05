package inspect

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

//go:embed page
var page embed.FS

// assets is below what the page's own files are.
const assets = "/assets/"

// Config says what is to be inspected.
type Config struct {
	Ring    *Ring
	Command string // of crisp, whose events they are
	Version string
	Token   string   // who has it may see everything
	Capture string   // the file that keeps what happens; empty if none does
	Targets []Target // where events are forwarded to, and can be sent again
	// Signing is what is sent to other targets is authentic by; nil if there is no secret.
	Signing func() forward.Signing
	// Record keeps what was sent from the page, and returns its number.
	Record func(record.What) uint64
	// Waiting says what of the targets' work is not done yet; nil if there is none.
	Waiting func() forward.Waiting
	Control http.Handler // drives crisp serve, below control.Prefix; nil for other commands
}

// DefaultAddr is where the page is unless another address is given. The next ports are
// tried if it is taken, since several commands may have a page at a time.
const (
	DefaultAddr  = "127.0.0.1:7702"
	defaultPort  = 7702
	defaultPorts = 8
)

// Listen opens an address of this machine; of the default one, the first port that is free.
func Listen(addr string) (net.Listener, error) {
	if addr != "" {
		if err := checkAddr(addr); err != nil {
			return nil, AddrError{err}
		}
		return net.Listen("tcp", addr)
	}
	var err error
	for port := range defaultPorts {
		var l net.Listener
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(defaultPort+port)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return nil, fmt.Errorf("%w, and so are the %d ports behind it: give another address", err, defaultPorts-1)
}

// AddrError says that an address is not one for the page.
type AddrError struct{ error }

func checkAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address such as %s", addr, DefaultAddr)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not this machine alone: the page shows what people write, and is for you only", addr)
	}
	return nil
}

// Server serves the page.
type Server struct {
	cfg  Config
	http *http.Server
	url  string
	done chan struct{} // closed when it has ended
}

// Serve serves the page from a listener until [Server.Close].
func Serve(l net.Listener, cfg Config) *Server {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a TCP listener has one
	s := &Server{
		cfg:  cfg,
		url:  "http://" + l.Addr().String() + "/?token=" + cfg.Token,
		done: make(chan struct{}),
	}
	ctx, end := context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           newGuard(port, cfg.Token, s.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // of connections that make no request
	}
	s.http.RegisterOnShutdown(end)
	go func() {
		defer close(s.done)
		defer end()
		_ = s.http.Serve(l) // until Close
	}()
	return s
}

// URL is where the page is, with the token.
func (s *Server) URL() string { return s.url }

// Close ends the server, and what is open of it.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // whoever has not finished by now won't
	}
	<-s.done
}

func (s *Server) routes() http.Handler {
	files, _ := fs.Sub(page, "page") // it is embedded
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "index.html")
	})
	mux.Handle("GET "+assets, http.StripPrefix(assets, http.FileServerFS(files)))
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /api/info":        s.info,
		"GET /api/events":      s.events,
		"GET /api/events/{id}": s.event,
		"GET /api/code/{id}":   s.code,
		"POST /api/replay":     s.replay,
	} {
		mux.Handle(pattern, route(answer))
	}
	mux.HandleFunc("GET /api/stream", s.stream)
	mux.HandleFunc("GET /api/export", s.export)
	if s.cfg.Control != nil {
		mux.Handle(control.Prefix, s.cfg.Control)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path)
	})
	return mux
}
