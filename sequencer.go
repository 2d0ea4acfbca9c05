package crisp

import (
	"slices"
	"sync"
	"sync/atomic"
)

// sequencer lets events pass to their handlers in the order they came, but for
// those that have to wait for a hook or for what was missed before them. All
// that it is told comes through its queue, in order: events, and signals about
// them.
//
// It is a goroutine of its own, on which the handlers run, too, unless there are
// lanes for that.
type sequencer struct {
	d *delivery

	mu       sync.Mutex
	nonEmpty sync.Cond
	queue    itemQueue
	finished bool

	// Written by the sequencer's goroutine alone.
	inHand atomic.Int64 // when the oldest event of the batch was received, UNIX ns; 0 if there is none
	done   tally        // events that it has handled itself

	// For the sequencer's goroutine alone.
	taken    *chunk // from the queue
	batch    []item // of it, and of what was held back before; passed on up to next
	next     int
	handling item   // while busy
	busy     bool   // with an item that it handles itself
	first    []item // goes before the batch: what was missed in a session, then what was held of it
	holding  bool   // a mark is not lifted yet
	behind   []item // what came behind that mark
	fills    []*fill
	held     map[hold][]item // live events of sessions that a fill is not done with
}

// hold is what live events wait for: what a session missed in a gap.
type hold struct {
	fill    *fill
	session string
}

func newSequencer(d *delivery) *sequencer {
	s := &sequencer{d: d, held: make(map[hold][]item)}
	s.nonEmpty.L = &s.mu
	return s
}

func (s *sequencer) put(items ...item) {
	s.mu.Lock()
	s.queue.put(items)
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

// oldest is when the oldest event that has not passed was received, UNIX ns; 0
// if there is none. What is held back does not count here: the gap that it is
// held for does.
func (s *sequencer) oldest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ns := s.inHand.Load(); ns != 0 {
		return ns
	}
	return s.queue.oldest()
}

// run lets events pass until the sequencer is finished and empty, or abandoned.
func (s *sequencer) run() {
	ended := false
	defer func() {
		if ended {
			s.d.passedAll()
			return
		}
		// A handler ended this goroutine. What comes next must not be lost.
		s.settle()
		defer func() { go s.run() }() // even if the error handler does the same
		s.d.report(errGoexit)
	}()
	for s.more() {
		s.step()
	}
	ended = true
}

// more tells whether there is anything to do, and waits until it knows.
func (s *sequencer) more() bool {
	if s.d.ctx.Err() != nil {
		return false
	}
	return len(s.first) > 0 || s.next < len(s.batch) || s.take()
}

// take makes the next chunk of the queue the batch. It waits for one, and gives
// false when there will be none.
func (s *sequencer) take() bool {
	s.d.lanes.flush()
	s.taken.free()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.batch, s.next = nil, nil, 0
	s.inHand.Store(0)
	for s.queue.empty() {
		if s.d.ctx.Err() != nil || s.finished && !s.holding && len(s.held) == 0 {
			return false
		}
		s.nonEmpty.Wait()
	}
	s.taken = s.queue.take()
	s.batch = s.taken.items()
	s.inHand.Store(oldestOf(s.batch))
	return true
}

// step does what the next item asks for.
func (s *sequencer) step() {
	if len(s.first) > 0 {
		it := s.first[0]
		s.first[0] = item{}
		s.first = s.first[1:] // nothing holds it back
		s.pass(&it)
		return
	}
	it := s.batch[s.next]
	s.batch[s.next] = item{} // the batch must not keep the payload alive
	s.next++
	switch {
	case it.signal == signalLift:
		s.lift(&it)
	case it.signal == signalLifted:
		it.fill.enter()
	case it.signal == signalMissed:
		s.recover(it.recovery)
	case s.holding:
		s.behind = append(s.behind, it)
	case it.signal == signalMark:
		s.holding = true
	case s.withhold(&it):
	default:
		s.pass(&it)
	}
}

// pass lets an item through to the handlers.
func (s *sequencer) pass(it *item) {
	if s.d.lanes != nil {
		s.d.lanes.put(it)
		return
	}
	s.inHand.Store(it.received)
	s.handling, s.busy = *it, true
	s.d.run(&s.handling)
	s.settle()
}

// settle accounts for the item in handling and forgets it.
func (s *sequencer) settle() {
	if !s.busy {
		return
	}
	if s.handling.counts() {
		s.done.add(s.handling.cost())
		s.d.handled()
	}
	s.handling, s.busy = item{}, false
}

// lift ends the wait behind a mark. From here on events may have to wait for the
// fill of the gap before it, if there is one.
func (s *sequencer) lift(it *item) {
	s.holding = false
	if it.fill != nil {
		s.fills = append(s.fills, it.fill)
		s.behind = append(s.behind, item{signal: signalLifted, fill: it.fill})
	}
	s.batch, s.next, s.behind = append(s.behind, s.batch[s.next:]...), 0, nil
	s.inHand.Store(oldestOf(s.batch))
	if it.gap != nil {
		it.gap.close() // now that what was behind counts for itself
	}
}

// withhold keeps a live event back if what its session missed is not there
// yet: of the last gap, which is filled last.
func (s *sequencer) withhold(it *item) bool {
	if len(s.fills) == 0 {
		return false
	}
	s.fills = slices.DeleteFunc(s.fills, func(f *fill) bool { return f.over.Load() })
	session := string(sessionOf(it.payload))
	if session == "" {
		return false
	}
	for _, f := range slices.Backward(s.fills) {
		if f.holds(session, it) {
			by := hold{f, session}
			s.held[by] = append(s.held[by], *it)
			return true
		}
	}
	return false
}

// recover lines up what a session missed and, behind the last of it, what was
// held.
func (s *sequencer) recover(r *recovery) {
	by := hold{r.fill, r.of.SessionID}
	s.first = r.lineUp(s.held[by])
	if r.last {
		delete(s.held, by)
	}
}
