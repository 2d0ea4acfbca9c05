package crisp

import (
	"log/slog"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
)

// missedPause is how long unreadable events are gathered after the first was reported, so
// that a server that sends nothing else doesn't cause a gap, and a backfill, for each.
const missedPause = time.Minute

// missed tracks the events that came, but could not be read. The first is reported at once,
// as a gap before the next event. Those that follow within missedPause are reported as one
// gap when it is over.
type missed struct {
	mu    sync.Mutex  // guards what follows
	timer *time.Timer // runs during a pause; nil = there is none
	gap   *openGap    // not reported yet; nil = none
	ended bool        // nothing more is reported
}

// missedPacket opens a gap that begins before a packet which the connection skips. It is for
// the reading goroutine alone.
func (t *RTM) missedPacket() {
	from := t.progress.beforeSkipped()
	if from.IsZero() {
		return
	}
	t.queue.Flush() // what came before the gap need not wait for it
	t.missedEvent(from)
}

// missedEvent opens a gap that begins before an event which could not be read, or adds the
// event to the gap that waits to be reported.
func (t *RTM) missedEvent(from clock.Stamp) {
	m := &t.missed
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gap == nil {
		m.gap = t.progress.openGap(from)
	}
	if m.timer != nil || m.ended { // at the end of a run, the gap holds back the position, from which the next run goes on
		return
	}
	m.timer = time.AfterFunc(missedPause, t.missedPauseOver)
	t.reportMissed()
}

// reportMissed reports the gap; missed.mu is held.
func (t *RTM) reportMissed() {
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
		t.reportMissed()
	}
}

// endMissed reports what is left. Nothing may be put into the queue after it.
func (t *RTM) endMissed() {
	m := &t.missed
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if m.timer != nil {
		m.timer.Stop()
	}
	if m.gap != nil {
		t.reportMissed()
	}
}
