package crisp

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
)

// Overflow says what happens when the queue between the connection and the handlers is full:
// see [WithQueue].
type Overflow int

// Ways to overflow.
const (
	// OverflowBlock stops reading until handlers have caught up with half of
	// the queue. Meanwhile events wait at the server and in TCP's buffers, and heartbeats go
	// on. Nothing is lost as long as the server keeps the connection.
	OverflowBlock Overflow = iota
	// OverflowDrop goes on reading and drops what comes until handlers have
	// caught up with half of the queue. The loss is reported as
	// [ErrSlowConsumer], to Hooks.Dropped, and as a gap. A single conversation
	// overflows in the same way if too much is said in it while a backfill fetches
	// what it has missed; the others go on.
	OverflowDrop
)

// episode is a run of events that are dropped because there is no room. RTM.overflow is about
// all events: it lasts from the first that does not fit until handlers have caught up with
// half of the queue. RTM.crowded is about the conversations of which a backfill holds back too
// much: it lasts until the backfill has let go of them.
type episode struct {
	mu    sync.Mutex // guards what follows
	count int        // events dropped so far; 0 = no episode
	keys  []string   // of the crowded conversations; RTM.crowded only
	gap   *openGap   // begins before the first dropped event
}

// admit reports whether an event is to be queued. By OverflowBlock it waits for room.
func (t *RTM) admit(c *connection, it *delivery.Item) bool {
	cost := it.Cost()
	fits := t.queue.Fits(cost)
	if !fits {
		t.queue.Flush() // handlers can't make room by handling what they don't have yet
	}
	if t.cfg.overflow == OverflowDrop {
		return !t.drop(it)
	}
	if !fits {
		c.HoldUp()
		// The connection keeps its heartbeats up while nobody reads it. An event
		// that was read is queued even if the client is stopped meanwhile.
		_ = t.queue.WaitRoom(t.stopped, cost)
		c.GoOn()
	}
	return true
}

// drop reports whether an event has to be dropped, and counts it.
func (t *RTM) drop(it *delivery.Item) bool {
	return t.dropCrowded(it) || t.dropOverflow(it)
}

// dropOverflow reports whether an event is to be dropped because the queue is full, and counts
// it.
func (t *RTM) dropOverflow(it *delivery.Item) bool {
	e := &t.overflow
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 && t.queue.Fits(it.Cost()) {
		return false
	}
	t.count(e, it, t.awaitRoom)
	return true
}

// dropCrowded reports whether an event is to be dropped because its conversation is crowded,
// and counts it. That goes on until the episode is over, even if the backfill lets go of this
// conversation earlier: later events have to come behind those that were dropped and are recovered.
func (t *RTM) dropCrowded(it *delivery.Item) bool {
	e := &t.crowded
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.keys, it.Key) {
		if !t.queue.Crowded(it.Key) {
			return false
		}
		e.keys = append(e.keys, strings.Clone(it.Key)) // the key is a part of the payload
	}
	t.count(e, it, t.awaitReleased)
	return true
}

// count counts a dropped event; the episode's mutex is held. The first one begins the
// episode, and starts await, which is to end it.
func (t *RTM) count(e *episode, it *delivery.Item, await func()) {
	if e.count == 0 {
		e.gap = t.progress.openGap(t.client.clock.Stamp(clock.Moment(it.SentAfter)))
		t.callbacks.Post(t.warnSlowConsumer)
		go await()
	}
	e.count++
	t.dropped.Add(1)
}

func (t *RTM) warnSlowConsumer() {
	t.client.logger.Info("crisp: RTM queue full, dropping events", slog.Int64("queued_bytes", t.queue.Bytes()))
	t.report(ErrSlowConsumer)
}

// awaitRoom ends the episode when there is room. That is not left to the next event: a quiet
// website may have none for hours, and what was dropped is to be recovered soon.
func (t *RTM) awaitRoom() {
	if t.queue.WaitRoom(t.stopped, 0) == nil {
		t.endEpisode(&t.overflow)
	}
}

// awaitReleased ends the episode when nothing of the crowded conversations is held back any
// more. Others may become crowded meanwhile.
func (t *RTM) awaitReleased() {
	e := &t.crowded
	for n := 0; ; n++ {
		e.mu.Lock()
		if n == len(e.keys) {
			t.reportEpisode(e)
			e.mu.Unlock()
			return
		}
		key := e.keys[n]
		e.mu.Unlock()
		if t.queue.WaitReleased(t.stopped, key) != nil {
			return
		}
	}
}

// endEpisode ends an episode, and reports what was dropped, if anything was.
func (t *RTM) endEpisode(e *episode) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.reportEpisode(e)
}

// reportEpisode is endEpisode with the episode's mutex held.
func (t *RTM) reportEpisode(e *episode) {
	if e.count == 0 {
		return
	}
	dropped := Dropped{Count: e.count, Err: ErrSlowConsumer}
	t.resume(e.gap, GapOverflow, func() { notify(t.callbacks, t.cfg.hooks.Dropped, dropped) })
	e.count, e.keys, e.gap = 0, nil, nil
}
