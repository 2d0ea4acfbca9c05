package crisp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// limiter queues a client's REST calls, so that together they keep to the pace
// that the server bears.
type limiter struct {
	mu       sync.Mutex
	pace     pace
	numbered uint64  // turns made so far
	queue    []*turn // by number
	inFlight int
	alarm    *time.Timer // set while only time holds the queue back
	moved    time.Time   // when a call was accepted last
	told     RateLimit
}

// turn is a call's place in the queue, which it keeps when it is sent again.
type turn struct {
	number    uint64
	notBefore time.Time     // set by whoever wants the call to wait for itself
	ready     chan struct{} // closed when the call may be sent
	cuts      int           // of the pace when that was
	tries     int           // how often it was sent
	patience  time.Duration // how long it waits; 0 = as long as the context lasts
	since     time.Time     // when that begins: now, or when it is sent first
}

func (l *limiter) newTurn(patience time.Duration) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbered++
	return &turn{number: l.numbered, patience: patience, since: time.Now()}
}

// wait returns nil when the call may be sent; lost, accepted or refused has to
// follow then. It fails with ErrRateLimited at once if the context will be over
// before anything may be sent, and when the call has lost its patience.
func (l *limiter) wait(ctx context.Context, t *turn) error {
	if err := l.enter(ctx, t); err != nil {
		return err
	}
	err := l.await(ctx, t)
	if err != nil {
		l.withdraw(t)
	}
	return err
}

func (l *limiter) await(ctx context.Context, t *turn) error {
	for {
		var patience <-chan time.Time // nil: for ever
		if end, ok := l.patience(t); ok {
			timer := time.NewTimer(time.Until(end))
			defer timer.Stop() // there is one more only for each minute
			patience = timer.C
		}
		select {
		case <-t.ready:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-patience:
			if end, _ := l.patience(t); !now.Before(end) { // else others were accepted meanwhile
				return fmt.Errorf("%w: not its turn within %s", ErrRateLimited, t.patience)
			}
		}
	}
}

// patience tells when a call loses it, if it ever does.
func (l *limiter) patience(t *turn) (end time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end(t), t.patience > 0
}

// end is when a call loses its patience: that of one that was not sent yet
// begins anew whenever another is accepted.
func (l *limiter) end(t *turn) time.Time {
	if t.tries > 0 {
		return t.since.Add(t.patience)
	}
	return later(t.since, l.moved).Add(t.patience)
}

func (l *limiter) enter(ctx context.Context, t *turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := later(l.pace.hold, t.notBefore)
	deadline, ok := ctx.Deadline()
	if t.patience > 0 {
		deadline, ok = l.end(t), true
	}
	if ok && deadline.Before(at) {
		return fmt.Errorf("%w: nothing is sent for another %s", ErrRateLimited, time.Until(at).Round(time.Millisecond))
	}
	t.ready = make(chan struct{})
	i, _ := l.find(t)
	l.queue = slices.Insert(l.queue, i, t)
	l.pace.busy(time.Now())
	l.advance()
	return nil
}

func (l *limiter) find(t *turn) (int, bool) {
	return slices.BinarySearchFunc(l.queue, t, func(a, b *turn) int { return cmp.Compare(a.number, b.number) })
}

// withdraw takes a call back that won't be sent, whether it could have been or
// not.
func (l *limiter) withdraw(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, queued := l.find(t); queued {
		l.queue = slices.Delete(l.queue, i, i+1)
	} else {
		l.inFlight--
	}
	l.advance()
}

// lost ends the flight of a call whose outcome tells nothing of the pace.
func (l *limiter) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.advance()
}

// accepted ends the flight of a call that was not refused for the rate.
func (l *limiter) accepted(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.pace.accept(t.cuts, t.tries)
	l.moved = time.Now()
	l.advance()
}

// refused ends the flight of a call that was refused for the rate.
func (l *limiter) refused(t *turn, retryAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	t.notBefore = l.pace.refuse(time.Now(), t.cuts, t.tries, retryAfter)
	l.advance()
}

// advance lets go whom the pace lets go, and sets the alarm for the next.
func (l *limiter) advance() {
	if l.alarm != nil {
		l.alarm.Stop()
		l.alarm = nil
	}
	for len(l.queue) > 0 {
		now := time.Now()
		i := l.first(now)
		left, ok := l.pace.wait(now, l.inFlight)
		left = max(left, l.queue[i].notBefore.Sub(now))
		if !ok || left > 0 {
			if left > 0 {
				l.alarm = time.AfterFunc(left, l.wake)
			}
			return
		}
		t := l.queue[i]
		l.queue = slices.Delete(l.queue, i, i+1)
		t.cuts = l.pace.sent(now)
		if t.tries++; t.tries == 1 {
			t.since = now
		}
		l.inFlight++
		close(t.ready)
	}
	if l.inFlight == 0 && len(l.queue) == 0 {
		l.pace.rest(time.Now())
	}
}

// first is the first in the queue that need not wait for itself, else the one
// that must do so the shortest.
func (l *limiter) first(now time.Time) int {
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

func (l *limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance()
}
