package crisptest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// WebsiteID is the website of the samples, of the website token that a server
// makes, and of visitors that are given no other.
const WebsiteID = "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"

// TB is the part of [testing.TB] that [NewServer] needs. Every *testing.T, *B
// and *F has it; being an interface of its own keeps package testing, and its
// command line flags, out of programs that use [Start].
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a Crisp of its own: REST, RTM and web hooks. All methods are safe
// to call from any goroutine.
type Server struct {
	config
	client  *http.Client // over the server's network
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup // requests and hooks in progress
	changes broadcast      // something that waiters look at has changed

	rest    *site
	mux     *http.ServeMux          // of REST
	custom  *http.ServeMux          // of REST, by HandleREST
	tiers   map[string][]crisp.Tier // by event name; events without an entry are for all
	rtmOnly []string                // events that never come by web hook

	mu          sync.Mutex // guards what follows; never held while user code runs
	closed      bool
	sites       []*site
	rtm         *site // where RTM is now
	engines     map[*engine]struct{}
	sessions    []*session // open, oldest first
	past        []Session
	binds       []Bind
	requests    []Request
	deliveries  []Delivery
	handled     []Handled
	subscribers []*subscriber
	model       model
	faults      faults
}

// NewServer starts a server for a test, which ends with it. A failure to start
// fails the test at once.
func NewServer(tb TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Start(opts...)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start starts a server outside tests: for examples and demonstrations. Close
// ends it. It fails if an option is wrong or if the loopback interface can't
// be listened on.
func Start(opts ...Option) (*Server, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:  c,
		custom:  http.NewServeMux(),
		tiers:   tiersByEvent(),
		rtmOnly: rtmOnlyEvents(),
		engines: make(map[*engine]struct{}),
	}
	s.mux = s.restRoutes()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.client = &http.Client{Transport: &http.Transport{DialContext: c.network.dial}}
	if s.rtm, err = s.openRTM(); err == nil { // REST tells of it from its first request on
		s.rest, err = s.serve(http.HandlerFunc(s.serveREST))
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

// Close ends the server, its sessions and its deliveries, and waits until all
// of its goroutines are gone. Closing twice does no harm.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	sites, engines := s.sites, slices.Collect(maps.Keys(s.engines))
	s.mu.Unlock()

	s.stop()
	for _, site := range sites {
		site.close()
	}
	for _, e := range engines {
		e.cut()
	}
	s.client.CloseIdleConnections()
	s.wg.Wait()
}

// URL is the base of the REST API, as [crisp.WithBaseURL] takes it:
// http://127.0.0.1:PORT/v1/.
func (s *Server) URL() string { return s.rest.url + "/v1/" }

// Token is a token that the server accepts: one of tier plugin unless
// [WithTier] or [WithToken] say otherwise.
func (s *Server) Token() crisp.Token { return s.tokens[0] }

// TokenFor is the token of that tier that the server accepts. It panics if
// there is no such tier.
func (s *Server) TokenFor(tier crisp.Tier) crisp.Token {
	for _, token := range s.tokens {
		if token.Tier == tier {
			return token
		}
	}
	panic(fmt.Sprintf("crisptest: TokenFor: no tier %q", tier))
}

// SigningSecret is the secret that plugin web hooks are signed with.
func (s *Server) SigningSecret() string { return s.signingSecret }

// now is the server's clock, as the wire tells it; s.mu is held.
func (s *Server) now() time.Time { return time.Now().Add(s.faults.skew) }

// HTTPClient reaches the server over its network, also if that is in memory,
// and nothing else then. Its connections end with the server.
func (s *Server) HTTPClient() *http.Client { return s.client }

// Client is a client of this server, with [Server.Token]. It panics if an
// option is wrong.
func (s *Server) Client(opts ...crisp.Option) *crisp.Client {
	all := append([]crisp.Option{crisp.WithBaseURL(s.URL()), crisp.WithHTTPClient(s.client)}, opts...)
	c, err := crisp.New(s.Token(), all...)
	if err != nil {
		panic(fmt.Sprintf("crisptest: Client: %v", err))
	}
	return c
}

// Serve puts a handler of the program under test on the server's network, and
// gives its URL, http://127.0.0.1:PORT, for example for [Server.PostHook]. It
// ends with the server. It panics if the server is closed.
func (s *Server) Serve(handler http.Handler) (url string) {
	site, err := s.serve(handler)
	if err != nil {
		panic(fmt.Sprintf("crisptest: Serve: %v", err))
	}
	return site.url
}

// site is one address of the server's network.
type site struct {
	url  string // without a slash at the end
	path string // of RTM
	http *http.Server
	done chan struct{} // closed when the accept loop has ended
}

func (s *Server) serve(handler http.Handler) (*site, error) {
	l, err := s.network.listen()
	if err != nil {
		return nil, err
	}
	site := &site{
		url: "http://" + l.Addr().String(),
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
	s.sites = append(s.sites, site)
	go site.run(l)
	return site, nil
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

// begin announces work that Close waits for; false once the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// openRTM starts RTM at an address of its own. Crisp's path is not
// /socket.io/ either, and changes.
func (s *Server) openRTM() (*site, error) {
	path := "/rtm/" + strings.ToLower(rand.Text()[:8]) + "/"
	mux := http.NewServeMux()
	mux.HandleFunc(path+"{$}", s.serveRTM)
	site, err := s.serve(mux)
	if err != nil {
		return nil, err
	}
	site.path = path
	return site, nil
}

// rtmURL is the endpoint's URL, as REST tells it.
func (site *site) rtmURL() string { return site.url + site.path }

func (site *site) run(l net.Listener) {
	defer close(site.done)
	_ = site.http.Serve(l)
}

// close frees the address and ends its connections, except those that RTM
// sessions took over.
func (site *site) close() {
	_ = site.http.Close()
	<-site.done
}
