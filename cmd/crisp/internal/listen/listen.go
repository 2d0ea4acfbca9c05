// Package listen takes live events from the RTM API.
package listen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/stream"
)

// Config says what to listen to.
type Config struct {
	Filter      crisp.Filter
	Concurrency int // conversations that are handled at the same time
	Options     []crisp.RTMOption
	Ready       func(endpoint string) // called at the first connection
}

// Listener passes events of the RTM API on to a stream.
type Listener struct {
	rtm    *crisp.RTM
	stream *stream.Stream
	ready  func(endpoint string)

	connected atomic.Bool            // there has been a connection
	failure   atomic.Pointer[string] // why the last attempt failed; nil before one did
}

// drain is how long events that were received may still be handled at the end.
const drain = 10 * time.Second

// New makes a listener without connecting it. An error means that cfg is invalid.
func New(client *crisp.Client, cfg Config, into *stream.Stream) (*Listener, error) {
	l := &Listener{stream: into, ready: cfg.Ready}
	router := crisp.NewRouter(crisp.WithErrorHandler(l.trouble))
	router.OnAny(func(ctx context.Context, ev crisp.Event) error {
		return into.Event(ctx, record.FromRTM(ev))
	})
	options := append([]crisp.RTMOption{
		crisp.WithFilter(cfg.Filter),
		crisp.WithConcurrency(cfg.Concurrency),
		crisp.WithDrainTimeout(drain),
		crisp.WithSlowHandler(0), // the stream reports what waits
		crisp.WithAutoRebind(),
		crisp.WithHooks(l.hooks()),
	}, cfg.Options...)
	var err error
	l.rtm, err = client.NewRTM(router, options...)
	return l, err
}

// ErrNeverConnected says that the run ended before there was a connection.
var ErrNeverConnected = errors.New("there was no connection to Crisp")

// doubt is how long to wait for a connection before saying that there is none yet.
const doubt = 2 * time.Second

// Run listens until ctx ends or Stop is called. It returns an error for any other end, and
// [ErrNeverConnected] if ctx ended first.
func (l *Listener) Run(ctx context.Context) error {
	doubts := time.AfterFunc(doubt, func() {
		if !l.connected.Load() {
			l.stream.Tell("not connected yet, still trying%s", l.because())
		}
	})
	defer doubts.Stop()
	err := l.rtm.Run(ctx)
	switch {
	case errors.Is(err, crisp.ErrClosed):
		return nil
	case ctx.Err() == nil:
		return err
	}
	if l.connected.Load() {
		return nil
	}
	return fmt.Errorf("%w%s", ErrNeverConnected, l.because())
}

// Stop ends Run at once.
func (l *Listener) Stop() { _ = l.rtm.Close() }

// because returns a colon and why there is no connection; empty if that is not known.
func (l *Listener) because() string {
	why := l.failure.Load()
	if why == nil {
		return ""
	}
	return ": " + *why
}

func reason(err error) string { return strings.TrimPrefix(err.Error(), "crisp: ") }

func (l *Listener) hooks() crisp.Hooks {
	return crisp.Hooks{
		Connected: func(c crisp.Connected) {
			l.stream.Happened(&record.Connected{Endpoint: c.Endpoint, Attempt: c.Attempt, TookMS: c.Took.Milliseconds()})
			if !l.connected.Swap(true) {
				l.ready(c.Endpoint)
			}
		},
		Disconnected: func(d crisp.Disconnected) {
			if !errors.Is(d.Err, crisp.ErrClosed) {
				l.stream.Happened(&record.Lost{Reason: reason(d.Err), LivedMS: d.Lived.Milliseconds()})
			}
		},
		Retrying: func(r crisp.Retrying) {
			why := reason(r.Err)
			l.failure.Store(&why)
			l.stream.Happened(&record.Retrying{Attempt: r.Attempt, DelayMS: r.Delay.Milliseconds(), Reason: why})
		},
		RoomsRefused: func(r crisp.RoomsRefused) {
			l.stream.Tell("Crisp refuses %s, which may not have installed the plugin: listening to the other %d", strings.Join(r.Rooms, ", "), r.Left)
		},
		Gap: func(g crisp.Gap) {
			l.stream.Happened(&record.Gap{From: g.From, To: g.To, Reason: string(g.Reason)})
		},
		Backfilled: func(b crisp.Backfilled) {
			recovered := record.Recovered{
				From: b.Gap.From, To: b.Gap.To, Messages: b.Messages, Conversations: b.Conversations, Complete: b.Complete,
			}
			if b.Err != nil {
				recovered.Reason = reason(b.Err)
			}
			l.stream.Happened(&recovered)
		},
		Dropped: func(d crisp.Dropped) {
			l.stream.Happened(&record.Dropped{Count: d.Count, Reason: reason(d.Err)})
		},
		Skipped: func(err error) { l.stream.Tell("skipped what made no sense: %s", reason(err)) },
	}
}

// trouble prints errors that nothing else reports.
func (l *Listener) trouble(_ context.Context, err error) {
	var handler *crisp.HandlerError
	var drift *crisp.DriftError
	switch {
	case errors.As(err, &handler) && handler.Stack == nil: // the stream said why
	case errors.As(err, &drift): // the event's line shows it
	default:
		l.stream.Tell("%s", reason(err))
	}
}
