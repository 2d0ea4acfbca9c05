package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// printer writes a line for each event, and lets others wait for events.
type printer struct {
	mu     sync.Mutex // guards what follows
	w      io.Writer
	events int           // how many were written
	more   chan struct{} // closed at the next event
}

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, more: make(chan struct{})}
}

// note writes a line about something other than an event.
func (p *printer) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// event writes a line with the event's name and what it says.
func (p *printer) event(ev crisp.Event, says string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "  %-8s %-24s %s\n", ev.EventMeta().Source, ev.EventName(), says)
	p.events++
	close(p.more)
	p.more = make(chan struct{})
	return nil
}

// wait waits until n events have been written in total.
func (p *printer) wait(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		events, more := p.events, p.more
		p.mu.Unlock()
		if events >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("waiting for event %d of %d: %w", events+1, n, context.Cause(ctx))
		}
	}
}

// router returns a router with typed handlers for the events of a conversation.
// The handlers are the same for both transports.
func (p *printer) router() *crisp.Router {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) {
		p.note("  reported: %v", err)
	}))
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		return p.event(ev, fmt.Sprintf("visitor %s: %s", ev.User.Nickname, describe(ev.Content)))
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageReceived) error {
		return p.event(ev, fmt.Sprintf("operator %s: %s", ev.User.Nickname, describe(ev.Content)))
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageComposeSend) error {
		return p.event(ev, fmt.Sprintf("typing: %s %q", ev.Type, ev.Excerpt))
	})
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetNickname) error {
		return p.event(ev, fmt.Sprintf("the visitor is called %s", ev.Nickname))
	})
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetState) error {
		return p.event(ev, fmt.Sprintf("the conversation is %s", ev.State))
	})
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSyncRating) error {
		return p.event(ev, fmt.Sprintf("rated %d of 5: %q", ev.Rating.Stars, ev.Rating.Comment))
	})
	return router
}

// others makes the router also print the events for which it has no typed handler,
// including unknown ones, with their fields as JSON.
func (p *printer) others(router *crisp.Router) {
	typed := router.EventNames()
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		if slices.Contains(typed, ev.EventName()) {
			return nil
		}
		fields, err := json.Marshal(ev)
		if err != nil {
			return err
		}
		return p.event(ev, string(fields))
	})
}

// describe returns a short description of a message's content.
func describe(content crisp.Content) string {
	switch c := content.(type) {
	case crisp.TextContent:
		return fmt.Sprintf("%q", string(c))
	case crisp.NoteContent:
		return fmt.Sprintf("note %q", string(c))
	case *crisp.FileContent:
		return fmt.Sprintf("file %s (%s)", c.Name, c.Type)
	case *crisp.PickerContent:
		return fmt.Sprintf("asks %q with %d choices", c.Text, len(c.Choices))
	case nil:
		return "(nothing)"
	default:
		return c.ContentType()
	}
}

// hooks returns callbacks that print what happens to the connection.
func (p *printer) hooks() crisp.Hooks {
	return crisp.Hooks{
		Connected:    func(c crisp.Connected) { p.note("  connected and authenticated at %s", c.Endpoint) },
		Disconnected: func(d crisp.Disconnected) { p.note("  disconnected after %s", d.Lived.Round(time.Millisecond)) },
		Retrying: func(r crisp.Retrying) {
			p.note("  attempt %d in %s, because of: %v", r.Attempt, r.Delay.Round(time.Millisecond), r.Err)
		},
		Gap: func(g crisp.Gap) {
			p.note("  gap: events between %s and %s may have been missed (%s)",
				g.From.Format("15:04:05.000"), g.To.Format("15:04:05.000"), g.Reason)
		},
	}
}
