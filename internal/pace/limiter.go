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

// Limiter queues the calls of a client, so that together they keep to the pace
// that the server bears. The zero Limiter is ready for use.
type Limiter struct {
	mu    sync.Mutex // guards all that follows, and the turns
	pace  Pace
	turns uint64      // made so far
	queue []*Turn     // by number
	alarm *time.Timer // set while only time holds the queue back
	moved time.Time   // when a call was accepted last
}

// Turn is a call's place in the queue, which it keeps when it is sent again. It
// is for one goroutine.
type Turn struct {
	limiter   *Limiter
	number    uint64
	notBefore time.Time     // the call waits for itself until then
	ready     chan struct{} // closed when the call may be sent
	cuts      int           // of the pace when that was
	sent      bool          // at least once
	patience  time.Duration // how long the call waits; 0 = as long as its context lasts
	since     time.Time     // when that begins: now, or when it is sent first
}

// NewTurn makes the turn of a call. A call that has a patience waits for so long
// at most until it is sent, and anew whenever another was accepted; once it was
// sent, it has so long from then on.
func (l *Limiter) NewTurn(patience time.Duration) *Turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	return &Turn{limiter: l, number: l.turns, patience: patience, since: time.Now()}
}

// Wait returns nil when the call may be sent; Accepted, Refused or Lost has to
// follow then. It fails with [ErrRateLimited] if the call has lost its patience, and
// at once if it is known that the context will be over before anything may be sent.
// When the context ends, it fails with the cause.
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

// Delay makes the call wait for a while before it is sent again.
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

// Refused ends the call's flight: it was refused for the rate. retryAfter is what
// the server asks to wait; 0 = it doesn't.
func (t *Turn) Refused(retryAfter time.Duration) {
	t.limiter.change(func(l *Limiter) { t.notBefore = l.pace.Refused(time.Now(), t.cuts, retryAfter) })
}

// Lost ends the call's flight: its outcome says nothing of the rate.
func (t *Turn) Lost() {
	t.limiter.change(func(l *Limiter) { l.pace.Lost() })
}

// change changes what the queue depends on, and sends what may be sent now.
func (l *Limiter) change(f func(*Limiter)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
	l.advance()
}

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

func (l *Limiter) patienceEnd(t *Turn) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.losesPatience(t)
}

func (l *Limiter) losesPatience(t *Turn) time.Time {
	if t.sent {
		return t.since.Add(t.patience)
	}
	return later(t.since, l.moved).Add(t.patience)
}

// withdraw takes a call back that won't be sent, whether it could have been or
// not.
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

// advance lets go whom the pace lets go, and sets the alarm for the next. It is
// called with the lock held.
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

// first is the first in the queue that need not wait for itself, else the one
// that must do so the shortest.
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

func (l *Limiter) letGo(i int, now time.Time) {
	t := l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	t.cuts = l.pace.Sent(now)
	if !t.sent {
		t.sent, t.since = true, now
	}
	close(t.ready)
}
