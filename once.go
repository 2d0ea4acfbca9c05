package crisp

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"
)

// ClaimState is what a [ClaimStore] says of an event.
type ClaimState int

// States of an event in a [ClaimStore].
const (
	ClaimOwned   ClaimState = iota + 1 // whoever asked has it now
	ClaimRunning                       // another owner has it, whose lease is not over
	ClaimDone                          // its handlers have succeeded
)

// String returns the state in lower case, such as "running".
func (s ClaimState) String() string {
	switch s {
	case ClaimOwned:
		return "owned"
	case ClaimRunning:
		return "running"
	case ClaimDone:
		return "done"
	}
	return fmt.Sprintf("ClaimState(%d)", int(s))
}

// ClaimStore records which events are being handled, by whom, and which are done:
// see [Once]. [MemoryClaims] is one for a single process; the modules
// store/sqlstore and store/redisstore, beside this one, have those that processes
// share. A store is used by several goroutines at once.
//
// An id is that of an event ([EventID]) or of a lease ([NewLease]), an owner a random
// text for each delivery. Leases are measured by a clock of the store's own, so that
// the clocks of the processes don't matter; they are milliseconds or more.
type ClaimStore interface {
	// Claim takes an event for an owner, or begins the owner's lease anew if it has
	// the event. It is atomic: of any number of owners that claim a free event, in
	// any number of processes, one gets [ClaimOwned]. An event is free if nobody has
	// claimed it, if it was released, and if the lease of its owner, or what is kept
	// of its being done, is over.
	Claim(ctx context.Context, id, owner string, lease time.Duration) (ClaimState, error)

	// Done makes an event done for at least the given time, whoever has it.
	Done(ctx context.Context, id string, keep time.Duration) error

	// Release makes an event free if the owner has it, and otherwise does nothing.
	Release(ctx context.Context, id, owner string) error
}

// OnceOption changes a default of [Once].
type OnceOption func(*once)

// OnceLease sets how long the events of a process that has died are kept from the
// others; default 30 s. A third of it must be ample for a call of the store, since
// that is how often the claim of a running handler is renewed. OnceLease panics if
// it is less than 3 ms.
func OnceLease(d time.Duration) OnceOption {
	if d < 3*time.Millisecond {
		panic(fmt.Sprintf("crisp: OnceLease(%s): needs at least 3ms", d))
	}
	return func(o *once) { o.lease = d }
}

// OnceKeep sets how long it is known of an event that it is done: as long as it may
// come again, by a web hook's redelivery or a backfill. The default is 24 hours.
// OnceKeep panics if it is less than a second.
func OnceKeep(d time.Duration) OnceOption {
	if d < time.Second {
		panic(fmt.Sprintf("crisp: OnceKeep(%s): needs at least 1s", d))
	}
	return func(o *once) { o.keep = d }
}

// OncePatience sets for how long a store that fails is asked again before the
// handlers run without a claim; default 15 s. With 0 it is asked once. OncePatience
// panics if it is negative.
func OncePatience(d time.Duration) OnceOption {
	if d < 0 {
		panic(fmt.Sprintf("crisp: OncePatience(%s): needs 0 or more", d))
	}
	return func(o *once) { o.patience = d }
}

// OnceErrorHandler sets who hears of failures of the store, as [WithErrorHandler] does
// for those of handlers; give both the same. It may be called from several goroutines
// at once. The default logs to [slog.Default]. OnceErrorHandler(nil) panics.
func OnceErrorHandler(fn func(ctx context.Context, err error)) OnceOption {
	if fn == nil {
		panic("crisp: OnceErrorHandler(nil): needs a function")
	}
	return func(o *once) { o.onError = fn }
}

// Once is middleware that has each event handled once among all transports and processes that
// share the store: a message may come over the RTM API, by web hook and by backfill, and to
// several replicas. Add it first, so that what stands behind it, such as a guard, decides once,
// too.
//
// Whoever claims an event first runs its handlers. Another delivery of the event
//
//   - is over, with success, if the event is done;
//   - waits if the handlers are running, here or elsewhere, until they have
//     succeeded, which is its success, too; until they have failed, after which it
//     is this delivery's turn; or until their process has died and its lease is over
//     ([OnceLease]), likewise. It waits in its conversation's turn over the RTM API
//     (the stored position stays before it), and before the answer by web hook.
//     Where its context ends first, it fails: over the RTM API with a position and
//     a backfill it then comes again after a restart, and by web hook, with
//     [WithHandlerTimeout], it is answered 500.
//
// So every event is handled at least once, and twice only where a process died, or
// was stopped for longer than the lease, between the beginning of its handlers and the record
// that they have succeeded. Where another process has taken an event over, the
// context of the handlers that had it ends, with cause [ErrClaimLost].
//
// A store that fails costs no event: it is asked again for a while ([OncePatience]).
// If it doesn't recover, the handlers run without a claim, perhaps for the second
// time, and for as long as it fails each event calls it only once. The error handler
// hears of it ([OnceErrorHandler]).
//
// Events that can't be known again ([EventIDStable]) pass: those over the RTM API
// that are not messages. Share a store only among processes that run the same
// handlers. Once(nil) panics.
func Once(store ClaimStore, opts ...OnceOption) func(Handler) Handler {
	if store == nil {
		panic("crisp: Once(nil): needs a store")
	}
	o := &once{store: store, lease: 30 * time.Second, keep: 24 * time.Hour, patience: 15 * time.Second, onError: errorLog{newSparing()}.log}
	for _, opt := range opts {
		opt(o)
	}
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			if !EventIDStable(ev) {
				return next(ctx, ev)
			}
			c := &ownClaim{once: o, id: EventID(ev), owner: rand.Text()}
			return c.handle(ctx, func(ctx context.Context) error { return next(ctx, ev) })
		}
	}
}

const (
	// claimCall bounds each call of the store, and claimProbe each of one that was
	// failing when it was last called.
	claimCall  = 5 * time.Second
	claimProbe = 500 * time.Millisecond
	// claimRetry is the first wait before a store that failed is asked again, and
	// before it is asked whether handlers elsewhere are over; the next ones double.
	claimRetry = 20 * time.Millisecond
	// claimPoll is the longest of these waits.
	claimPoll = 500 * time.Millisecond
)

// once is what all events that pass one Once share.
type once struct {
	store                 ClaimStore
	lease, keep, patience time.Duration
	onError               func(ctx context.Context, err error)

	failing atomic.Bool // the patience with the store has run out, and the store has not answered since
}

// ask calls the store until it answers, the patience is over, or ctx ends.
func (o *once) ask(ctx context.Context, call func(context.Context) error) error {
	began := time.Now()
	for wait := claimRetry; ; wait = min(2*wait, claimPoll) {
		err := o.call(ctx, call)
		if err == nil {
			o.failing.Store(false)
			return nil
		}
		if o.failing.Load() || time.Since(began)+wait > o.patience {
			o.failing.Store(true)
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// call calls the store once. A panic of the store is its failure.
func (o *once) call(ctx context.Context, call func(context.Context) error) error {
	timeout := claimCall
	if o.failing.Load() {
		timeout = claimProbe
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return callUser("the store", func() error { return call(ctx) })
}

// ownClaim is one delivery's claim of an event, or its attempt to get one.
type ownClaim struct {
	*once
	id, owner string
}

// handle runs the handlers if this delivery gets the event, and waits if another has it.
func (c *ownClaim) handle(ctx context.Context, run func(context.Context) error) error {
	state, err := c.await(ctx)
	switch {
	case err == nil && state == ClaimDone:
		return nil
	case ctx.Err() != nil:
		c.release(ctx) // the claim may have succeeded, and its answer been lost
		return fmt.Errorf("crisp: waiting for an event to be claimed: %w", context.Cause(ctx))
	case err != nil:
		c.report(ctx, err) // and go on: handled twice is better than never
	}
	return c.run(ctx, run)
}

// await claims the event until it is this delivery's or done.
func (c *ownClaim) await(ctx context.Context) (ClaimState, error) {
	for wait := claimRetry; ; wait = min(2*wait, claimPoll) {
		var state ClaimState
		err := c.ask(ctx, func(ctx context.Context) (err error) {
			state, err = c.claim(ctx)
			return err
		})
		if err != nil || state != ClaimRunning {
			return state, err
		}
		if err := sleep(ctx, wait); err != nil {
			return state, err
		}
	}
}

// claim takes the event or renews its lease.
func (c *ownClaim) claim(ctx context.Context) (ClaimState, error) {
	state, err := c.store.Claim(ctx, c.id, c.owner, c.lease)
	if err == nil && (state < ClaimOwned || state > ClaimDone) {
		err = fmt.Errorf("the store answers %s", state)
	}
	return state, err
}

// run runs the handlers, and records how they ended.
func (c *ownClaim) run(ctx context.Context, run func(context.Context) error) (err error) {
	handling, lose := context.WithCancelCause(ctx)
	stop := c.renewing(ctx, lose)
	succeeded := false
	defer func() { // also if a handler panics or ends its goroutine
		if succeeded {
			c.done(ctx)
		}
		stop()
		if !succeeded {
			c.release(ctx) // after the last renewal, which would take it again
		}
		lose(nil)
	}()
	if err = run(handling); err != nil {
		return err
	}
	succeeded = true
	return nil
}

// renewing renews the lease until stop is called. If somebody else turns out to have the event,
// it calls lose, which ends the handlers' context.
func (c *ownClaim) renewing(ctx context.Context, lose context.CancelCauseFunc) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(c.lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if c.lost(ctx) {
					lose(ErrClaimLost)
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// lost renews the lease, and reports whether somebody else has the event. A failure of the store
// is no reason to give up: there may be nobody else.
func (c *ownClaim) lost(ctx context.Context) bool {
	var state ClaimState
	err := c.call(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		state, err = c.claim(ctx)
		return err
	})
	if err != nil {
		c.report(ctx, err)
		return false
	}
	return state != ClaimOwned
}

// done records that the handlers have succeeded.
func (c *ownClaim) done(ctx context.Context) {
	err := c.ask(context.WithoutCancel(ctx), func(ctx context.Context) error { return c.store.Done(ctx, c.id, c.keep) })
	if err != nil {
		c.report(ctx, err)
	}
}

// release gives the event up. It is tried once, since the end of the lease does the same.
func (c *ownClaim) release(ctx context.Context) {
	err := c.call(context.WithoutCancel(ctx), func(ctx context.Context) error { return c.store.Release(ctx, c.id, c.owner) })
	if err != nil {
		c.report(ctx, err)
	}
}

func (c *ownClaim) report(ctx context.Context, err error) {
	hear(ctx, c.onError, fmt.Errorf("crisp: the store of claimed events: %w", err))
}
