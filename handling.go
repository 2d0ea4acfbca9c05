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

// handling runs a router, and knows which events it is at.
type handling struct {
	run func(ctx context.Context, ev Event) error // Router.Dispatch, or dispatch
	handlingLimits
	warn  func(slow slowHandler) // is called without a lock
	start time.Time              // before all events
	armed atomic.Bool            // the timer runs

	mu      sync.Mutex // guards what follows; taken before that of a slot
	slots   []*slot
	free    []*slot
	timer   *time.Timer // nil = nothing has run yet
	stopped bool        // nothing more is warned of
}

func newHandling(run func(ctx context.Context, ev Event) error, limits handlingLimits, warn func(slowHandler)) *handling {
	return &handling{run: run, handlingLimits: limits, warn: warn, start: time.Now()}
}

// slot is where events are handled one at a time. Whoever handles many has one of its
// own, so that nobody but look contends for its lock.
type slot struct {
	*handling
	mu    sync.Mutex // guards what follows
	event string     // in hand, or the last one
	since time.Duration
	due   time.Duration // after which it is warned of; 0 = nothing is in hand
	_     [64]byte      // keeps the next slot off its cache line
}

// slowHandler is an event whose handlers run long.
type slowHandler struct {
	name    string
	ran     time.Duration
	running int // events in the hands of handlers, with this one
}

// dispatch runs the handlers of an event within the limits, in whichever slot is free.
func (h *handling) dispatch(ctx context.Context, ev Event) error {
	s := h.takeSlot()
	defer h.freeSlot(s) // also if a handler ends the goroutine
	return s.dispatch(ctx, ev)
}

func (h *handling) takeSlot() *slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.free); n > 0 {
		s := h.free[n-1]
		h.free = h.free[:n-1]
		return s
	}
	s := &slot{handling: h}
	h.slots = append(h.slots, s)
	return s
}

func (h *handling) freeSlot(s *slot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = append(h.free, s)
}

// dispatch runs the handlers of an event within the limits.
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

// arm starts the timer, which runs until nothing is handled: it is looked at every now
// and then, not set for each event.
func (h *handling) arm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped || h.armed.Load():
		return
	case h.timer == nil:
		h.timer = time.AfterFunc(h.slow, h.look)
	default:
		h.timer.Reset(h.slow)
	}
	h.armed.Store(true)
}

// stop ends the warnings: whoever has set the logger may not expect them any more.
func (h *handling) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// look warns of what runs long, and looks again when something may.
func (h *handling) look() {
	for _, slow := range h.slowOnes() {
		h.warn(slow)
	}
}

func (h *handling) slowOnes() (slow []slowHandler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil
	}
	h.armed.Store(false) // what begins from here on is not overlooked
	running, next := 0, h.slow
	for _, s := range h.slots {
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
		h.timer.Reset(next)
		h.armed.Store(true)
	}
	return slow
}

// look returns after which time to look again, 0 if nothing is in hand, and what is if it is to
// be warned of now.
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
