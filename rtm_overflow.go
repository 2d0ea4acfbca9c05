package crisp

import (
	"log/slog"
	"slices"
	"strings"
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
	// [ErrSlowConsumer], to Hooks.Dropped, and as a gap. So is that of a
	// conversation in which too much is said while a backfill fetches what it has
	// missed; the others go on.
	OverflowDrop
)

// episode is a run of events that are dropped because there is no room. One is of all
// events: from the first that does not fit until handlers have caught up with half of
// the queue. Another is of conversations of which a backfill holds back too much:
// until it has let go of them.
type episode struct {
	mu    sync.Mutex // guards what follows
	count int        // 0 = there is none
	keys  []string   // of the conversations, if it is theirs
	gap   *openGap
}

// admit reports whether an event may be queued, by the overflow policy. It may
// wait.
func (t *RTM) admit(c *connection, it *delivery.Item) bool {
	cost := it.Cost()
	fits := t.queue.Fits(cost)
	if !fits {
		t.queue.Flush() // handlers can't make room by what they don't have
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

// dropCrowded drops what is said in a conversation until the episode is over, even if
// a backfill lets go of that conversation before: it has to come behind what was dropped.
func (t *RTM) dropCrowded(it *delivery.Item) bool {
	e := &t.crowded
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.keys, it.Key) {
		if !t.queue.Crowded(it.Key) {
			return false
		}
		e.keys = append(e.keys, strings.Clone(it.Key)) // it is a part of the payload
	}
	t.count(e, it, t.awaitReleased)
	return true
}

// count counts a dropped event; the episode's mutex is held. The first begins the
// episode, whose end is for await to find.
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

// awaitRoom ends the episode when there is room. It does not leave that to the
// next event: a quiet website may not have one for hours, and what was dropped
// shall be recovered.
func (t *RTM) awaitRoom() {
	if t.queue.WaitRoom(t.stopped, 0) == nil {
		t.endEpisode(&t.overflow)
	}
}

// awaitReleased ends the episode when nothing is held back any more of the conversations
// that are crowded, which may become more meanwhile.
func (t *RTM) awaitReleased() {
	e := &t.crowded
	for n := 0; ; n++ {
		e.mu.Lock()
		if n == len(e.keys) {
			t.tellEpisode(e)
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

// endEpisode reports what was dropped, if anything was.
func (t *RTM) endEpisode(e *episode) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.tellEpisode(e)
}

// tellEpisode does that; the episode's mutex is held.
func (t *RTM) tellEpisode(e *episode) {
	if e.count == 0 {
		return
	}
	dropped := Dropped{Count: e.count, Err: ErrSlowConsumer}
	t.resume(e.gap, GapOverflow, func() { notify(t.callbacks, t.cfg.hooks.Dropped, dropped) })
	e.count, e.keys, e.gap = 0, nil, nil
}
