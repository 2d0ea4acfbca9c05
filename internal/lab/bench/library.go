package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/crisp-go/crisp"
)

// setup is how the library is used for a stream.
type setup struct {
	Concurrency int  // conversations at a time; 0 = the default
	Registered  int  // how many events have handlers, at least
	Unhandled   bool // the stream's event has none: it is subscribed to by the filter alone
}

// session is a client of the library that reads one stream.
type session struct {
	load    workload
	rtm     *crisp.RTM
	handled atomic.Int64
}

// newSession makes a client. Its handler calls each with every message.
func newSession(url string, load workload, s setup, each func(*crisp.MessageSend)) (*session, error) {
	client, err := crisp.New(crisp.UserToken("bench", "bench"), crisp.WithBaseURL(url+load.path()+"/v1/"))
	if err != nil {
		return nil, err
	}
	b := &session{load: load}
	router := crisp.NewRouter()
	if !s.Unhandled {
		b.handle(router, each)
	}
	crisp.On(router, b.last)
	registerMore(router, load.Event, s.Registered)
	events := append(router.EventNames(), load.Event)
	events = slices.DeleteFunc(events, func(name string) bool { return !receivable(name) })
	slices.Sort(events)
	b.rtm, err = client.NewRTM(router,
		crisp.WithFilter(crisp.Filter{Events: slices.Compact(events)}),
		crisp.WithConcurrency(max(1, s.Concurrency)))
	return b, err
}

// receivable reports whether the token of the measurements, an operator's, may
// receive an event. No tier receives all of them.
func receivable(name string) bool {
	for _, info := range crisp.Events() {
		if info.Name == name {
			return slices.Contains(info.Tiers, crisp.TierUser)
		}
	}
	return true
}

// handle registers the handler that a program would have for the stream's
// event.
func (b *session) handle(r *crisp.Router, each func(*crisp.MessageSend)) {
	if b.load.Event == "session:sync:pages" {
		crisp.On(r, func(context.Context, *crisp.SessionSyncPages) error {
			b.handled.Add(1)
			return nil
		})
		return
	}
	crisp.On(r, func(_ context.Context, ev *crisp.MessageSend) error {
		each(ev)
		b.handled.Add(1)
		return nil
	})
}

// last handles the last event: it was read after all others, so that Shutdown
// waits for their handlers.
func (b *session) last(ctx context.Context, _ *crisp.SessionRemoved) error {
	go func() { _ = b.rtm.Shutdown(ctx) }()
	return nil
}

// registerMore adds handlers of other events until there are n names in all.
func registerMore(r *crisp.Router, except string, n int) {
	for _, info := range crisp.Events() {
		if len(r.EventNames()) >= n {
			break
		}
		if info.Name == except {
			continue
		}
		r.OnName(info.Name, func(context.Context, crisp.Event) error { return nil })
	}
}

// run reads the stream to its end and checks that it was complete.
func (b *session) run(ctx context.Context, s setup) error {
	if err := b.rtm.Run(ctx); !errors.Is(err, crisp.ErrClosed) {
		return err
	}
	if s.Unhandled {
		return nil // reading the last event is all that there is to check
	}
	return complete(int(b.handled.Load()), b.load)
}
