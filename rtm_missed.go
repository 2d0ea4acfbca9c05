package crisp

import (
	"log/slog"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
)

// missedPause is how long events that can't be read are gathered after the first
// has been told of, lest a server that sends nothing else causes a gap, and a
// backfill, for each.
const missedPause = time.Minute

// missed are the events that came, but could not be read. The first is told of at
// once, as a gap, before the next event. Those that follow within missedPause are
// told of together, when it is over.
type missed struct {
	mu    sync.Mutex  // guards what follows
	timer *time.Timer // runs during the pause; nil = there is none
	gap   *openGap    // of the pause; nil = none
	ended bool
}

// missedPacket opens a gap from before a packet that the connection skips, on the
// reading goroutine.
func (t *RTM) missedPacket() {
	from := t.progress.beforeSkipped()
	if from.IsZero() {
		return
	}
	t.queue.Flush() // what came before the gap doesn't wait for it
	t.missedEvent(from)
}

// missedEvent opens a gap from before an event that could not be read, or adds the
// event to one that waits to be told of.
func (t *RTM) missedEvent(from clock.Stamp) {
	m := &t.missed
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gap == nil {
		m.gap = t.progress.openGap(from)
	}
	if m.timer != nil || m.ended { // in the end, the next run finds it by its position
		return
	}
	m.timer = time.AfterFunc(missedPause, t.missedPauseOver)
	t.tellMissed()
}

// tellMissed tells of the gap; missed.mu is held.
func (t *RTM) tellMissed() {
	open := t.missed.gap
	t.missed.gap = nil
	t.client.logger.Warn("crisp: RTM events could not be read", slog.Time("from", open.dated(GapSkipped).From))
	t.resume(open, GapSkipped, func() {})
}

func (t *RTM) missedPauseOver() {
	m := &t.missed
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ended:
	case m.gap == nil:
		m.timer = nil
	default:
		m.timer.Reset(missedPause)
		t.tellMissed()
	}
}

// endMissed tells of what waits to be told of: nothing more may be put into the
// queue from here on.
func (t *RTM) endMissed() {
	m := &t.missed
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if m.timer != nil {
		m.timer.Stop()
	}
	if m.gap != nil {
		t.tellMissed()
	}
}
