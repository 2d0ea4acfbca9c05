package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/seam"
)

// attemptTimeout bounds each call of an engine that stores something.
const attemptTimeout = 10 * time.Second

// Intake is how events get into the log: see [Publish].
type Intake struct {
	publisher Publisher
	cfg       publishConfig
	reporter  *reporter

	mu       sync.Mutex                    // guards settling
	settling map[crisp.Gap]<-chan struct{} // closed when what was received before the gap is stored
}

// Publish registers a handler with a router that stores every event in the log. What
// comes of a failure depends on how the event came:
//
//   - Over the RTM API, and by backfill, the handler tries again for as long as its
//     context lasts: until the client ends. So the events behind it wait, in their order,
//     and the stored position ([crisp.WithPosition]) never passes what is not stored.
//     When the client ends meanwhile, the event counts as dropped; a message comes again
//     after a restart ([crisp.WithBackfill]), nothing else does.
//     [crisp.WithDrainTimeout], or [crisp.RTM.Shutdown], gives it the time.
//   - By web hook it tries for a while ([WithHookPatience]), and fails then: the answer
//     is 500, and Crisp delivers a plugin's hook again.
//
// An event that is too large for the engine becomes a [Stub], of which the error handler
// hears ([*TooLargeError]).
//
// The router may serve an RTM client, web hooks, or both at once: what is a message gets
// into the log once. Middleware that ends a handler's context, such as [crisp.Supersede],
// and [crisp.WithHandlerTimeout], would end the attempts: leave that to the router behind
// [Consume].
//
// Publish panics if the router or the publisher is nil, or if the router is in use.
func Publish(r *crisp.Router, p Publisher, opts ...PublishOption) *Intake {
	if r == nil || p == nil {
		panic("bridge: Publish: needs a router and a publisher")
	}
	cfg := newPublishConfig(opts)
	in := &Intake{publisher: p, cfg: cfg, reporter: newReporter(cfg.onError), settling: make(map[crisp.Gap]<-chan struct{})}
	r.OnAny(in.handle)
	return in
}

func (in *Intake) handle(ctx context.Context, ev crisp.Event) error {
	if ev.EventMeta().Source == crisp.SourceWebhook {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, in.cfg.patience)
		defer cancel()
	}
	return in.store(ctx, NewMessage(ev))
}

const publishing = "the engine does not store events"

// store tries to store a message until that succeeds, or ctx ends.
func (in *Intake) store(ctx context.Context, m Message) error {
	for failures := 0; ; {
		err := in.attempt(ctx, m)
		tooLarge := (*TooLargeError)(nil)
		switch {
		case err == nil:
			in.reporter.worked(publishing)
			return nil
		case errors.As(err, &tooLarge) && m.Stub != "":
			return fmt.Errorf("bridge: not even the stub of an event was stored: %w", err)
		case errors.As(err, &tooLarge):
			in.reporter.report(ctx, err)
			m = newStub(m, tooLarge)
			continue
		}
		failures++
		if ctx.Err() == nil { // else it may be no fault of the engine's
			in.reporter.failed(ctx, publishing, err)
		}
		if end := sleep(ctx, delayOf(in.cfg.backoff, failures)); end != nil {
			return fmt.Errorf("bridge: an event was not stored, after %d attempts: %w: %w", failures, end, err)
		}
	}
}

func (in *Intake) attempt(ctx context.Context, m Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil { // so that it is tried again: otherwise the event would be lost
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return in.publisher.Publish(ctx, m)
}

// Hooks returns callbacks for [crisp.WithHooks], which adds them to others. They store what the
// client reports besides events: each gap, as a [*Gap]; what became of it, as a [*Backfilled];
// and events that were dropped, as a [*Dropped].
//
// A gap is stored after all events that were received before it, but for what waits for
// the backfill of an earlier gap, and before any that was received after it: those wait.
// In the log, that is an order in time; consumers see what is in other partitions when
// they come to it. Like events, it is tried again until ctx ends, which should be that of
// [crisp.RTM.Run]; then for the time of [WithHookPatience].
func (in *Intake) Hooks(ctx context.Context) crisp.Hooks {
	hooks := seam.Crisp.Hooks(in.settles).(crisp.Hooks)
	hooks.Gap = func(g crisp.Gap) {
		in.awaitSettled(ctx, g)
		gap := gapOf(g)
		in.tell(ctx, TypeGap, &gap)
	}
	hooks.Backfilled = func(b crisp.Backfilled) {
		in.tell(ctx, TypeBackfilled, &Backfilled{
			Gap: gapOf(b.Gap), Complete: b.Complete, Messages: b.Messages, Conversations: b.Conversations, Requests: b.Requests, Error: textOf(b.Err),
		})
	}
	hooks.Dropped = func(d crisp.Dropped) {
		in.tell(ctx, TypeDropped, &Dropped{Count: d.Count, Error: textOf(d.Err)})
	}
	return hooks
}

// settles notes when what was received before a gap is stored.
func (in *Intake) settles(g seam.SettlingGap) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.settling[g.Gap.(crisp.Gap)] = g.Settled
}

// awaitSettled returns when what was received before a gap is stored, or ctx ends.
func (in *Intake) awaitSettled(ctx context.Context, g crisp.Gap) {
	in.mu.Lock()
	settled := in.settling[g]
	delete(in.settling, g)
	in.mu.Unlock()
	if settled == nil { // somebody has passed on hooks.Gap alone
		return
	}
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

// tell stores a control message.
func (in *Intake) tell(ctx context.Context, kind string, c Control) {
	ctx, cancel := prolonged(ctx, in.cfg.patience)
	defer cancel()
	if err := in.store(ctx, newControl(kind, c)); err != nil {
		in.reporter.report(ctx, err)
	}
}

// prolonged returns a context that ends a while after ctx.
func prolonged(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = sleep(longer, by) // the end of either
		cancel(context.Cause(ctx))
	})
	return longer, func() {
		stop()
		cancel(nil)
	}
}
