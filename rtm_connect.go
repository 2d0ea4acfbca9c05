package crisp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// Endpoints says where a token connects to for realtime events. Crisp moves
// them: fetch them before each connection, as [RTM] does.
type Endpoints struct {
	Socket SocketEndpoints `json:"socket"`
	Rescue RescueEndpoints `json:"rescue,omitzero"`
}

// SocketEndpoints are URLs of the RTM API. Host, port and path count: the path
// is that of Socket.IO.
type SocketEndpoints struct {
	App    string `json:"app"`              // https or wss; of a loopback host also http or ws
	Stream string `json:"stream,omitempty"` // for other uses than events; empty if there is none
}

// RescueEndpoints are what to fall back to. Its App is empty if Crisp named
// none that is usable.
type RescueEndpoints struct {
	Socket SocketEndpoints `json:"socket"`
}

// ConnectEndpoints asks Crisp where to connect to for realtime events. An
// answer without a usable socket.app is an [*AnswerError], which matches
// [ErrInsecure] if the endpoint has no TLS and its host is not loopback. An
// endpoint on loopback is usable only if the base URL is on loopback, too, and
// none that has credentials is. An unusable rescue endpoint is left out. Other
// errors are those of [Client.Do], but Crisp is asked only once.
func (c *Client) ConnectEndpoints(ctx context.Context) (*Endpoints, error) {
	route := c.endpointsRoute()
	var raw json.RawMessage
	// Whoever connects decides about the next attempt, as RTM does.
	if err := c.do(ctx, policy{once: true}, http.MethodGet, route, nil, &raw); err != nil {
		return nil, err
	}
	endpoints := new(Endpoints)
	problems := decodeData(raw, endpoints.decode)
	if err := c.checkEndpoint(endpoints.Socket.App); err != nil {
		return nil, &AnswerError{
			Method:     http.MethodGet,
			Route:      route,
			StatusCode: http.StatusOK,
			Err:        cmp.Or(misreadEndpoint(problems), fmt.Errorf("socket.app: %w", err)),
		}
	}
	if err := c.checkEndpoint(endpoints.Rescue.Socket.App); err != nil {
		if endpoints.Rescue.Socket.App != "" {
			c.logger.LogAttrs(ctx, slog.LevelWarn, "crisp: the rescue endpoint is left out", slog.Any("error", err))
		}
		endpoints.Rescue = RescueEndpoints{}
	}
	return endpoints, nil
}

// misreadEndpoint returns which problem left socket.app without a value; nil if it was simply
// missing.
func misreadEndpoint(problems []FieldProblem) error {
	for _, p := range problems {
		if p.Path == "" || p.Path == "socket" || p.Path == "socket.app" {
			return fmt.Errorf("%s: wanted %s, got %s", cmp.Or(p.Path, "data"), p.Wanted, p.Got)
		}
	}
	return nil
}

func (c *Client) endpointsRoute() string {
	token := c.token()
	if token.Tier == TierWebsite {
		return "website/" + url.PathEscape(token.WebsiteID()) + "/connect/endpoints"
	}
	return string(token.Tier) + "/connect/endpoints"
}

// maxHost is how long a DNS name with a port can be.
const maxHost = 255 + len(":65535")

// checkEndpoint returns why a URL must not be connected to. The error quotes no more of it
// than the host.
func (c *Client) checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return errors.New("missing")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return errors.New("not an absolute URL")
	}
	if len(u.Host) > maxHost {
		return fmt.Errorf("a host name of %d bytes", len(u.Host))
	}
	if u.User != nil {
		return fmt.Errorf("the URL of host %s has credentials in it: the endpoint must be without", shown(u.Host))
	}
	if err := checkEndpointScheme(u); err != nil {
		return err
	}
	if isLoopback(u.Hostname()) && !c.onLoopback() {
		return errForeignLoopback(u)
	}
	return nil
}

// onLoopback reports whether the REST API is on this machine, as in a test.
func (c *Client) onLoopback() bool {
	base, err := url.Parse(c.baseURL)
	return err == nil && isLoopback(base.Hostname())
}

// errForeignLoopback is the error for an endpoint on this machine that a server elsewhere
// named: whatever listens there would get the credentials.
func errForeignLoopback(u *url.URL) error {
	err := fmt.Errorf("%s is this machine, but the base URL is not on loopback", shown(u.Host))
	if u.Scheme == "http" || u.Scheme == "ws" {
		return fmt.Errorf("%w: %w", ErrInsecure, err)
	}
	return err
}

func checkEndpointScheme(u *url.URL) error {
	if u.Scheme == "wss" || u.Scheme == "ws" {
		return checkScheme(u, "wss", "ws")
	}
	return checkScheme(u, "https", "http")
}

// hostOf is what errors and logs show of an endpoint.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "(not a URL)"
	}
	return shown(u.Host)
}

// authTimeout is how long the server may take to answer the authentication.
// Its own patience with an unauthenticated client is about the same.
const authTimeout = 10 * time.Second

// Socket.IO events that are not Crisp's events.
const (
	eventAuthentication = "authentication"
	eventAuthenticated  = "authenticated"
	eventUnauthorized   = "unauthorized"
)

// connection is an authenticated connection.
type connection struct {
	*socketio.Conn
	host     string    // of the endpoint, for logs
	since    time.Time // when it was authenticated
	lastLive time.Time // PassedOn of the last packet: nothing sent before was missed
}

// authenticationRequest is the argument of the authentication event.
type authenticationRequest struct {
	Tier     Tier     `json:"tier"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	Events   []string `json:"events"`
	Rooms    []string `json:"rooms,omitempty"`
	Inboxes  []string `json:"inboxes,omitempty"`
}

// connect makes an authenticated connection, to an endpoint fetched for this attempt, since
// Crisp moves them. If REST names none, the last one that it named may still be there.
// keepAlive is after how long without traffic something on the way cuts connections; 0 = not
// known.
func (t *RTM) connect(ctx context.Context, keepAlive time.Duration) (*connection, error) {
	endpoints, err := t.fetchEndpoints(ctx)
	if err == nil {
		t.endpoints = endpoints
		return t.openFor(ctx, endpoints, keepAlive)
	}
	if t.endpoints == nil || ctx.Err() != nil || fatal(err, true) {
		return nil, err
	}
	t.client.logger.Warn("crisp: RTM tries the endpoint that is known from before", slog.Any("error", err))
	c, staleErr := t.openFor(ctx, t.endpoints, keepAlive)
	if staleErr != nil {
		return nil, &staleEndpointError{fetch: err, connect: staleErr}
	}
	return c, nil
}

// openFor connects, and again with fewer rooms if Crisp refuses some.
func (t *RTM) openFor(ctx context.Context, endpoints *Endpoints, keepAlive time.Duration) (*connection, error) {
	for again := false; ; again = true {
		c, err := t.openAny(ctx, endpoints, keepAlive)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnauthorized) {
			return c, err
		}
		if err := t.leaveOutRooms(ctx, err, again); err != nil {
			return nil, err
		}
	}
}

// openAny connects to the endpoint, or else to the rescue endpoint.
func (t *RTM) openAny(ctx context.Context, endpoints *Endpoints, keepAlive time.Duration) (*connection, error) {
	c, err := t.open(ctx, endpoints.Socket.App, keepAlive)
	rescue := endpoints.Rescue.Socket.App
	if err == nil || rescue == "" || !rescuable(ctx, err) {
		return c, err
	}
	t.client.logger.Warn("crisp: RTM falls back to the rescue endpoint", "error", err)
	c, rescueErr := t.open(ctx, rescue, keepAlive)
	if rescueErr != nil {
		return nil, errors.Join(err, fmt.Errorf("rescue endpoint: %w", rescueErr))
	}
	return c, nil
}

// rescuable reports whether another endpoint could do better. Where the server
// has judged the credentials, it couldn't.
func rescuable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, ErrUnauthorized)
}

func (t *RTM) fetchEndpoints(ctx context.Context) (*Endpoints, error) {
	ctx, cancel := t.connectDeadline(ctx)
	defer cancel()
	return t.client.ConnectEndpoints(ctx)
}

func (t *RTM) connectDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.cfg.connectTimeout)
}

// open connects to an endpoint and authenticates.
func (t *RTM) open(ctx context.Context, endpoint string, keepAlive time.Duration) (*connection, error) {
	host := hostOf(endpoint)
	conn, err := t.dial(ctx, endpoint, keepAlive)
	if err != nil {
		return nil, fmt.Errorf("crisp: RTM endpoint %s: %w", host, err)
	}
	if err := t.authenticate(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("crisp: RTM endpoint %s: %w", host, err)
	}
	return &connection{Conn: conn, host: host, since: time.Now(), lastLive: conn.PassedOn()}, nil
}

func (t *RTM) dial(ctx context.Context, endpoint string, keepAlive time.Duration) (*socketio.Conn, error) {
	ctx, cancel := t.connectDeadline(ctx)
	defer cancel()
	var conn *socketio.Conn
	err := callUser("the HTTP client", func() (err error) {
		conn, err = socketio.Dial(ctx, endpoint, t.dialOptions(keepAlive))
		return err
	})
	return conn, err
}

func (t *RTM) dialOptions(keepAlive time.Duration) socketio.Options {
	return socketio.Options{
		Version:    t.cfg.engineIO,
		HTTPClient: t.client.http,
		Header:     http.Header{"User-Agent": {t.client.userAgent}},
		ReadLimit:  t.cfg.readLimit,
		KeepAlive:  keepAlive,
		OnSkip:     t.skipped,
		OnWait:     t.queue.Flush,
	}
}

// skipped reports, on the reading goroutine, a packet that made no sense.
func (t *RTM) skipped(s socketio.Skip) {
	t.client.logger.Debug("crisp: RTM packet skipped", "error", s.Reason, "event", s.Event)
	notifyIfShort(t.callbacks, t.cfg.hooks.Skipped, s.Reason)
	if s.Event {
		t.missedPacket()
	}
}

// authenticate sends the credentials with the subscription and waits for the answer. It reads
// nothing behind the answer: that may be events.
func (t *RTM) authenticate(ctx context.Context, conn *socketio.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, authTimeout, ErrSilent)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	token, filter := t.client.token(), t.subscription.forNewConnection()
	err := conn.Emit(ctx, eventAuthentication, authenticationRequest{
		Tier:     token.Tier,
		Username: token.Identifier,
		Password: token.Key,
		Events:   filter.Events,
		Rooms:    filter.Rooms,
		Inboxes:  filter.Inboxes,
	})
	err = subscriptionError(err)
	for err == nil {
		var ev socketio.Event
		if ev, err = conn.Next(); err != nil {
			break
		}
		if string(ev.Name) == eventAuthenticated {
			return nil
		}
		err = controlEvent(ev)
	}
	if cause := context.Cause(ctx); cause != nil { // why the connection was closed
		return cause
	}
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("closed during the authentication (refused credentials or too many connections can look so): %w", t.connectionError(err))
}

// controlEvent returns the error that a Socket.IO event reports; nil for any other event.
func controlEvent(ev socketio.Event) error {
	if string(ev.Name) == eventUnauthorized {
		return unauthorized(ev.Arg())
	}
	return nil
}

// unauthorized is ErrUnauthorized with the server's message, if it sent one as
// {message} or as a string.
func unauthorized(arg []byte) error {
	var answer struct{ Message string }
	if json.Unmarshal(arg, &answer) != nil {
		_ = json.Unmarshal(arg, &answer.Message) // neither: there is no message
	}
	if answer.Message == "" {
		return fmt.Errorf("%w: %s", ErrUnauthorized, adviceOnToken)
	}
	return &refusedAuthError{answer.Message}
}

// refusedAuthError is ErrUnauthorized with the server's message.
type refusedAuthError struct{ message string }

func (e *refusedAuthError) Error() string {
	return fmt.Sprintf("%v: the server says %.200q: %s", ErrUnauthorized, e.message, adviceOnToken)
}

func (e *refusedAuthError) Unwrap() error { return ErrUnauthorized }

// connectionError says in this package's terms why a connection ended.
func (t *RTM) connectionError(err error) error {
	if errors.Is(err, socketio.ErrTooLarge) {
		return fmt.Errorf("%w: a frame of more than %d bytes (WithReadLimit)", ErrTooLarge, t.cfg.readLimit)
	}
	return fmt.Errorf("crisp: %w", err)
}
