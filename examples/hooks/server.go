package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// handlerTimeout ends a handler before Crisp stops waiting for the answer.
	handlerTimeout = 8 * time.Second

	// drainTimeout is how long requests in progress may take when the program is
	// asked to stop.
	drainTimeout = 10 * time.Second
)

// newServer returns a server with the hooks beside other routes. Any framework
// that accepts an http.Handler will do as well. The tickets name conversations, and
// are for those who have the token; without one they are not served.
func newServer(d *desk, token string, opts ...crisp.WebhookOption) (*http.Server, error) {
	hooks, err := crisp.NewWebhook(d.router(), append(opts, crisp.WithHandlerTimeout(handlerTimeout))...)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/crisp", hooks)
	if token != "" {
		mux.Handle("GET /tickets", withToken(token, d.list))
	}
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
	}, nil
}

// withToken lets only requests through that have the token as Bearer. Where a request
// comes from tells nothing: behind a reverse proxy, all come from this machine.
func withToken(token string, next http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token)) // of one length, whatever is guessed
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the tickets need the token", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}

// serve serves until ctx ends, and then finishes the requests in progress.
func serve(ctx context.Context, server *http.Server, l net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("not everything was answered in time: %w", err), server.Close())
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// live serves the web hooks of the real Crisp until ctx ends.
func live(ctx context.Context, l net.Listener) error {
	client, err := crisp.NewFromEnv()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	server, err := newServer(&desk{client: client}, os.Getenv("TICKETS_TOKEN"), secrets()...)
	if err != nil {
		return fmt.Errorf("%w (CRISP_SIGNING_SECRET and CRISP_URL_SECRET set them)", err)
	}
	return serve(ctx, server, l)
}

// secrets returns the options for the secrets that are in the environment.
func secrets() (opts []crisp.WebhookOption) {
	if secret := os.Getenv("CRISP_SIGNING_SECRET"); secret != "" {
		opts = append(opts, crisp.WithSigningSecrets(secret))
	}
	if secret := os.Getenv("CRISP_URL_SECRET"); secret != "" {
		opts = append(opts, crisp.WithURLSecrets("key", secret))
	}
	return opts
}
