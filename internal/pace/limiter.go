package pace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrRateLimited matches the errors of calls that give up waiting for their
// turn.
var ErrRateLimited = errors.New("crisp: rate limited")

// Limiter queues the calls of a client, so that together they keep to a [Pace]. The zero
// Limiter is ready for use.
type Limiter struct {
	mu    sync.Mutex // guards what follows, and the fields of turns
	pace  Pace
	turns uint64      // made so far
	queue []*Turn     // by number
	alarm *time.Timer // set while only time holds the queue back
	moved time.Time   // when the last call was accepted
}

// Turn is a call's place in the queue, which it keeps when it is sent again. Its methods are for
// one goroutine.
type Turn struct {
	limiter   *Limiter
	number    uint64
	notBefore time.Time     // when this call may be sent again, whatever the pace allows
	ready     chan struct{} // closed when the call may be sent
	cuts      int           // Pace.Sent returned that
	sent      bool          // at least once
	patience  time.Duration // how long the call waits; 0 = as long as its context lasts
	since     time.Time     // the patience counts from here: NewTurn, or the first sending
}

// NewTurn makes the turn of a call. Until it is first sent, a call with a patience waits for that
// long, and anew whenever another call was accepted. Once it was sent, it has that long in all
// to be sent again.
func (l *Limiter) NewTurn(patience time.Duration) *Turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	return &Turn{limiter: l, number: l.turns, patience: patience, since: time.Now()}
}

// Wait returns nil when the call may be sent; then Accepted, Refused or Lost has to follow. It
// fails with [ErrRateLimited] when the call's patience is over, and at once if nothing may be
// sent before its patience or its context will be over. When the context ends, it fails with
// the cause.
func (t *Turn) Wait(ctx context.Context) error {
	if err := t.limiter.enter(ctx, t); err != nil {
		return err
	}
	err := t.await(ctx)
	if err != nil {
		t.limiter.withdraw(t)
	}
	return err
}

// Delay keeps the call from being sent again for a while.
func (t *Turn) Delay(d time.Duration) {
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	t.notBefore = time.Now().Add(d)
}

// Accepted ends the call's flight: it was not refused for the rate.
func (t *Turn) Accepted() {
	t.limiter.change(func(l *Limiter) {
		l.pace.Accepted(t.cuts)
		l.moved = time.Now()
	})
}

// Refused ends the call's flight: it was refused for the rate. retryAfter is how long the server
// asks to wait; 0 = it didn't say.
func (t *Turn) Refused(retryAfter time.Duration) {
	t.limiter.change(func(l *Limiter) { t.notBefore = l.pace.Refused(time.Now(), t.cuts, retryAfter) })
}

// Lost ends the call's flight: its outcome says nothing of the rate.
func (t *Turn) Lost() {
	t.limiter.change(func(l *Limiter) { l.pace.Lost() })
}

// change changes what the queue depends on, and lets go the calls that may be sent now.
func (l *Limiter) change(f func(*Limiter)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
	l.advance()
}

// enter puts a turn into the queue, unless it could not be sent in time.
func (l *Limiter) enter(ctx context.Context, t *Turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := later(l.pace.hold, t.notBefore)
	deadline, ok := ctx.Deadline()
	if t.patience > 0 {
		deadline, ok = l.losesPatience(t), true
	}
	if ok && deadline.Before(at) {
		return fmt.Errorf("%w: nothing is sent for another %s", ErrRateLimited, time.Until(at).Round(time.Millisecond))
	}
	t.ready = make(chan struct{})
	i, _ := l.find(t)
	l.queue = slices.Insert(l.queue, i, t)
	l.advance()
	return nil
}

// await waits until the call may be sent.
func (t *Turn) await(ctx context.Context) error {
	for {
		var impatient <-chan time.Time // never
		if t.patience > 0 {
			left := time.Until(t.limiter.patienceEnd(t))
			if left <= 0 {
				return fmt.Errorf("%w: not its turn within %s", ErrRateLimited, t.patience)
			}
			impatient = time.After(left)
		}
		select {
		case <-t.ready:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-impatient: // unless others were accepted meanwhile
		}
	}
}

// patienceEnd returns when a call's patience is over.
func (l *Limiter) patienceEnd(t *Turn) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.losesPatience(t)
}

// losesPatience is patienceEnd with l.mu held.
func (l *Limiter) losesPatience(t *Turn) time.Time {
	if t.sent {
		return t.since.Add(t.patience)
	}
	return later(t.since, l.moved).Add(t.patience)
}

// withdraw takes back a call that won't be sent, even if its turn has come meanwhile.
func (l *Limiter) withdraw(t *Turn) {
	l.change(func(l *Limiter) {
		if i, queued := l.find(t); queued {
			l.queue = slices.Delete(l.queue, i, i+1)
		} else {
			l.pace.Lost()
		}
	})
}

func (l *Limiter) find(t *Turn) (int, bool) {
	return slices.BinarySearchFunc(l.queue, t, func(a, b *Turn) int { return cmp.Compare(a.number, b.number) })
}

// advance lets go the calls that may be sent now, and sets the alarm for the next; l.mu is held.
func (l *Limiter) advance() {
	if l.alarm != nil {
		l.alarm.Stop()
		l.alarm = nil
	}
	for len(l.queue) > 0 {
		at, ok := l.pace.Next()
		if !ok {
			return
		}
		now := time.Now()
		i := l.first(now)
		if at = later(at, l.queue[i].notBefore); at.After(now) {
			l.alarm = time.AfterFunc(at.Sub(now), func() { l.change(func(*Limiter) {}) })
			return
		}
		l.letGo(i, now)
	}
}

// first returns the index of the first turn in the queue that has no notBefore to wait for, or
// else of the one whose notBefore comes first.
func (l *Limiter) first(now time.Time) int {
	shortest := 0
	for i, t := range l.queue {
		if !t.notBefore.After(now) {
			return i
		}
		if t.notBefore.Before(l.queue[shortest].notBefore) {
			shortest = i
		}
	}
	return shortest
}

// letGo takes a turn out of the queue: its call is sent now.
func (l *Limiter) letGo(i int, now time.Time) {
	t := l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	t.cuts = l.pace.Sent(now)
	if !t.sent {
		t.sent, t.since = true, now
	}
	close(t.ready)
}
