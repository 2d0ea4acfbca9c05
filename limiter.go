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
	told     RateLimit
}

// turn is a call's place in the queue, which it keeps when it is sent again.
type turn struct {
	number    uint64
	notBefore time.Time     // set by whoever wants the call to wait for itself
	ready     chan struct{} // closed when the call may be sent
	cuts      int           // of the pace when that was
	tries     int           // how often it was sent
}

func (l *limiter) newTurn() *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbered++
	return &turn{number: l.numbered}
}

// wait returns nil when the call may be sent; lost, accepted or refused has to
// follow then. It fails with ErrRateLimited at once if the context will be over
// by then.
func (l *limiter) wait(ctx context.Context, t *turn) error {
	if err := l.enter(ctx, t); err != nil {
		return err
	}
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
		l.withdraw(t)
		return context.Cause(ctx)
	}
}

func (l *limiter) enter(ctx context.Context, t *turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := later(l.pace.hold, t.notBefore)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(at) {
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
		t.tries++
		l.inFlight++
		close(t.ready)
	}
	if l.inFlight == 0 {
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
