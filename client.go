package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/pace"
)

// Version is the version of this library, as the User-Agent header has it.
const Version = "0.1.0"

const (
	defaultBaseURL = "https://api.crisp.chat/v1/"

	// An HTTP/2 connection on which nothing came for pingAfter is sent a ping, and is given up
	// if that is not answered within pingTimeout.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second

	// maxIdleConns is how many connections are kept for the next calls.
	maxIdleConns = pace.MaxInFlight
)

// Client calls Crisp's REST API with one token, and opens RTM connections with it
// ([Client.NewRTM]). It is safe for use by several goroutines at once, and
// shares nothing with other clients.
type Client struct {
	token   func() Token // a function: however a Client is printed, fmt can't reach the key
	limiter *pace.Limiter
	told    *toldLimits   // see RateLimit
	sent    *sentMessages // see IgnoreSelf
	clock   *clock.Clock
	clientConfig
}

// Option changes a default of [New].
type Option func(*clientConfig) error

// clientConfig is what options set.
type clientConfig struct {
	baseURL   string // ends in a slash
	http      *http.Client
	userAgent string
	logger    *slog.Logger
}

// New makes a client. It checks the token and the options, and does no I/O:
// whether Crisp accepts the token shows at the first call.
func New(token Token, opts ...Option) (*Client, error) {
	token = token.trimmed()
	if err := token.validate(); err != nil {
		return nil, err
	}
	cfg := clientConfig{
		baseURL:   defaultBaseURL,
		userAgent: "crisp-go/" + Version,
		logger:    defaultLogger(),
	}
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return nil, err
		}
	}
	if cfg.http == nil {
		cfg.http = newHTTPClient()
	}
	cfg.http = withoutRedirects(cfg.http)
	return &Client{
		token:        func() Token { return token },
		limiter:      new(pace.Limiter),
		told:         new(toldLimits),
		sent:         newSentMessages(),
		clock:        clock.New(),
		clientConfig: cfg,
	}, nil
}

// WithBaseURL sets where the REST API is, with or without a slash at the end.
// The default is https://api.crisp.chat/v1/. Only a loopback host may do
// without TLS: any other http:// URL is [ErrInsecure].
func WithBaseURL(baseURL string) Option {
	return func(cfg *clientConfig) error {
		base, err := url.Parse(baseURL)
		// The URL is not quoted: it may hold somebody's password.
		if err != nil || base.Host == "" || base.User != nil || strings.ContainsAny(baseURL, "?#") {
			return errors.New("crisp: WithBaseURL: needs an absolute URL without credentials, query and fragment, such as " + defaultBaseURL)
		}
		if err := checkScheme(base, "https", "http"); err != nil {
			return fmt.Errorf("crisp: WithBaseURL: needs https://: %w", err)
		}
		cfg.baseURL = base.JoinPath("/").String()
		return nil
	}
}

// WithHTTPClient sets the HTTP client for REST calls and for the WebSocket's
// handshake. It is copied, never changed; the copy follows no redirects, so
// that credentials reach no other host. The default is a client of its own for
// each [Client], which honours the proxy settings of the environment. One of your
// own should set [http.Transport.HTTP2] with a SendPingTimeout, or calls may wait
// for minutes for a connection that died in silence.
func WithHTTPClient(client *http.Client) Option {
	return func(cfg *clientConfig) error {
		if client == nil {
			return errors.New("crisp: WithHTTPClient(nil): needs a client")
		}
		cfg.http = client
		return nil
	}
}

// WithUserAgent names your program in the User-Agent header, before this
// library's own name: WithUserAgent("mybot/2.1") sends
// "mybot/2.1 crisp-go/"+[Version].
func WithUserAgent(product string) Option {
	return func(cfg *clientConfig) error {
		notPrintable := func(r rune) bool { return r < ' ' || r > '~' }
		if strings.TrimSpace(product) == "" || strings.ContainsFunc(product, notPrintable) {
			return errors.New(`crisp: WithUserAgent: needs a product name in printable ASCII, such as "mybot/2.1"`)
		}
		cfg.userAgent = product + " crisp-go/" + Version
		return nil
	}
}

// WithLogger sets the logger for what happens behind the API: REST calls at debug level; RTM
// connections at info level; trouble that the library overcomes by itself, or that loses
// events, at warning level; and what ends [RTM.Run] at error level. Keys and payloads are never
// logged.
//
// The default is [slog.Default], for warnings and errors only, and for each thing at
// most once a minute: the attribute "suppressed" then says how often it happened
// meanwhile. For silence, give it slog.New([slog.DiscardHandler]).
func WithLogger(logger *slog.Logger) Option {
	return func(cfg *clientConfig) error {
		if logger == nil {
			return errors.New("crisp: WithLogger(nil): needs a logger; for silence, slog.New(slog.DiscardHandler)")
		}
		cfg.logger = slog.New(safeLog{logger.Handler()})
		return nil
	}
}

// safeLog is a user's slog.Handler whose panics don't reach the code that logs. They are logged
// by slog.Default, since the handler itself has just failed.
type safeLog struct{ slog.Handler }

func (l safeLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if v := recover(); v != nil {
			enabled = true // Handle will report it
		}
	}()
	return l.Handler.Enabled(ctx, level)
}

func (l safeLog) Handle(ctx context.Context, r slog.Record) error {
	err := callUser("the logger's handler", func() error { return l.Handler.Handle(ctx, r) })
	var failed *userCodeError
	if errors.As(err, &failed) {
		logUnheard(ctx, failed)
	}
	return err
}

func (l safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return safeLog{l.Handler.WithAttrs(attrs)}
}

func (l safeLog) WithGroup(name string) slog.Handler { return safeLog{l.Handler.WithGroup(name)} }

// newHTTPClient makes the default HTTP client; http.DefaultClient is shared by the whole process.
// It has no timeout: contexts bound the calls, and the WebSocket, whose connection stays open,
// uses this client, too.
func newHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
			return proxyRefusal(proxy.Host, answer.StatusCode)
		},
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          maxIdleConns,
		MaxIdleConnsPerHost:   maxIdleConns,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		// All calls share one connection over HTTP/2. If that dies in silence, nothing
		// else would end it, and each call would wait for it in vain.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}}
}

// proxyRefusal returns the error for a proxy that makes no connection. net/http's own has only
// the text of the status, such as "Forbidden", as if Crisp had said that.
func proxyRefusal(host string, status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("no connection by the proxy %s: status %d: %w", host, status, errProxy)
	}
	return fmt.Errorf("no connection by the proxy %s: status %d %s", host, status, http.StatusText(status))
}

// withoutRedirects returns a copy of an HTTP client that follows no redirects. Crisp sends none,
// and whoever does must get nothing: net/http would pass on the tier and the body, to a
// subdomain even the key, and would turn a POST into a GET.
func withoutRedirects(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// checkScheme accepts two URL schemes, the one without TLS for loopback hosts
// only.
func checkScheme(u *url.URL, secure, plain string) error {
	switch {
	case u.Scheme == secure, u.Scheme == plain && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == plain:
		return fmt.Errorf("%w: %s://%s", ErrInsecure, u.Scheme, shown(u.Host))
	default:
		return fmt.Errorf("the URL of host %.200q has the scheme %.20q, not %s", u.Host, u.Scheme, secure)
	}
}

// isLoopback reports whether a host is this machine, by its name or address alone: a name that
// merely resolves to a loopback address could resolve to another one tomorrow.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Tier returns the tier of the client's token.
func (c *Client) Tier() Tier { return c.token().Tier }

// CloseIdleConnections closes the connections that are kept for the next REST
// call. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }
