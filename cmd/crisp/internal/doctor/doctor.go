// Package doctor finds out why a program does not get Crisp's events. It checks each
// step on their way, from the credentials to the handler of a web hook, and reports
// what it saw and what to do.
package doctor

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/credentials"
	"github.com/crisp-go/crisp/internal/socketio"
)

// Config says what to look at.
type Config struct {
	Credentials    credentials.Credentials
	CredentialsErr error    // why there are none
	Events         []string // names of the wanted events; empty if the user named none
	Websites       []string // identifiers of the wanted websites; empty for all that the token sees

	// Hook is the URL of a web hook to try; empty for none. Its handlers run.
	Hook string
	// Effect returns something that changes whenever the hook's handlers run, such as
	// the number of rows that they have written. It may be nil.
	Effect func(context.Context) (string, error)

	// HeartbeatFor bounds the wait for the server's heartbeat. Zero means as long as the
	// server's interval requires, but a minute at most.
	HeartbeatFor time.Duration

	Network Network
	Limits  Limits
	// Note announces waits that take long. It may be nil.
	Note func(format string, args ...any)
	// Getenv looks up the proxy settings of the environment. It may be nil.
	Getenv func(string) string
}

// Network says how to connect to servers.
type Network struct {
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	Proxy     func(*http.Request) (*url.URL, error)
	Transport *http.Transport // for other settings, such as TLSClientConfig; may be nil
}

// Limits bound the parts of an examination. Zero values mean the defaults, given here.
type Limits struct {
	REST           time.Duration // for an answer of the REST API; 15 s
	Connect        time.Duration // for a connection, until its session is open; 20 s
	Authentication time.Duration // for the answer to the authentication; 10 s
	HookAnswer     time.Duration // for the answer of a web hook; 10 s
	HookSlow       time.Duration // for the answer of a web hook before it counts as slow; 3 s
	Tolerance      time.Duration // between the clocks, as for web hooks' signatures; 5 min
	EffectSettles  time.Duration // until an effect of a hook shows; 2 s
}

func (l Limits) withDefaults() Limits {
	for limit, usual := range map[*time.Duration]time.Duration{
		&l.REST:           15 * time.Second,
		&l.Connect:        20 * time.Second,
		&l.Authentication: 10 * time.Second,
		&l.HookAnswer:     10 * time.Second,
		&l.HookSlow:       3 * time.Second,
		&l.Tolerance:      5 * time.Minute,
		&l.EffectSettles:  2 * time.Second,
	} {
		if *limit == 0 {
			*limit = usual
		}
	}
	return l
}

// Check is one step of an examination.
type Check struct {
	ID    string   // such as "endpoint.reach"
	About string   // what it checks
	needs []string // IDs of checks; it is skipped if one of them is wrong or skipped
	run   func(*examination, context.Context) Finding
}

// Checks are all checks, in the order in which they are made.
func Checks() []Check {
	return slices.Concat(setupChecks, restChecks, rightsChecks, socketChecks, hookChecks)
}

// examination is one run of the checks, and what they learn for each other.
type examination struct {
	Config
	witness *witness
	client  *crisp.Client // nil if the credentials are malformed

	endpoints *crisp.Endpoints // what the REST API answered
	fetchErr  error            // why it did not answer that

	installed []string // websites that have installed the plugin, maxListed at most

	conn    *socketio.Conn // nil without a session
	connErr error          // why there is no session
	reading sync.WaitGroup // the goroutine that reads conn

	hook *hook

	outcome map[string]Status // by the check's ID
}

// checks returns the checks to make: those of a web hook only if there is one.
func (c *Config) checks() []Check {
	if c.Hook == "" {
		return slices.Concat(setupChecks, restChecks, rightsChecks, socketChecks)
	}
	return Checks()
}

// Run makes the checks and calls report with the finding of each, until ctx ends. It
// leaves out those of a web hook if config has none.
func Run(ctx context.Context, config Config, report func(Finding)) {
	e := newExamination(config)
	defer e.close()
	for _, check := range config.checks() {
		if ctx.Err() != nil {
			return
		}
		finding := e.examine(ctx, check)
		if ctx.Err() != nil {
			return // the finding would only show that ctx ended
		}
		finding.Check = check.ID
		e.outcome[check.ID] = finding.Status
		report(finding)
	}
}

func newExamination(config Config) *examination {
	e := &examination{Config: config, outcome: make(map[string]Status)}
	e.Limits = e.Limits.withDefaults()
	if e.Getenv == nil {
		e.Getenv = func(string) string { return "" }
	}
	if e.Note == nil {
		e.Note = func(string, ...any) {}
	}
	e.witness = &witness{next: e.Network.transport()}
	return e
}

func (e *examination) examine(ctx context.Context, check Check) Finding {
	for _, need := range check.needs {
		if status := e.outcome[need]; status == Wrong || status == Skipped {
			return skipped("needs %s", need)
		}
	}
	return check.run(e, ctx)
}

func (e *examination) close() {
	if e.conn != nil {
		_ = e.conn.Close()
	}
	e.reading.Wait()
	e.witness.next.CloseIdleConnections()
}

// transport returns what requests are sent with.
func (n Network) transport() *http.Transport {
	transport := &http.Transport{}
	if n.Transport != nil {
		transport = n.Transport.Clone()
	}
	transport.Proxy = n.Proxy
	transport.OnProxyConnectResponse = refusedByProxy
	transport.DialContext = n.dial
	transport.ForceAttemptHTTP2 = true
	transport.TLSHandshakeTimeout = 10 * time.Second
	return transport
}

func (n Network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if n.Dial != nil {
		return n.Dial(ctx, network, addr)
	}
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
}

// httpClient returns a client that follows no redirects, so that credentials reach
// nobody else.
func (e *examination) httpClient() *http.Client {
	return &http.Client{
		Transport:     e.witness,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// short returns the part of an identifier that is shown.
func short(id string) string {
	const most = 8
	if len(id) <= most {
		return id
	}
	return id[:most] + "…"
}

// join joins names for a sentence. It leaves out the rest if there are many.
func join(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", …"
}
