// Package receive takes events from web hooks.
package receive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/stream"
	"github.com/crisp-go/crisp/internal/secrets"
)

// Config says which web hooks to accept.
type Config struct {
	Path      string          // the only path; empty for any
	Signing   forward.Signing // the secrets of authentic web hooks
	NoVerify  bool            // accept web hooks from anybody
	Tolerance time.Duration   // greatest age of a signature; 0 for any
}

// Server passes web hooks on to a stream.
type Server struct {
	cfg     Config
	stream  *stream.Stream
	webhook *crisp.Webhook
	own     string          // secret with which requests are signed for NoVerify
	running context.Context // Serve's; ends the handling of events
}

// New makes a server.
func New(cfg Config, into *stream.Stream) (*Server, error) {
	s := &Server{cfg: cfg, stream: into}
	router := crisp.NewRouter(crisp.WithErrorHandler(s.trouble))
	router.OnAny(s.take)
	options := []crisp.WebhookOption{crisp.WithTolerance(cfg.Tolerance), crisp.WithSlowHandler(0)}
	if cfg.NoVerify {
		s.own = secrets.New()
		cfg.Signing = forward.Signing{Secret: s.own}
	}
	if cfg.Signing.Secret != "" {
		options = append(options, crisp.WithSigningSecrets(cfg.Signing.Secret))
	}
	if cfg.Signing.URLParam != "" {
		options = append(options, crisp.WithURLSecrets(cfg.Signing.URLParam, cfg.Signing.URLSecret))
	}
	var err error
	s.webhook, err = crisp.NewWebhook(router, options...)
	return s, err
}

// grace is how long open requests may go on after the end.
const grace = 5 * time.Second

// Serve accepts web hooks from a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.running = ctx
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // it would log connections that make no request
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // cuts off requests that are still incomplete
		}
	}()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		<-ended
		return nil
	}
	return err
}

// bodyKey is the key of the body in a request's context.
type bodyKey struct{}

// ServeHTTP handles a web hook, and answers as a crisp.Webhook does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Path != "" && r.URL.Path != s.cfg.Path {
		s.stream.Tell("answered 404: a request came to %s, but --path is %s", record.Excerpt(r.URL.Path, 200), s.cfg.Path)
		http.NotFound(w, r)
		return
	}
	if s.cfg.NoVerify && !s.authenticate(w, r) {
		return
	}
	body := new(bytes.Buffer)
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, body), r.Body}
	s.webhook.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, body)))
}

// authenticate signs a request for NoVerify, so that the webhook handles it like any
// other. If it returns false, it has answered the request with an error.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) bool {
	const most = 1 << 20
	if r.Method != http.MethodPost {
		return true // the webhook will refuse it
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		status := http.StatusBadRequest
		var exceeded *http.MaxBytesError
		if errors.As(err, &exceeded) {
			status = http.StatusRequestEntityTooLarge
		}
		s.stream.Tell("answered %d: reading the body: %s", status, err)
		http.Error(w, http.StatusText(status), status)
		return false
	}
	for name, values := range crisp.Sign(s.own, time.Now(), body) {
		r.Header[name] = values
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// take passes an authentic event on to the stream, until the request or Serve ends.
func (s *Server) take(ctx context.Context, ev crisp.Event) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	unlink := context.AfterFunc(s.running, func() { end(context.Cause(s.running)) })
	defer unlink()
	body := ctx.Value(bodyKey{}).(*bytes.Buffer)
	return s.stream.Event(ctx, record.FromHook(ev, body.Bytes()))
}

// trouble prints why a web hook was refused or failed.
func (s *Server) trouble(_ context.Context, err error) {
	var refused *crisp.WebhookError
	var handler *crisp.HandlerError
	var drift *crisp.DriftError
	switch {
	case errors.As(err, &refused):
		s.stream.Tell("answered %d: %s", refused.StatusCode, strings.TrimPrefix(refused.Err.Error(), "crisp: "))
	case errors.As(err, &handler) && handler.Stack == nil: // the stream said why
	case errors.As(err, &drift): // the event's line shows it
	default:
		s.stream.Tell("%s", strings.TrimPrefix(err.Error(), "crisp: "))
	}
}
