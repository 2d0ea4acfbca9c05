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
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// overhead is what an item in the queue counts besides its payload, so that a
// flood of tiny ones can't exceed the bound.
const overhead = 160

// ErrGoexit is reported when a handler ended its goroutine.
var ErrGoexit = errors.New("crisp: a handler called runtime.Goexit (testing's FailNow does): its event counts as handled")

// Item is what is delivered.
type Item struct {
	Key      string // items of the same key are handled one at a time, in order
	Name     string
	Payload  []byte
	Received int64 // UNIX ns
	Value    any   // what else is known of it

	// Extra marks an item that came in by Insert alone. It counts towards no
	// bound: what the queue holds may have to wait for it.
	Extra bool
	// Call makes it no item, but something to do: by the sequencer if it comes
	// through the queue (see Do), in its key's turn if it was inserted.
	Call func()
}

// Cost is what an item counts towards the queue's bound, in bytes.
func (it *Item) Cost() int64 { return int64(len(it.Payload)) + overhead }

// counts reports whether an item counts towards the queue's bound.
func (it *Item) counts() bool { return !it.Extra && it.Call == nil }

// Config says how a queue delivers.
type Config struct {
	Workers  int   // items handled at a time, of different keys; at least 1
	MaxBytes int64 // the queue's bound, in costs of items

	Handle func(ctx context.Context, it *Item)
	Report func(error) // is told of ErrGoexit
}

// Queue delivers items. Put, Flush and Fits are for the reading goroutine alone,
// Insert and Release for steps (see Do); all other methods may be called from
// anywhere.
//
// What is queued is counted by tallies, so that the goroutines, on cores of
// their own, need not write to the same memory for every item: the reader's has
// what was put, the others' what is done.
type Queue struct {
	ctx       context.Context // of the handlers; its end abandons what is queued
	cfg       Config
	sequencer *sequencer
	lanes     *lanes // nil: the sequencer handles items itself

	running sync.WaitGroup
	waiting atomic.Bool   // somebody wants to know when there is room
	room    chan struct{} // capacity 1

	put     tally
	pending atomic.Int64 // when the oldest item that is not flushed was received, UNIX ns; 0 if there is none

	// For the reading goroutine alone.
	unflushed []Item
	fits      int64 // bytes that fit for certain; there may be more by now
}

// tally counts items and what they cost. One goroutine writes it at a time.
type tally struct{ items, bytes atomic.Int64 }

func (t *tally) add(cost int64) {
	t.items.Add(1)
	t.bytes.Add(cost)
}

// New makes a queue and starts its goroutines. They end after Finish, or with
// the context, which is also that of the handlers.
func New(ctx context.Context, cfg Config) *Queue {
	q := &Queue{
		ctx:       ctx,
		cfg:       cfg,
		room:      make(chan struct{}, 1),
		unflushed: make([]Item, 0, chunkItems),
	}
	q.sequencer = newSequencer(q)
	if cfg.Workers > 1 {
		q.lanes = newLanes(q)
	}
	q.sequencer.start()
	context.AfterFunc(ctx, func() {
		q.sequencer.wake()
		if q.lanes != nil {
			q.lanes.wake()
		}
	})
	return q
}

// handle does what an item asks for that has passed the sequencer.
func (q *Queue) handle(it *Item) {
	if it.Call != nil {
		it.Call()
		return
	}
	q.cfg.Handle(q.ctx, it)
}

// Fits reports whether an item of this cost may be put. One that is larger than
// the whole queue fits when the queue is empty.
func (q *Queue) Fits(cost int64) bool {
	if cost <= q.fits {
		return true
	}
	used := q.Bytes()
	q.fits = q.cfg.MaxBytes - used
	return used == 0 || cost <= q.fits
}

// Put adds an item, which should fit. It is handed over by the next Flush at
// the latest, which must come before the reading goroutine waits for anything.
func (q *Queue) Put(it Item) {
	cost := it.Cost()
	q.fits -= cost
	q.put.add(cost)
	if len(q.unflushed) == 0 {
		q.pending.Store(it.Received)
	}
	q.unflushed = append(q.unflushed, it)
	if len(q.unflushed) == chunkItems {
		q.Flush()
	}
}

// Flush hands over what was put, so that reader and sequencer meet once per
// burst of items, not once per item.
func (q *Queue) Flush() {
	if len(q.unflushed) == 0 {
		return
	}
	q.sequencer.put(q.unflushed...)
	clear(q.unflushed)
	q.unflushed = q.unflushed[:0]
	q.pending.Store(0)
}

// Mark holds back what is put from now on, until Lift.
func (q *Queue) Mark() {
	q.sequencer.put(q.sequencer.inOrder(func() { q.sequencer.marked = true }))
}

// Lift ends the oldest mark. From then on the holder, unless it is nil, decides
// what has to wait, until it is released. then, unless it is nil, is called as a
// step of the sequencer when what was behind the mark counts for itself again.
func (q *Queue) Lift(h Holder, then func()) {
	q.Do(func() { q.sequencer.lift(h, then) })
}

// Do has the sequencer do something between two items, after those that were
// flushed before; a mark does not hold it back. Steps run one at a time, never
// beside a Holder's methods: what only they touch needs no lock.
func (q *Queue) Do(step func()) { q.sequencer.put(Item{Call: step}) }

// Insert puts items before all others that have not passed the sequencer yet, in
// their order: new ones, marked as Extra, and those that a Holder took. It is for
// steps alone.
func (q *Queue) Insert(items ...Item) { q.sequencer.insert(items) }

// Release ends a Holder's part; it must have inserted what it took. It is for
// steps alone.
func (q *Queue) Release(h Holder) { q.sequencer.release(h) }

// Oldest is when the oldest item that is not handled was received; zero if
// there is none. What waits for a mark or a Holder does not count here: whoever
// makes it wait knows since when.
func (q *Queue) Oldest() time.Time {
	// In the order in which items move on, so that none escapes.
	oldest := q.pending.Load()
	oldest = earlier(oldest, q.sequencer.oldest())
	if q.lanes != nil {
		oldest = earlier(oldest, q.lanes.oldest())
	}
	if oldest == 0 {
		return time.Time{}
	}
	return time.Unix(0, oldest)
}

// earlier is the earlier of two times in UNIX ns, of which 0 means none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Bytes is what the items that are queued or being handled cost.
func (q *Queue) Bytes() int64 {
	return q.outstanding(func(t *tally) int64 { return t.bytes.Load() })
}

// Len is how many items are queued or being handled.
func (q *Queue) Len() int {
	return int(q.outstanding(func(t *tally) int64 { return t.items.Load() }))
}

// outstanding is what was put less what is done. The latter is read first: what
// goes on meanwhile makes the difference more than it could be, never less.
func (q *Queue) outstanding(of func(*tally) int64) int64 {
	done := of(&q.sequencer.done)
	if q.lanes != nil {
		done += of(&q.lanes.done)
	}
	return of(&q.put) - done
}

// WaitRoom returns when handlers have caught up with half of the queue and an
// item of this cost fits, or the context ends. Half, so that the reader does not
// stop and go for each item. It is for one goroutine at a time.
func (q *Queue) WaitRoom(ctx context.Context, cost int64) error {
	q.waiting.Store(true)
	defer q.waiting.Store(false)
	limit := q.cfg.MaxBytes
	for used := q.Bytes(); used > limit/2 || used > 0 && used+cost > limit; used = q.Bytes() {
		select {
		case <-q.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// handled wakes whoever waits for room, if there is some now.
func (q *Queue) handled() {
	if q.waiting.Load() && q.Bytes() <= q.cfg.MaxBytes/2 {
		select {
		case q.room <- struct{}{}:
		default:
		}
	}
}

// Finish lets the goroutines end once they have handled what is queued. Nothing
// may be put after it.
func (q *Queue) Finish() { q.sequencer.finish() }

// Done returns a channel that is closed when all is handled, or abandoned.
func (q *Queue) Done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		q.running.Wait()
		close(done)
	}()
	return done
}
