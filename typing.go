package crisp

import (
	"context"
	"log/slog"
	"time"
)

const (
	// typingInterval is how often it is told again that somebody types: often
	// enough for the indicator to stay.
	typingInterval = 10 * time.Second

	// typingPatience bounds each call: it is no use to tell of it late.
	typingPatience = 3 * time.Second
)

// Typing is middleware that shows the visitor that somebody is typing while
// handlers deal with a message of theirs, however that ends. Each message costs
// two REST calls, and one more for every ten seconds; if they fail, only the
// client's logger hears of it.
//
// Add it behind the middleware that decides whether a message is dealt with at
// all.
func Typing(client *Client) func(Handler) Handler {
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			message, ok := ev.(*MessageSend)
			if !ok || message.SessionID == "" {
				return next(ctx, ev)
			}
			stop := client.startTyping(ctx, message.Session())
			defer stop()
			return next(ctx, ev)
		}
	}
}

// startTyping tells that somebody types, until stop is called, which tells that
// nobody does.
func (c *Client) startTyping(ctx context.Context, ref SessionRef) (stop func()) {
	c.tellTyping(ctx, ref, ComposeStateStart)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.keepTyping(ctx, ref)
	}()
	return func() {
		cancel()
		<-ended
		// Whether the handler's time is up or not, the visitor should not wait.
		c.tellTyping(context.WithoutCancel(ctx), ref, ComposeStateStop)
	}
}

func (c *Client) keepTyping(ctx context.Context, ref SessionRef) {
	ticker := time.NewTicker(typingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.tellTyping(ctx, ref, ComposeStateStart)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Client) tellTyping(ctx context.Context, ref SessionRef, state ComposeState) {
	ctx, cancel := context.WithTimeout(ctx, typingPatience)
	defer cancel()
	if err := c.Compose(ctx, ref, Composing{State: state}); err != nil {
		c.logger.LogAttrs(ctx, slog.LevelDebug, "crisp: the typing indicator failed", slog.Any("error", err))
	}
}
