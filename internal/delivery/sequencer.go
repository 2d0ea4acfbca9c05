package delivery

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/crisp-go/crisp/internal/serial"
)

// Holder decides which items have to wait for something. Its methods are called
// on the sequencer's goroutine, between Lift and Release.
type Holder interface {
	// Hold reports whether an item must wait. If so, the Holder has taken it, and has to
	// Insert it when it may go on. In either case it may have set the item's Value.
	Hold(it *Item) bool
	// CaughtUp is called when Hold was called for everything that was put before the Lift.
	CaughtUp()
}

// sequencer is the one goroutine that all items pass, in the order they were
// put. It owns everything about what has to wait, and why:
//
//   - A mark (Queue.Mark) holds back whatever comes behind it (the field behind), since
//     nobody knows yet what of it has to wait. When the mark is lifted, what was behind it
//     is looked at again, before anything newer.
//   - A Holder (Queue.Lift) takes single items out of the stream, and inserts
//     them again later.
//   - What is inserted (the field first) goes first, and nothing holds it back.
//
// Other goroutines change this order by steps (Queue.Do), which the sequencer runs when it
// comes to them. So none of it needs a lock, and each change has its place between two items.
type sequencer struct {
	handlers *handlers
	lanes    *lanes // nil: it runs the handlers itself

	mu       sync.Mutex // guards queue and finished
	nonEmpty sync.Cond  // the queue has something, finished is set, or the context has ended
	queue    chunkQueue
	finished bool

	// Written by the sequencer's goroutine alone.
	inHand      oldest       // of the batch; take sets it with mu held, so that oldest misses no chunk on its way from the queue
	behindSince atomic.Int64 // Received of the first item behind the mark; 0 = none
	heldSince   atomic.Int64 // Received of the first item that holders took since they had none; 0 = they have none

	// For the sequencer's goroutine alone.
	taken    *chunk // from the queue
	batch    []Item // what was behind a mark, then the items of taken
	next     int    // the first of the batch that is not dealt with
	handling *Item  // the item that the sequencer handles itself; nil = none
	first    []Item // inserted: they go before the batch
	marked   bool   // a mark is in force; later marks wait behind it
	behind   []Item // what came behind the mark
	holders  []Holder
	held     int // how many items the holders have
}

func startSequencer(h *handlers, l *lanes) *sequencer {
	s := &sequencer{handlers: h, lanes: l}
	s.nonEmpty.L = &s.mu
	h.running.Add(1)
	serial.Go(s.run, func() {
		s.settle()
		h.goexited()
	})
	return s
}

func (s *sequencer) put(items ...Item) {
	s.mu.Lock()
	s.queue.put(items)
	s.mu.Unlock()
	s.nonEmpty.Signal()
}

// putChunk is put for a chunk, whose items need not be copied. The chunk is the sequencer's
// from then on.
func (s *sequencer) putChunk(c *chunk) {
	s.mu.Lock()
	s.queue.putChunk(c)
	s.mu.Unlock()
	s.nonEmpty.Signal()
}

func (s *sequencer) finish() {
	s.mu.Lock()
	s.finished = true
	s.mu.Unlock()
	s.nonEmpty.Signal()
}

// wake makes the sequencer notice the end of its context.
func (s *sequencer) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonEmpty.Signal()
}

// oldest returns SentAfter of the oldest item that has not passed; 0 if there is none.
func (s *sequencer) oldest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ns := s.inHand.sentAfter.Load(); ns != 0 {
		return ns
	}
	return sentAfter(s.queue.oldest())
}

// waiting returns Received of the oldest item that has not passed, including what waits for a
// mark or a Holder; 0 if there is none.
func (s *sequencer) waiting() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := earlier(s.behindSince.Load(), s.heldSince.Load())
	return earlier(earlier(oldest, s.inHand.received.Load()), received(s.queue.oldest()))
}

// run lets items pass until the sequencer is finished and empty, or abandoned.
func (s *sequencer) run() {
	for s.more() {
		s.advance()
	}
	if s.lanes != nil {
		s.lanes.finish()
	}
	s.handlers.running.Done()
}

// more reports whether there is anything to do, and waits until it knows.
func (s *sequencer) more() bool {
	if s.handlers.ctx.Err() != nil {
		return false
	}
	return len(s.first) > 0 || s.next < len(s.batch) || s.take()
}

// take makes the next chunk of the queue the batch. It waits for one, and reports false if
// there will be none.
func (s *sequencer) take() bool {
	if s.lanes != nil {
		s.lanes.flush()
	}
	s.taken.free()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.batch, s.next = nil, nil, 0
	s.inHand.set(nil)
	for s.queue.empty() {
		if s.handlers.ctx.Err() != nil || s.finished && !s.marked && s.held == 0 {
			return false
		}
		s.nonEmpty.Wait()
	}
	s.taken = s.queue.take()
	s.batch = s.taken.items()
	s.inHand.set(oldestOf(s.batch))
	return true
}

// advance deals with the next item.
func (s *sequencer) advance() {
	if len(s.first) > 0 {
		it := &s.first[0]
		if s.first = s.first[1:]; len(s.first) == 0 {
			s.first = nil // frees the array, which may be long
		}
		s.pass(it)
		return
	}
	it := &s.batch[s.next]
	s.next++
	switch {
	case it.Call != nil:
		it.moved().Call() // moved first, since the step may replace the batch
	case s.marked:
		if it.counts() && s.behindSince.Load() == 0 {
			s.behindSince.Store(it.Received)
		}
		s.behind = append(s.behind, it.moved())
	case len(s.holders) > 0 && s.hold(it):
		*it = Item{}
	default:
		s.pass(it)
	}
}

// pass moves an item on to its handler.
func (s *sequencer) pass(it *Item) {
	if s.lanes != nil {
		s.lanes.put(it)
		*it = Item{}
		return
	}
	if it.counts() {
		s.inHand.set(it)
	}
	s.handling = it
	s.handlers.run(0, it)
	s.settle()
}

// settle counts the item in handling as done, if there is one, and clears its place, which may
// stay in memory for long. It is also called when the handler has ended the goroutine.
func (s *sequencer) settle() {
	it := s.handling
	if it == nil {
		return
	}
	s.handlers.done(&s.handlers.sequenced, it)
	*it = Item{}
	s.handling = nil
}

// inOrder makes an item of a step that a mark holds back, unlike those of Queue.Do.
func (s *sequencer) inOrder(step func()) Item {
	var it Item
	it.Call = func() {
		if s.marked {
			s.behind = append(s.behind, it)
			return
		}
		step()
	}
	return it
}

// lift ends the wait behind the mark in force, which is the oldest.
func (s *sequencer) lift(h Holder, then func()) {
	s.marked = false
	if s.lanes != nil {
		s.lanes.flush() // items on their way to the lanes are covered by inHand only, which changes now
	}
	if h != nil {
		if !slices.Contains(s.holders, h) {
			s.holders = append(s.holders, h)
		}
		s.behind = append(s.behind, s.inOrder(h.CaughtUp))
	}
	s.batch, s.next, s.behind = append(s.behind, s.batch[s.next:]...), 0, nil
	s.inHand.set(oldestOf(s.batch))
	s.behindSince.Store(0)
	if then != nil {
		then()
	}
}

// settled calls a function when all that has passed is handled.
func (s *sequencer) settled(then func()) {
	if s.lanes == nil {
		then()
		return
	}
	s.lanes.settled(then)
}

// hold reports whether a Holder has taken the item. The latest is asked first: its gap is the
// last that the item has to wait for.
func (s *sequencer) hold(it *Item) bool {
	it.apart = s.handlers.held.fits(it)
	for _, h := range slices.Backward(s.holders) {
		apart, key, cost, received := it.apart, it.Key, it.Cost(), it.Received
		if h.Hold(it) {
			if s.held++; s.held == 1 {
				s.heldSince.Store(received)
			}
			s.handlers.held.add(key, cost, apart)
			s.handlers.signalRoom()
			return true
		}
	}
	it.apart = false
	return false
}

// back takes an item back from its Holder.
func (s *sequencer) back(it *Item) {
	s.held--
	s.handlers.held.remove(it.Key, it.Cost(), it.apart)
	it.apart = false
}

func (s *sequencer) release(h Holder) {
	s.holders = slices.DeleteFunc(s.holders, func(other Holder) bool { return other == h })
}

func (s *sequencer) insert(items []Item) {
	for i := range items {
		if items[i].counts() {
			s.back(&items[i])
		}
	}
	if s.held == 0 {
		s.heldSince.Store(0)
	}
	s.first = append(s.first, items...)
}
