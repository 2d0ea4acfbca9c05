package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// concurrency is how many conversations are answered at a time.
	concurrency = 8

	// drainTimeout is how long the program may take, when it is asked to stop, to answer
	// what it has received.
	drainTimeout = 10 * time.Second

	// loadTimeout is how long the list of websites may take, while events wait for it.
	loadTimeout = 30 * time.Second
)

// live greets visitors of the real Crisp until ctx ends.
func live(ctx context.Context, health string) error {
	client, err := crisp.NewFromEnv()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	g := &greeter{client: client}
	rtm, err := g.rtm(ctx, g.router())
	if err != nil {
		return err
	}
	stopHealth, err := serveHealth(rtm, health)
	if err != nil {
		return err
	}
	defer stopHealth()
	return run(ctx, rtm)
}

// rtm returns the RTM client of the greeter.
func (g *greeter) rtm(ctx context.Context, router *crisp.Router) (*crisp.RTM, error) {
	return g.client.NewRTM(router,
		crisp.WithConcurrency(concurrency),
		crisp.WithAutoRebind(),
		crisp.WithDrainTimeout(drainTimeout),
		crisp.WithHooks(crisp.Hooks{
			// There were no events for installs and removals before the connection. New
			// events wait until this returns.
			Connected: func(crisp.Connected) {
				ctx, cancel := context.WithTimeout(ctx, loadTimeout)
				defer cancel()
				if err := g.load(ctx); err != nil {
					slog.Error("the websites could not be listed", "error", err)
				}
			},
		}),
	)
}

// run runs the client until ctx ends, and then answers what has been received.
func run(ctx context.Context, rtm *crisp.RTM) error {
	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not handled in time", n)
	}
	return nil
}

// serveHealth serves /healthz and /readyz at an address, or does nothing if it is empty.
func serveHealth(rtm *crisp.RTM, address string) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-health: %w", err)
	}
	server := &http.Server{Handler: crisp.HealthHandler(rtm), ReadHeaderTimeout: 5 * time.Second}
	slog.Info("health is served", "address", l.Addr().String())
	go func() { _ = server.Serve(l) }() // until it is closed
	return func() { _ = server.Close() }, nil
}
