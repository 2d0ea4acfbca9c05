package crisp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// authTimeout is how long the server may take to answer the authentication.
// Its own patience with an unauthenticated client is about the same.
const authTimeout = 10 * time.Second

// session is an authenticated connection.
type session struct {
	conn     *socketio.Conn
	host     string
	since    time.Time
	lastLive time.Time // the last frame: nothing before it was missed
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

// connect makes an authenticated session, by an endpoint fetched for this
// attempt: Crisp moves them.
func (t *RTM) connect(ctx context.Context) (*session, error) {
	endpoints, err := t.fetchEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	s, err := t.open(ctx, endpoints.Socket.App)
	rescue := endpoints.Rescue.Socket.App
	if err == nil || rescue == "" || !rescuable(ctx, err) {
		return s, err
	}
	t.client.logger.Warn("crisp: RTM falls back to the rescue endpoint", "error", err)
	s, rescueErr := t.open(ctx, rescue)
	if rescueErr != nil {
		return nil, errors.Join(err, fmt.Errorf("rescue endpoint: %w", rescueErr))
	}
	return s, nil
}

// rescuable tells whether another endpoint could do better. Where the server
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
func (t *RTM) open(ctx context.Context, endpoint string) (*session, error) {
	host := hostOf(endpoint)
	conn, err := t.dial(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("crisp: RTM endpoint %s: %w", host, err)
	}
	if err := t.authenticate(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("crisp: RTM endpoint %s: %w", host, err)
	}
	return &session{conn: conn, host: host, since: time.Now(), lastLive: time.Now()}, nil
}

func (t *RTM) dial(ctx context.Context, endpoint string) (*socketio.Conn, error) {
	ctx, cancel := t.connectDeadline(ctx)
	defer cancel()
	return socketio.Dial(ctx, endpoint, socketio.Options{
		Version:    t.cfg.engineIO,
		HTTPClient: t.client.http,
		Header:     http.Header{"User-Agent": {t.client.userAgent}},
		ReadLimit:  t.cfg.readLimit,
		OnSkip:     t.skipped,
		OnWait:     t.delivery.flush,
	})
}

// skipped hears, on the reading goroutine, of packets that made no sense.
func (t *RTM) skipped(err error) {
	t.client.logger.Debug("crisp: RTM packet skipped", "error", err)
	notifySome(t.hooks, t.cfg.hooks.Skipped, err)
}

// authenticate sends the credentials with the subscription and waits for the
// answer. What follows the answer is left for the session to read.
func (t *RTM) authenticate(ctx context.Context, conn *socketio.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, authTimeout, ErrSilent)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	token, filter := t.client.token(), t.subscribe()
	err := conn.Emit(ctx, eventAuthentication, authenticationRequest{
		Tier:     token.Tier,
		Username: token.Identifier,
		Password: token.Key,
		Events:   filter.Events,
		Rooms:    filter.Rooms,
		Inboxes:  filter.Inboxes,
	})
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
	if errors.Is(err, ErrUnauthorized) {
		return err
	}
	return fmt.Errorf("closed during the authentication (refused credentials or too many connections can look so): %w", t.sessionError(err))
}

// controlEvent gives the error that a Socket.IO event tells of, if it does.
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
		return ErrUnauthorized
	}
	return fmt.Errorf("%w: the server says %.200q", ErrUnauthorized, answer.Message)
}

// hostOf is what errors and logs show of an endpoint.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "(not a URL)"
	}
	return u.Host
}
