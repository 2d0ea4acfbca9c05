package crisp

import (
	"log/slog"
	"sync"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
)

// Overflow is what happens when the queue between the reader and the handlers
// is full.
type Overflow int

// Ways to overflow.
const (
	// OverflowBlock stops reading until handlers have caught up with half of
	// the queue. Events wait in the server and in TCP's buffers; heartbeats go
	// on. Nothing is lost as long as the server has the patience.
	OverflowBlock Overflow = iota
	// OverflowDrop goes on reading and drops what comes until handlers have
	// caught up with half of the queue. The loss is reported as
	// [ErrSlowConsumer], to Hooks.Dropped, and as a gap.
	OverflowDrop
)

// episode is a run of events that are dropped because the queue is full: from
// the first that does not fit until handlers have caught up with half of it.
type episode struct {
	mu    sync.Mutex // guards what follows
	count int        // 0 = there is none
	gap   *openGap
}

// admit reports whether an event may be queued, by the overflow policy. It may
// wait.
func (t *RTM) admit(it *delivery.Item) bool {
	cost := it.Cost()
	fits := t.queue.Fits(cost)
	if !fits {
		t.queue.Flush() // handlers can't make room by what they don't have
	}
	if t.cfg.overflow == OverflowDrop {
		return !t.drop(it)
	}
	if !fits {
		t.progress.readerWaits(clock.Moment(it.Received))
		// The connection keeps its heartbeats up while nobody reads it. An event
		// that was read is queued even if the client is stopped meanwhile.
		_ = t.queue.WaitRoom(t.stopped, cost)
		t.progress.readerResumes(t.stopped)
	}
	return true
}

// drop reports whether an event has to be dropped, and counts it.
func (t *RTM) drop(it *delivery.Item) bool {
	e := &t.episode
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 {
		if t.queue.Fits(it.Cost()) {
			return false
		}
		e.gap = t.progress.openGap(t.client.clock.Stamp(clock.Moment(it.Received)))
		t.callbacks.Post(t.warnSlowConsumer)
		go t.awaitRoom()
	}
	e.count++
	t.dropped.Add(1)
	return true
}

func (t *RTM) warnSlowConsumer() {
	t.client.logger.Info("crisp: RTM queue full, dropping events", slog.Int64("queued_bytes", t.queue.Bytes()))
	t.report(ErrSlowConsumer)
}

// awaitRoom ends the episode when there is room. It does not leave that to the
// next event: a quiet website may not have one for hours, and what was dropped
// shall be recovered.
func (t *RTM) awaitRoom() {
	if t.queue.WaitRoom(t.stopped, 0) == nil {
		t.endEpisode()
	}
}

// endEpisode reports what was dropped, if anything was.
func (t *RTM) endEpisode() {
	e := &t.episode
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 {
		return
	}
	dropped := Dropped{Count: e.count, Err: ErrSlowConsumer}
	t.resume(e.gap, GapOverflow, func() { notify(t.callbacks, t.cfg.hooks.Dropped, dropped) })
	e.count, e.gap = 0, nil
}
