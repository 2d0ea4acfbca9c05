// Package delivery brings items from the goroutine that reads them to the
// handlers: in order, within a bound, and without the reader waiting for them.
//
//	reader ── Queue ── sequencer ── lanes ── handlers
//
// The reader puts items into a queue that is bounded in bytes. The sequencer,
// one goroutine, takes them out in order and decides what may pass and what has
// to wait. What passes goes into lanes, one for each key, from which several
// workers handle it: the items of a key one at a time, in order. With a single
// worker there are no lanes, and the sequencer's goroutine handles items itself.
//
// The package knows nothing of what the items are.
package delivery

import (
	"context"
)

// Config says how a queue delivers.
type Config struct {
	Workers  int   // items handled at a time, of different keys; at least 1
	MaxBytes int64 // the queue's bound, in Item.Cost; Holders may have half as much besides

	// Handle handles an item. worker is a number from 0 to Workers-1; each worker handles one
	// item at a time.
	Handle func(ctx context.Context, worker int, it *Item)
	Report func(error) // called with ErrGoexit
}

// Queue delivers items. Put, Flush and Fits are for the reading goroutine alone,
// Insert and Release for steps (see Do); all other methods may be called from
// any goroutine.
type Queue struct {
	handlers  *handlers
	sequencer *sequencer
	lanes     *lanes // nil: the sequencer runs the handlers itself

	pending oldest // of what is not flushed

	// For the reading goroutine alone.
	unflushed      *chunk
	unflushedBytes int64
	fits           int64 // bytes for which there is room for certain; by now there may be more
}

// New makes a queue and starts its goroutines. They end after Finish, or with
// the context, which is also that of the handlers.
func New(ctx context.Context, cfg Config) *Queue {
	h := &handlers{
		ctx:    ctx,
		handle: cfg.Handle,
		report: cfg.Report,
		limit:  cfg.MaxBytes,
		room:   make(chan struct{}, 1),
		held:   newHeld(cfg.MaxBytes / apartShare),
	}
	q := &Queue{handlers: h, unflushed: newChunk()}
	if cfg.Workers > 1 {
		q.lanes = startLanes(h, cfg.Workers)
	}
	q.sequencer = startSequencer(h, q.lanes)
	context.AfterFunc(ctx, func() {
		q.sequencer.wake()
		if q.lanes != nil {
			q.lanes.wake()
		}
	})
	return q
}

// Fits reports whether an item of this cost may be put. One that is larger than
// the whole queue fits when the queue is empty.
func (q *Queue) Fits(cost int64) bool {
	if cost <= q.fits {
		return true
	}
	used := q.handlers.used() + q.unflushedBytes
	q.fits = q.handlers.limit - used
	return used == 0 || cost <= q.fits
}

// Crowded reports whether Holders have so many items of a key that no more of it should be put,
// because it would take the room of other keys.
func (q *Queue) Crowded(key string) bool { return q.handlers.held.crowded(key) }

// WaitReleased returns when Holders have nothing of a key, or the context ends.
func (q *Queue) WaitReleased(ctx context.Context, key string) error {
	return q.handlers.held.await(ctx, key)
}

// Put adds an item, which should fit. It is handed over by the next Flush at
// the latest, which must come before the reading goroutine waits for anything.
func (q *Queue) Put(it *Item) {
	q.fits -= it.Cost()
	if q.unflushed.n == 0 {
		q.pending.set(it)
	}
	if q.lanes != nil {
		q.lanes.identify(it)
	}
	q.unflushed.add(it)
	q.unflushedBytes += it.Cost()
	if q.unflushed.full() {
		q.Flush()
	}
}

// Flush hands over what was put, so that reader and sequencer meet once per
// burst of items, not once per item.
func (q *Queue) Flush() {
	if q.unflushed.n == 0 {
		return
	}
	q.handlers.put.add(q.unflushed.n, q.unflushedBytes)
	q.sequencer.putChunk(q.unflushed)
	q.unflushed, q.unflushedBytes = newChunk(), 0
	q.pending.set(nil)
}

// Mark holds back what is put from now on, until Lift.
func (q *Queue) Mark() {
	q.sequencer.put(q.sequencer.inOrder(func() { q.sequencer.marked = true }))
}

// Settled calls a function when everything that was put before is handled, except for what
// Holders have; never if the context ends before. The function must not wait for anything.
func (q *Queue) Settled(then func()) {
	q.sequencer.put(q.sequencer.inOrder(func() { q.sequencer.settled(then) }))
}

// Lift ends the oldest mark. From then on the holder, unless it is nil, decides what has to
// wait, until it is released; it may be one that does so already. then, unless it is nil, is
// called as a step once Oldest counts what was behind the mark again.
func (q *Queue) Lift(h Holder, then func()) {
	q.Do(func() { q.sequencer.lift(h, then) })
}

// Do runs a step on the sequencer's goroutine, between two items, after those that were flushed
// before; a mark does not hold it back. Steps run one at a time, and never beside a Holder's
// methods: what only they touch needs no lock.
func (q *Queue) Do(step func()) { q.sequencer.put(Item{Call: step}) }

// Insert puts items in front of all others that have not passed the sequencer yet, in their
// order: new ones, marked as Extra, and those that a Holder took. It is for steps alone.
func (q *Queue) Insert(items ...Item) { q.sequencer.insert(items) }

// Release takes a Holder out of use; it must have inserted what it took. It is for
// steps alone.
func (q *Queue) Release(h Holder) { q.sequencer.release(h) }

// Oldest returns SentAfter of the oldest item that is not handled; 0 if there is none. What
// waits for a mark or a Holder does not count: whoever makes it wait knows since when.
func (q *Queue) Oldest() int64 {
	// In the order in which items move on, so that none is missed.
	oldest := q.pending.sentAfter.Load()
	oldest = earlier(oldest, q.sequencer.oldest())
	if q.lanes != nil {
		oldest = earlier(oldest, q.lanes.oldest(sentAfter))
	}
	return oldest
}

// Waiting returns Received of the oldest item that is not handled, including what waits for a
// mark or a Holder; 0 if there is none. Of what Holders have, the first that was taken counts,
// until they have nothing more.
func (q *Queue) Waiting() int64 {
	oldest := earlier(q.pending.received.Load(), q.sequencer.waiting())
	if q.lanes != nil {
		oldest = earlier(oldest, q.lanes.oldest(received))
	}
	return oldest
}

// Bytes returns the cost of all items that are queued or being handled.
func (q *Queue) Bytes() int64 { return q.handlers.bytes() }

// Len returns how many items are queued or being handled.
func (q *Queue) Len() int { return q.handlers.items() }

// WaitRoom returns when handlers have caught up with half of the queue and an
// item of this cost fits, or the context's cause when that ends. Half, so that the reader does
// not stop and go for each item. It is for one goroutine at a time.
func (q *Queue) WaitRoom(ctx context.Context, cost int64) error {
	return q.handlers.waitRoom(ctx, cost)
}

// Finish lets the goroutines end once they have handled what is queued. Nothing
// may be put after it.
func (q *Queue) Finish() { q.sequencer.finish() }

// Done returns a channel that is closed when all is handled, or abandoned.
func (q *Queue) Done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		q.handlers.running.Wait()
		close(done)
	}()
	return done
}
