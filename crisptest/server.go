package crisptest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// WebsiteID is the website of all samples, of the token of tier website that a
// server makes, and of visitors unless another is given.
const WebsiteID = "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"

// TB is the part of [testing.TB] that [NewServer] and [Server.Run] need:
// *testing.T, *testing.B and *testing.F implement it. It is an interface of its
// own in order to keep package testing, with its command line flags, out of
// programs that use [Start].
//
// If it also has the method Logf of testing.TB, the end of the test logs the
// requests for which the server has no route.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a Crisp of its own: REST API, RTM API and web hooks. Its methods are
// safe for concurrent use.
type Server struct {
	config
	began   websiteSet   // the websites that existed when it started, for Reset
	client  *http.Client // over the server's network
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup // requests and hooks in progress
	changes broadcast      // announces every change that can end a wait

	rest    *httpServer
	mux     *http.ServeMux          // the REST routes
	custom  *http.ServeMux          // the REST routes that HandleREST added
	others  *http.ServeMux          // what Handle added beside REST
	tiers   map[string][]crisp.Tier // by event name; all tiers receive other events
	rtmOnly []string                // events that are never sent by web hook

	mu          sync.Mutex // guards what follows; not held while code of the test runs
	closed      bool
	servers     []*httpServer
	rtm         *httpServer // where the RTM API is now
	engines     map[*engine]struct{}
	sessions    []*liveSession // the open ones, oldest first
	past        record[*Session]
	binds       record[*Bind]
	requests    record[*Request]
	deliveries  record[*Delivery]
	handled     record[*Handled]
	subscribers []*Subscriber
	sites       *fifo.Map[string, *site] // the latest that were used
	dispatches  record[*Dispatch]
	people      people
	model       model
	plugin      plugin
	faults      faults
	journal     journal
}

// NewServer starts a server and closes it at the end of the test. It fails the
// test if the server can't be started: see [Start].
func NewServer(tb TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Start(opts...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		s.Close()
		if log, ok := tb.(logger); ok {
			s.logMissingRoutes(log)
		}
	})
	return s
}

// logger is the part of [testing.TB] that a TB may have.
type logger interface {
	Helper()
	Logf(format string, args ...any)
}

// logMissingRoutes logs each route that was asked for and doesn't exist, once, to explain
// why a program got the status 404.
func (s *Server) logMissingRoutes(log logger) {
	log.Helper()
	logged := make(map[string]bool)
	for _, r := range s.Requests() {
		if route := r.Method + " " + r.Path; r.NoRoute && r.Status == http.StatusNotFound && !logged[route] {
			logged[route] = true
			log.Logf("crisptest has no route %s: Server.HandleREST can add it", route)
		}
	}
}

// Start starts a server outside a test, such as in a demonstration, which has to
// be closed by [Server.Close]. It returns an error if an option is invalid or the
// server can't listen on the loopback interface.
func Start(opts ...Option) (*Server, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:     c,
		began:      c.websites,
		custom:     http.NewServeMux(),
		others:     http.NewServeMux(),
		tiers:      tiersByEvent(),
		rtmOnly:    rtmOnlyEvents(),
		engines:    make(map[*engine]struct{}),
		past:       newRecord[*Session](c.history),
		binds:      newRecord[*Bind](c.history),
		requests:   newRecord[*Request](c.history),
		deliveries: newRecord[*Delivery](c.history),
		handled:    newRecord[*Handled](c.history),
		people:     newPeople(c.history),
		sites:      newSites(c.history),
		dispatches: newRecord[*Dispatch](c.history),
		model:      newModel(c.history),
		journal:    newJournal(c.journal),
		plugin:     newPlugin(c.websites, c.history),
	}
	s.mux = s.restRoutes()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.client = &http.Client{Transport: &http.Transport{DialContext: c.network.dial}}
	if s.rtm, err = s.firstRTM(); err == nil { // first, because REST announces it
		s.rest, err = s.serveAt(c.addr, http.HandlerFunc(s.serveFront))
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("crisptest: can't listen: %w", err)
	}
	return s, nil
}

func tiersByEvent() map[string][]crisp.Tier {
	tiers := make(map[string][]crisp.Tier)
	for _, info := range crisp.Events() {
		tiers[info.Name] = info.Tiers
	}
	return tiers
}

// Close ends the server with its connections and the deliveries of web hooks, and
// waits until all of its goroutines have ended. Calling it again has no effect.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	servers, engines := s.servers, slices.Collect(maps.Keys(s.engines))
	s.mu.Unlock()

	s.stop()
	for _, server := range servers {
		server.close()
	}
	for _, e := range engines {
		e.cut()
	}
	s.client.CloseIdleConnections()
	s.wg.Wait()
}

// URL returns the base URL of the REST API, for [crisp.WithBaseURL]:
// http://127.0.0.1:PORT/v1/.
func (s *Server) URL() string { return s.rest.url + "/v1/" }

// Token returns a token that the server accepts. Its tier is plugin, unless
// [WithTier] or [WithToken] says otherwise.
func (s *Server) Token() crisp.Token { return s.tokens[0] }

// TokenFor returns the token of a tier that the server accepts. It panics if the
// tier is unknown.
func (s *Server) TokenFor(tier crisp.Tier) crisp.Token {
	for _, token := range s.tokens {
		if token.Tier == tier {
			return token
		}
	}
	panic(fmt.Sprintf("crisptest: TokenFor: no tier %q", tier))
}

// SigningSecret returns the secret with which the web hooks of the plugin are
// signed.
func (s *Server) SigningSecret() string { return s.signingSecret }

// now returns the time by the server's clock, which SkewClock sets; s.mu is held.
func (s *Server) now() time.Time { return time.Now().Add(s.faults.skew) }

// HTTPClient returns an HTTP client that reaches the server, also with
// [InMemory]; then it reaches nothing else. Its connections end with the server.
func (s *Server) HTTPClient() *http.Client { return s.client }

// Client returns a client of this server that has [Server.Token]. It panics if an
// option is invalid.
func (s *Server) Client(opts ...crisp.Option) *crisp.Client {
	all := append([]crisp.Option{crisp.WithBaseURL(s.URL()), crisp.WithHTTPClient(s.client)}, opts...)
	c, err := crisp.New(s.Token(), all...)
	if err != nil {
		panic(fmt.Sprintf("crisptest: Client: %v", err))
	}
	return c
}

// Serve serves a handler of the program under test on the server's network until
// the server is closed, and returns its URL, http://127.0.0.1:PORT, for example
// for [Server.AddPluginHook]. It panics if the server is closed.
func (s *Server) Serve(handler http.Handler) (url string) {
	server, err := s.serve(handler)
	if err != nil {
		panic(fmt.Sprintf("crisptest: Serve: %v", err))
	}
	return server.url
}

// httpServer is a server at an address of its own on the network.
type httpServer struct {
	url  string // without a slash at the end
	path string // of the RTM API, if that is what is served
	http *http.Server
	done chan struct{} // closed when the accept loop has ended
}

// serve serves a handler at an address of its own.
func (s *Server) serve(handler http.Handler) (*httpServer, error) {
	return s.serveAt("", handler)
}

// serveAt is serve at a given address, unless that is empty.
func (s *Server) serveAt(addr string, handler http.Handler) (*httpServer, error) {
	l, err := s.network.listen(addr)
	if err != nil {
		return nil, err
	}
	server := &httpServer{
		url: "http://" + fromHere(l.Addr()),
		http: &http.Server{
			Handler:           s.tracked(handler),
			ReadHeaderTimeout: time.Minute,
			BaseContext:       func(net.Listener) context.Context { return s.ctx }, // handlers end with the server
			ConnContext:       rememberConn,
		},
		done: make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return nil, fmt.Errorf("the server is closed: %w", net.ErrClosed)
	}
	s.servers = append(s.servers, server)
	go server.run(l)
	return server, nil
}

// tracked makes Close wait for the handler.
func (s *Server) tracked(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			return
		}
		defer s.wg.Done()
		handler.ServeHTTP(w, r)
	})
}

// begin registers work that Close waits for, until s.wg.Done. It returns false if
// the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

func (h *httpServer) run(l net.Listener) {
	defer close(h.done)
	_ = h.http.Serve(l)
}

// drop closes a server that is no longer needed.
func (s *Server) drop(server *httpServer) {
	if server.shared() {
		return
	}
	server.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers = slices.DeleteFunc(s.servers, func(other *httpServer) bool { return other == server })
}

// close frees the address and ends its connections, except WebSockets.
func (h *httpServer) close() {
	_ = h.http.Close()
	<-h.done
}
