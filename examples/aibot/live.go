package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// concurrency is how many conversations are answered at a time. Each waits for the
	// model most of the time.
	concurrency = 64

	// settle is how long the visitor is let to add something: many write in bursts, and
	// each beginning of an answer costs.
	settle = time.Second

	// saveInterval is the most that the bot forgets if it crashes.
	saveInterval = time.Minute

	// drainTimeout is how long the bot may take to answer what it has received when it
	// is asked to stop.
	drainTimeout = 30 * time.Second

	// maxAge is the age up to which messages are still answered that were missed while
	// there was no connection.
	maxAge = 15 * time.Minute
)

// live answers visitors until ctx ends, and then what has been received by then.
func live(ctx context.Context, path string) error {
	saved, err := loadState(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	client, err := crisp.NewFromEnv()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	m, err := modelFromEnv(slog.Default())
	if err != nil {
		return err
	}
	defer m.http.CloseIdleConnections()
	s, err := settingsFromEnv()
	if err != nil {
		return err
	}
	b := newBot(client, m, s, saved)
	var filter crisp.Filter
	if website := os.Getenv("CRISP_WEBSITE_ID"); website != "" {
		filter.Rooms = []string{website}
	}
	rtm, err := client.NewRTM(b.router,
		crisp.WithConcurrency(concurrency),
		crisp.WithDrainTimeout(drainTimeout),
		crisp.WithFilter(filter),
		crisp.WithAutoRebind(),
		crisp.WithBackfill(crisp.Backfill{MaxAge: maxAge}),
		crisp.WithHooks(crisp.Hooks{
			Connected: func(c crisp.Connected) { slog.Info("connected", "endpoint", c.Endpoint) },
			Retrying:  func(r crisp.Retrying) { slog.Warn("connecting again", "in", r.Delay, "error", r.Err) },
		}),
	)
	if err != nil {
		return err
	}
	return errors.Join(b.run(ctx, rtm, path), b.save(path))
}

// run runs the bot until ctx ends, and then answers what has been received. The client
// needs a drain timeout for that. The state is saved now and then, unless path is empty.
func (b *bot) run(ctx context.Context, rtm *crisp.RTM, path string) error {
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(ctx) }()
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if path == "" {
				continue
			}
			if err := b.save(path); err != nil {
				b.log.Error("the state is not saved", "error", err)
			}
		case err := <-ended:
			if ctx.Err() == nil {
				return err
			}
			if n := rtm.Stats().Dropped; n > 0 {
				return fmt.Errorf("%d events were not answered in time", n)
			}
			return nil
		}
	}
}
