package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// concurrency is how many conversations are routed at a time.
	concurrency = 8

	// drainTimeout is how long the program may take, when it is asked to stop, to route
	// what it has received.
	drainTimeout = 10 * time.Second
)

// live routes the conversations of a website until ctx ends. What visitors said while
// it did not run is found by its position, which a file has.
func live(ctx context.Context, client *crisp.Client, websiteID string, rules []rule, position string) error {
	r := newRouting(client, websiteID, rules)
	if err := r.desk.check(ctx, rules); err != nil {
		return err
	}
	return r.run(ctx, r.router(),
		crisp.WithFilter(crisp.Filter{Rooms: []string{websiteID}}),
		crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithPosition(crisp.FilePosition(position)),
		crisp.WithHooks(crisp.Hooks{
			Connected: func(c crisp.Connected) { slog.Info("connected", "endpoint", c.Endpoint) },
			Retrying:  func(r crisp.Retrying) { slog.Warn("connecting again", "in", r.Delay, "error", r.Err) },
		}),
	)
}

// run routes conversations until ctx ends, and then what has been received.
func (r *routing) run(ctx context.Context, router *crisp.Router, opts ...crisp.RTMOption) error {
	rtm, err := r.client.NewRTM(router, append(opts,
		crisp.WithConcurrency(concurrency), crisp.WithDrainTimeout(drainTimeout))...)
	if err != nil {
		return err
	}
	resolving, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { r.keepResolving(resolving) })
	defer done.Wait()
	defer stop()
	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not handled in time", n)
	}
	return nil
}
