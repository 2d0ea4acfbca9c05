package crisp

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// defaultSlowHandler is when a handler is warned of that nobody has set a time for.
const defaultSlowHandler = 30 * time.Second

const slowHandlerWarning = "crisp: a handler has not returned for long, and what is behind it waits: does it hang?"

// HandlerOption is an option of both [Client.NewRTM] and [NewWebhook].
type HandlerOption func(*handlingLimits) error

// WithHandlerTimeout ends the context of an event's handlers after a time. By
// default nothing does, except the end of an [RTM]. What ignores its context is not
// stopped by it: see [WithSlowHandler].
func WithHandlerTimeout(d time.Duration) HandlerOption {
	return func(l *handlingLimits) error {
		if d <= 0 {
			return fmt.Errorf("crisp: WithHandlerTimeout(%s): needs more than 0", d)
		}
		l.timeout = d
		return nil
	}
}

// WithSlowHandler sets after which time the logger is warned of an event whose
// handlers have not returned, and again each time that it is twice as long; default
// 30 s. 0 stands for never. The warning says how many events wait behind it.
func WithSlowHandler(d time.Duration) HandlerOption {
	return func(l *handlingLimits) error {
		if d < 0 {
			return fmt.Errorf("crisp: WithSlowHandler(%s): needs 0 or more", d)
		}
		l.slow = d
		return nil
	}
}

// handlingLimits are how long the handlers of an event may take.
type handlingLimits struct {
	timeout time.Duration // 0 = no end
	slow    time.Duration // 0 = never
}

// dispatcher runs a router's handlers within limits, and warns of those that run long.
//
// Each event is handled in a slot, which records what it is and since when. One timer looks
// at all slots every now and then, as long as any is busy, rather than one for each event.
type dispatcher struct {
	run func(ctx context.Context, ev Event) error // Router.Dispatch, or dispatch
	handlingLimits
	warn  func(slow slowHandler) // called without a lock
	start time.Time              // before all events
	armed atomic.Bool            // the timer runs; written with mu held

	mu      sync.Mutex  // guards what follows; taken before that of a slot
	slots   []*slot     // all
	free    []*slot     // those that freeSlot gave back
	timer   *time.Timer // nil until the first event
	stopped bool        // no more warnings
}

func newDispatcher(run func(ctx context.Context, ev Event) error, limits handlingLimits, warn func(slowHandler)) *dispatcher {
	return &dispatcher{run: run, handlingLimits: limits, warn: warn, start: time.Now()}
}

// slot is where events are handled one at a time. A worker of an RTM client keeps one for
// good, so that only the timer contends for its lock.
type slot struct {
	*dispatcher
	mu    sync.Mutex    // guards what follows
	event string        // being handled, or the last that was
	since time.Duration // when that began, from dispatcher.start
	due   time.Duration // how long it may run until the next warning; 0 = the slot is idle
	_     [64]byte      // keeps the next slot off its cache line
}

// slowHandler is an event whose handlers run long.
type slowHandler struct {
	name    string        // of the event
	ran     time.Duration // so far
	running int           // events being handled, this one included
}

// dispatch runs the handlers of an event within the limits, in any free slot.
func (d *dispatcher) dispatch(ctx context.Context, ev Event) error {
	s := d.takeSlot()
	defer d.freeSlot(s) // also if a handler ends the goroutine
	return s.dispatch(ctx, ev)
}

func (d *dispatcher) takeSlot() *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.free); n > 0 {
		s := d.free[n-1]
		d.free = d.free[:n-1]
		return s
	}
	s := &slot{dispatcher: d}
	d.slots = append(d.slots, s)
	return s
}

func (d *dispatcher) freeSlot(s *slot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = append(d.free, s)
}

// dispatch runs the handlers of an event within the limits, in this slot.
func (s *slot) dispatch(ctx context.Context, ev Event) error {
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if s.slow > 0 {
		s.begin(ev.EventName())
		defer s.end() // also if a handler ends the goroutine
	}
	return s.run(ctx, ev)
}

func (s *slot) begin(event string) {
	s.mu.Lock()
	s.event, s.since, s.due = event, time.Since(s.start), s.slow
	s.mu.Unlock()
	if !s.armed.Load() {
		s.arm()
	}
}

func (s *slot) end() {
	s.mu.Lock()
	s.due = 0
	s.mu.Unlock()
}

// arm starts the timer, unless it runs.
func (d *dispatcher) arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopped || d.armed.Load():
		return
	case d.timer == nil:
		d.timer = time.AfterFunc(d.slow, d.warnOfSlow)
	default:
		d.timer.Reset(d.slow)
	}
	d.armed.Store(true)
}

// stop ends the warnings: the owner of the logger may not expect them any more.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}

// warnOfSlow is what the timer calls.
func (d *dispatcher) warnOfSlow() {
	for _, slow := range d.lookForSlow() {
		d.warn(slow)
	}
}

// lookForSlow returns the events to warn of now, and sets the timer if any slot is busy.
func (d *dispatcher) lookForSlow() (slow []slowHandler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil
	}
	d.armed.Store(false) // first, so that an event that begins from here on arms it again
	running, next := 0, d.slow
	for _, s := range d.slots {
		at, left := s.look()
		if left == 0 {
			continue
		}
		running++
		next = min(next, left)
		if at != nil {
			slow = append(slow, *at)
		}
	}
	for i := range slow {
		slow[i].running = running
	}
	if running > 0 {
		d.timer.Reset(next)
		d.armed.Store(true)
	}
	return slow
}

// look returns when the slot has to be looked at again, 0 if it is idle, and its event if
// that is to be warned of now.
func (s *slot) look() (slow *slowHandler, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == 0 {
		return nil, 0
	}
	ran := time.Since(s.start) - s.since
	if ran >= s.due {
		slow = &slowHandler{name: s.event, ran: ran}
		s.due *= 2
	}
	return slow, max(s.due-ran, 1)
}
