package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/crisp-go/crisp"
)

// drainTimeout is how long handlers may take to finish after Ctrl-C.
const drainTimeout = 10 * time.Second

// live prints events of the real Crisp until ctx ends.
func live(ctx context.Context, w io.Writer, hooksAddr string) error {
	p := newPrinter(w)
	router := p.router()
	p.others(router)
	client, err := crisp.NewFromEnv()
	if err != nil {
		return err
	}
	rtm, err := client.NewRTM(router, crisp.WithHooks(p.hooks()), crisp.WithDrainTimeout(drainTimeout))
	if err != nil {
		return err
	}
	stopHooks, err := serveHooks(router, p, os.Getenv("CRISP_SIGNING_SECRET"), hooksAddr)
	if err != nil {
		return err
	}
	defer stopHooks()

	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not handled in time", n)
	}
	return nil
}

// serveHooks serves web hooks at an address, or does nothing if it is empty.
func serveHooks(router *crisp.Router, p *printer, secret, addr string) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	handler, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		return nil, fmt.Errorf("-hooks needs CRISP_SIGNING_SECRET: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("-hooks: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	p.note("web hooks are served at %s", listener.Addr())
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.note("web hooks: %v", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		_ = server.Shutdown(ctx)
	}, nil
}
