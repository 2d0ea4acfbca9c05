package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/examples/internal/fromenv"
)

const (
	// atATime is how many conversations are answered at a time.
	atATime = 8

	// saveInterval is what the bot may forget at most if it crashes.
	saveInterval = time.Minute

	// drainTimeout is how long answers may take that are due when the bot is
	// told to end.
	drainTimeout = 20 * time.Second

	// answerTimeout is how late an answer may be to a message that was missed
	// while the connection was lost.
	answerTimeout = 15 * time.Minute
)

// live answers visitors until ctx ends, then those who have written already.
func live(ctx context.Context, getenv func(string) string, path string) error {
	m, err := loadMemory(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	client, err := fromenv.Client(getenv)
	if err != nil {
		return err
	}
	b := newBot(client, m)
	var filter crisp.Filter
	if website := getenv("CRISP_WEBSITE_ID"); website != "" {
		filter.Rooms = []string{website}
	}
	rtm, err := client.NewRTM(b.router,
		crisp.WithConcurrency(atATime),
		crisp.WithFilter(filter),
		crisp.WithBackfill(crisp.Backfill{MaxAge: answerTimeout}),
		crisp.WithHooks(crisp.Hooks{
			Connected: func(c crisp.Connected) { slog.Info("connected", "endpoint", c.Endpoint) },
			Retrying:  func(r crisp.Retrying) { slog.Warn("connecting again", "in", r.Delay, "error", r.Err) },
		}),
	)
	if err != nil {
		return err
	}
	return errors.Join(b.run(ctx, rtm), b.save())
}

// run runs until ctx ends, and then finishes what has been received.
func (b *bot) run(ctx context.Context, rtm *crisp.RTM) error {
	ended := make(chan error, 1)
	// Run has a context of its own: the end of ctx is to drain, not to drop.
	go func() { ended <- rtm.Run(context.WithoutCancel(ctx)) }()
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
			if err := b.save(); err != nil {
				slog.Error("the state is not saved", "error", err)
			}
		case <-ctx.Done():
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	late := rtm.Shutdown(drain)
	if err := <-ended; !errors.Is(err, crisp.ErrClosed) { // also if it is late: Run has its last words
		return err
	}
	if late != nil {
		return fmt.Errorf("not everything was answered in time: %w", late)
	}
	return nil
}
