package crisp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Lease is a lock that at most one of several holders has at a time, in any number of processes,
// and that ends by itself unless its holder renews it. Its time is measured by a clock of its
// own, not by those of the holders. Several goroutines may use it at once.
type Lease interface {
	// Acquire takes the lease for a holder if nobody else has it, or renews it, for
	// the time ttl from now, and reports whether the holder has it. It does not wait
	// for the lease to be free.
	Acquire(ctx context.Context, holder string, ttl time.Duration) (held bool, err error)

	// Release frees the lease if the holder has it, and otherwise does nothing.
	Release(ctx context.Context, holder string) error
}

// NewLease makes a lease of a store of claims. Each name is another lease; those of
// one name are the same in every process that shares the store. It does not get into
// the way of a [Once] with that store.
func NewLease(store ClaimStore, name string) Lease {
	return claimLease{store, "lease:" + name}
}

type claimLease struct {
	store ClaimStore
	id    string
}

func (l claimLease) Acquire(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	state, err := l.store.Claim(ctx, l.id, holder, ttl)
	return err == nil && state == ClaimOwned, err
}

func (l claimLease) Release(ctx context.Context, holder string) error {
	return l.store.Release(ctx, l.id, holder)
}

// defaultLeaseTTL is how long a lease lasts unless it is renewed.
const defaultLeaseTTL = 10 * time.Second

// Lead runs something in one of several processes at a time: in that which holds the
// lease. The others wait in Lead, and try to take it three times within ttl: it is
// theirs soon after run has returned, and soon after ttl if its process died. ttl 0
// stands for 10 s; anything else below 10 ms is an error.
//
// The holder renews the lease three times within ttl. When somebody else has it, or
// when it could not be renewed for four fifths of ttl, the context of run ends with
// cause [ErrLeaseLost]; run has the rest of ttl to return before another process
// begins. Then this process waits again. A process that is stopped can't notice in
// time, so that two may run for a moment: what must not happen twice needs [Once],
// too.
//
// Lead returns what run returns, unless the lease was lost, or ctx's cause if that ends
// before. A lease that fails is tried again forever, and [slog.Default] is told once. An
// [RTM] runs once: make one in each call of run.
func Lead(ctx context.Context, lease Lease, ttl time.Duration, run func(ctx context.Context) error) error {
	switch {
	case lease == nil || run == nil:
		return errors.New("crisp: Lead: needs a lease and a function")
	case ttl == 0:
		ttl = defaultLeaseTTL
	case ttl < 10*time.Millisecond:
		return fmt.Errorf("crisp: Lead: a lease of %s: needs at least 10ms, or 0 for the default", ttl)
	}
	l := &leader{lease: lease, holder: rand.Text(), ttl: ttl}
	for {
		until, err := l.stand(ctx)
		if err != nil {
			return err
		}
		if lost, err := l.lead(ctx, until, run); !lost {
			return err
		}
	}
}

// leader is a process that holds a lease, or wants to.
type leader struct {
	lease  Lease
	holder string
	ttl    time.Duration

	failing bool // the last Acquire failed: an outage is logged once; for one goroutine at a time
}

// interval is how often the lease is acquired or renewed.
func (l *leader) interval() time.Duration { return l.ttl * 3 / 10 }

// stand waits until this leader has the lease, and returns until when it has it for certain.
func (l *leader) stand(ctx context.Context) (until time.Time, err error) {
	for {
		if until, held, _ := l.acquire(ctx); held {
			return until, nil
		}
		if err := sleep(ctx, l.interval()); err != nil {
			l.release(ctx) // it may have been acquired, and the answer been lost
			return until, err
		}
	}
}

// acquire takes or renews the lease, and returns until when that holds for certain. That counts
// from the request: the lease may have begun then, however late the answer came.
func (l *leader) acquire(ctx context.Context) (until time.Time, held bool, err error) {
	until = time.Now().Add(l.ttl * 8 / 10)
	ctx, cancel := context.WithTimeout(ctx, l.interval())
	defer cancel()
	defer func() {
		if err != nil && !l.failing && !errors.Is(ctx.Err(), context.Canceled) {
			logDefault(ctx, "crisp: the lease can't be had; it is tried again", err)
		}
		l.failing = err != nil
	}()
	err = callUser("Lease.Acquire", func() (err error) {
		held, err = l.lease.Acquire(ctx, l.holder, l.ttl)
		return err
	})
	return until, held && err == nil, err
}

// lead calls run, whose context ends when the lease can't be renewed; lost reports whether that
// happened.
func (l *leader) lead(ctx context.Context, until time.Time, run func(context.Context) error) (lost bool, err error) {
	leading, end := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		if !l.renew(leading, until) {
			end(ErrLeaseLost)
		}
	}()
	defer func() { // also if run panics
		end(nil)
		<-renewed
		l.release(ctx)
	}()
	err = run(leading)
	return errors.Is(context.Cause(leading), ErrLeaseLost), err
}

// renew renews the lease until ctx ends. It returns false if the lease is lost before.
func (l *leader) renew(ctx context.Context, until time.Time) bool {
	for {
		if sleep(ctx, min(l.interval(), time.Until(until))) != nil {
			return true
		}
		next, held, err := l.acquireBefore(ctx, until)
		switch {
		case held:
			until = next
		case ctx.Err() != nil:
			return true
		case err == nil, !time.Now().Before(until):
			return false
		}
	}
}

// acquireBefore is acquire with a deadline.
func (l *leader) acquireBefore(ctx context.Context, until time.Time) (next time.Time, held bool, err error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return l.acquire(ctx)
}

func (l *leader) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.interval())
	defer cancel()
	if err := callUser("Lease.Release", func() error { return l.lease.Release(ctx, l.holder) }); err != nil {
		logDefault(ctx, "crisp: the lease can't be given up", err)
	}
}
