package crisp

import (
	"context"
	"fmt"
	"sync"
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
	warn func(slow slowHandler) // is called without a lock

	mu             sync.Mutex // guards what follows
	oldest, newest *inHand
	running        int
	timer          *time.Timer // nil = nothing has run yet
	armed          bool        // the timer runs
	stopped        bool        // nothing more is warned of
	free           *inHand
}

// inHand is an event in the hands of its handlers.
type inHand struct {
	name         string
	since        time.Time
	due          time.Duration // after which it is warned of
	older, newer *inHand
}

// slowHandler is an event whose handlers run long.
type slowHandler struct {
	name    string
	ran     time.Duration
	running int // events in the hands of handlers, with this one
}

// dispatch runs the handlers of an event within the limits.
func (h *handling) dispatch(ctx context.Context, ev Event) error {
	if h.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.timeout)
		defer cancel()
	}
	if h.slow > 0 {
		r := h.begin(ev.EventName())
		defer h.end(r) // also if a handler ends the goroutine
	}
	return h.run(ctx, ev)
}

func (h *handling) begin(name string) *inHand {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.free
	if r == nil {
		r = new(inHand)
	} else {
		h.free = r.newer
	}
	*r = inHand{name: name, since: time.Now(), due: h.slow, older: h.newest}
	if h.newest == nil {
		h.oldest = r
	} else {
		h.newest.newer = r
	}
	h.newest = r
	h.running++
	switch {
	case h.armed || h.stopped:
		return r
	case h.timer == nil:
		h.timer = time.AfterFunc(h.slow, h.look)
	default:
		h.timer.Reset(h.slow)
	}
	h.armed = true // until nothing runs: it is looked at every now and then, not set for each event
	return r
}

func (h *handling) end(r *inHand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.older == nil {
		h.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		h.newest = r.older
	} else {
		r.newer.older = r.older
	}
	h.running--
	*r = inHand{newer: h.free}
	h.free = r
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
	next := h.slow
	for r := h.oldest; r != nil; r = r.newer {
		ran := time.Since(r.since)
		if ran >= r.due {
			slow = append(slow, slowHandler{name: r.name, ran: ran, running: h.running})
			r.due *= 2
		}
		next = min(next, r.due-ran)
	}
	if h.armed = h.oldest != nil; h.armed {
		h.timer.Reset(max(next, 0))
	}
	return slow
}
