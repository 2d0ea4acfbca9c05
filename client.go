package crisp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Version is the version of this library, as the User-Agent header gives it.
const Version = "0.1.0"

const (
	defaultBaseURL = "https://api.crisp.chat/v1/"

	// A REST call whose context has no deadline has answerTimeout for its answer,
	// each time that it is sent. It is sent again for callPatience. One that was not
	// sent yet waits for its turn as long as others of the client are accepted:
	// until none was for callPatience.
	answerTimeout = 30 * time.Second
	callPatience  = time.Minute

	// maxAnswer bounds what is read of an answer to a REST call.
	maxAnswer = 16 << 20

	// An HTTP/2 connection on which nothing came for pingAfter is asked for a sign of
	// life, and is given up pingTimeout later.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second

	// maxIdleConns is how many connections are kept for the next calls.
	maxIdleConns = 16
)

// Client calls Crisp's REST API with one token, and opens RTM sessions with it
// ([Client.NewRTM]). It is safe for use by several goroutines at once, and
// shares nothing with other clients.
type Client struct {
	token   func() Token // a function: however a Client is printed, fmt can't reach the key
	limiter *limiter
	sent    *sent
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
	if err := token.validate(); err != nil {
		return nil, err
	}
	cfg := clientConfig{
		baseURL:   defaultBaseURL,
		userAgent: "crisp-go/" + Version,
		logger:    slog.New(slog.DiscardHandler),
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
	return &Client{token: func() Token { return token }, limiter: new(limiter), sent: newSent(), clientConfig: cfg}, nil
}

// WithBaseURL sets where the REST API is, with or without a slash at the end.
// The default is https://api.crisp.chat/v1/. Only a loopback host may do
// without TLS: any other http:// URL is [ErrInsecure].
func WithBaseURL(baseURL string) Option {
	return func(cfg *clientConfig) error {
		base, err := url.Parse(baseURL)
		// The URL is not quoted: it may hold somebody's password.
		if err != nil || base.Host == "" || base.User != nil || strings.ContainsAny(baseURL, "?#") {
			return errors.New("crisp: WithBaseURL needs an absolute URL without credentials, query and fragment, such as " + defaultBaseURL)
		}
		if err := checkScheme(base, "https", "http"); err != nil {
			return fmt.Errorf("crisp: WithBaseURL: %w", err)
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
			return errors.New("crisp: WithHTTPClient needs a client, not nil")
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
			return errors.New(`crisp: WithUserAgent needs a product name in printable ASCII, such as "mybot/2.1"`)
		}
		cfg.userAgent = product + " crisp-go/" + Version
		return nil
	}
}

// WithLogger sets the logger for what happens behind the API: REST calls at
// debug level, RTM sessions at info level, trouble that the library gets over
// by itself at warning level, what ends [RTM.Run] at error level. Keys and
// payloads are never logged. The default is silence.
func WithLogger(logger *slog.Logger) Option {
	return func(cfg *clientConfig) error {
		if logger == nil {
			return errors.New("crisp: WithLogger needs a logger, not nil")
		}
		cfg.logger = logger
		return nil
	}
}

// newHTTPClient is not http.DefaultClient, which the whole process shares.
// What bounds a call is its context, not a timeout here: the WebSocket's
// handshake uses this client too, and its connection stays open.
func newHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
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

// withoutRedirects copies an HTTP client. Crisp redirects no call, and whoever
// does must get nothing of it: net/http would pass on the tier and the body,
// to a subdomain even the key, and would turn a POST into a GET.
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
		return fmt.Errorf("%w: %s://%s", ErrInsecure, u.Scheme, u.Host)
	default:
		return fmt.Errorf("the URL of host %q has the scheme %q, not %s", u.Host, u.Scheme, secure)
	}
}

// isLoopback goes by the name alone: a name that only resolves to a loopback
// address could resolve to another one tomorrow.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// CloseIdleConnections closes the connections that are kept for the next REST
// call. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Do calls any route of the REST API. The path is relative to the base URL and
// may have a query, both escaped: "website/"+id+"/conversations/1?per_page=20".
// A path with an empty element, which is what a missing identifier leaves
// behind, is refused.
//
// Unless it is nil, in is sent as JSON, and out is a pointer that gets the
// "data" of the answer (a *[json.RawMessage] gets them as they are).
//
// A refusal by Crisp is an [*APIError], an answer that can't be used an
// [*AnswerError]. Errors quote neither what was sent nor what was answered.
// Redirects are not followed.
//
// A call that is refused for the rate (429, 420) is sent again when Crisp or
// the client's own pace allows, which all calls of a client keep together. GET
// and HEAD are sent again if the network or the server fails, other methods
// only with a context from [Idempotent]. All that ends with the context: a call
// does not wait for a pause that its deadline rules out. Without a deadline, each
// sending has 30 seconds to be answered, a call that was refused or failed is
// sent again within a minute, and one that is not sent yet waits for its turn as
// long as others are accepted, or a minute.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	return c.do(ctx, c.send, method, path, in, out)
}

// do makes a call in the way of send.
func (c *Client) do(ctx context.Context, send func(context.Context, *call) (*answer, error), method, path string, in, out any) error {
	call, err := c.newCall(method, path, in)
	if err != nil {
		return err
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return fmt.Errorf("crisp: %s: out must be a pointer or nil, not %T", call, out)
	}
	if _, ok := ctx.Deadline(); !ok {
		call.timeout, call.patience = answerTimeout, callPatience
	}
	answer, err := send(ctx, call)
	if err != nil {
		return err
	}
	return answer.decode(out)
}

// call is a REST call, ready to be sent any number of times.
type call struct {
	method   string
	route    string // the path below the base URL, without query: what errors show
	url      string
	body     []byte        // nil = none
	timeout  time.Duration // of each sending; 0 = none of its own
	patience time.Duration // see callPatience; 0 = it waits as long as its context lasts
	allowed  func() error  // asked before each sending, unless it is nil
}

// String names the call in errors.
func (c *call) String() string { return c.method + " " + c.route }

// allow asks whether the call may be sent once more.
func (c *call) allow() error {
	if c.allowed == nil {
		return nil
	}
	return c.allowed()
}

func (c *Client) newCall(method, path string, in any) (*call, error) {
	if method == "" {
		return nil, errors.New("crisp: a REST call needs an HTTP method")
	}
	path = strings.TrimPrefix(path, "/")
	route, _, _ := strings.Cut(path, "?")
	if err := checkPath(path, route); err != nil {
		return nil, err
	}
	call := &call{method: method, route: route, url: c.baseURL + path}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("crisp: %s: the body can't be made JSON: %w", call, err)
		}
		call.body = body
	}
	// What can be wrong with a request shows now, not as a failure to send it.
	if _, err := c.newRequest(context.Background(), call); err != nil {
		return nil, err
	}
	return call, nil
}

// checkPath refuses what would lead away from the base URL or to another route
// than the one that was meant.
func checkPath(path, route string) error {
	plain, err := url.PathUnescape(route)
	switch {
	case strings.Contains(route, "://"):
		return errors.New("crisp: the path of a REST call is relative to the base URL, not a URL: see WithBaseURL")
	case err != nil:
		return fmt.Errorf("crisp: the path of a REST call is not escaped: %w", err)
	case strings.ContainsFunc(path, needsEscape):
		return errors.New("crisp: the path of a REST call has a character that must be escaped: use url.PathEscape and url.Values.Encode")
	case slices.Contains(strings.Split(route, "/"), ""):
		return fmt.Errorf("crisp: the path %q of a REST call has an empty element: is an identifier missing?", route)
	}
	for element := range strings.SplitSeq(plain, "/") {
		if element == "." || element == ".." {
			return fmt.Errorf("crisp: the path %q of a REST call has a dot element", route)
		}
	}
	return nil
}

func needsEscape(r rune) bool {
	return r <= ' ' || r > '~' || r == '#' || r == '\\'
}

// sendOnce sends a call once and reads its answer.
func (c *Client) sendOnce(ctx context.Context, call *call) (*answer, error) {
	if call.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.timeout)
		defer cancel()
	}
	req, err := c.newRequest(ctx, call)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: %w", call, withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }() // it was read; there is nothing to lose
	now := time.Now()
	c.logger.LogAttrs(ctx, slog.LevelDebug, "crisp: REST call",
		slog.String("method", call.method), slog.String("route", call.route),
		slog.Int("status", resp.StatusCode), slog.Duration("took", now.Sub(start)))
	c.limiter.hear(resp.Header, now)

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: reading the answer: %w", call, err)
	}
	return &answer{call: call, status: resp.StatusCode, header: resp.Header, body: body, at: now}, nil
}

func (c *Client) newRequest(ctx context.Context, call *call) (*http.Request, error) {
	var body io.Reader
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, call.url, body)
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: %w", call, withoutURL(err))
	}
	token := c.token()
	req.SetBasicAuth(token.Identifier, token.Key)
	req.Header.Set("X-Crisp-Tier", string(token.Tier))
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// withoutURL takes net/http's wrapping off an error: it quotes the URL, and
// what a query holds should stay out of logs.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
