package crisp

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
)

// State is what an RTM client is doing.
type State int

// States of an RTM client.
const (
	StateNew        State = iota // Run was not called yet
	StateConnecting              // fetching the endpoint, connecting, authenticating
	StateConnected               // authenticated: events flow
	StateWaiting                 // for the next connection attempt
	StateDraining                // receiving no more, handlers finish what is queued
	StateClosed                  // Run has ended
)

// String returns the state in lower case, such as "connected".
func (s State) String() string {
	names := [...]string{"new", "connecting", "connected", "waiting", "draining", "closed"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return names[s]
}

// Stats are counters of an RTM client since it was made, and what it is doing.
type Stats struct {
	State        State
	Since        time.Time // when it entered this state
	Received     uint64    // events that a handler is registered for
	Dropped      uint64    // of these, dropped: the sum of what Hooks.Dropped reports
	Reconnects   uint64    // connections after the first
	QueuedEvents int       // waiting for handlers, or being handled
	QueuedBytes  int64     // what they count towards the bound of [WithQueue]
	// OldestEvent is when the oldest of the queued events was received; zero if there is
	// none. If it stays the same for long, a handler hangs.
	OldestEvent time.Time
	LastEvent   time.Time // when the last event came; zero if none did
}

// State returns what the client is doing.
func (t *RTM) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

func (t *RTM) setState(s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.become(s)
}

// become is setState with t.mu held.
func (t *RTM) become(s State) {
	if s == t.state {
		return
	}
	t.state, t.since = s, time.Now()
	close(t.changed)
	t.changed = make(chan struct{})
}

// failed notes the error for which the client has to wait before the next attempt.
func (t *RTM) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastError = err
	t.become(StateWaiting)
}

// Ready returns when the client is connected, so that events flow; at once if it is.
// It may be called before [RTM.Run], and again. If the client ends first, it returns why:
// what Run returns. If ctx ends first, it returns its cause, with what the client was
// doing and what went wrong last.
func (t *RTM) Ready(ctx context.Context) error {
	for {
		t.mu.Lock()
		state, changed, last := t.state, t.changed, t.lastError
		t.mu.Unlock()
		if t.stopped.Err() != nil {
			return context.Cause(t.stopped)
		}
		if state == StateConnected {
			return nil
		}
		select {
		case <-changed:
		case <-t.stopped.Done():
		case <-ctx.Done():
			if state == StateNew {
				return fmt.Errorf("crisp: RTM client not connected: nobody has called RTM.Run: %w", context.Cause(ctx))
			}
			if last == nil {
				return fmt.Errorf("crisp: RTM client not connected (%s): %w", state, context.Cause(ctx))
			}
			return fmt.Errorf("crisp: RTM client not connected (%s; %s): %w", state, last.Error(), context.Cause(ctx))
		}
	}
}

// Stats returns the counters.
func (t *RTM) Stats() Stats {
	t.mu.Lock()
	state, since, queue := t.state, t.since, t.queue
	t.mu.Unlock()
	s := Stats{
		State:      state,
		Since:      since,
		Received:   t.received.Load(),
		Dropped:    t.dropped.Load(),
		Reconnects: t.reconnects.Load(),
	}
	if queue != nil {
		s.QueuedEvents, s.QueuedBytes = queue.Len(), queue.Bytes()
		if at := clock.Moment(queue.Waiting()); at != 0 {
			s.OldestEvent = t.client.clock.Wall(at)
		}
	}
	if at := clock.Moment(t.progress.lastEvent.Load()); at != 0 {
		s.LastEvent = t.client.clock.Wall(at)
	}
	return s
}
