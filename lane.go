package crisp

import (
	"sync"
	"sync/atomic"
)

// lane handles its events one after the other. All that it is told comes
// through its queue, in order: events, and signals about them.
type lane struct {
	d *delivery

	pending []item // not in the queue yet; for the reading goroutine alone

	mu       sync.Mutex
	nonEmpty sync.Cond
	queue    laneQueue
	finished bool

	// Written by the lane's goroutine alone.
	inHand atomic.Int64 // when the oldest event of the batch was received, UNIX ns; 0 if there is none
	done   tally        // events that it has handled

	// For the lane's goroutine alone.
	taken   *chunk // from the queue
	batch   []item // of it, and of what was held back before; handled up to next
	next    int
	current item // in handling, while busy
	busy    bool
	first   []item            // goes before the batch: what was missed in a session, then what was held of it
	holding bool              // a mark is not lifted yet
	behind  []item            // what came behind that mark
	fill    *fill             // the latest that the lane takes part in
	held    map[string][]item // live events of sessions that fill is not done with
}

func newLane(d *delivery) *lane {
	l := &lane{d: d, held: make(map[string][]item)}
	l.nonEmpty.L = &l.mu
	return l
}

func (l *lane) put(items ...item) {
	l.mu.Lock()
	l.queue.put(items)
	l.mu.Unlock()
	l.nonEmpty.Signal()
}

func (l *lane) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.nonEmpty.Signal()
}

// wake makes the lane notice the end of its context.
func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nonEmpty.Signal()
}

// oldest is when the oldest event of the lane that is not handled yet was
// received, UNIX ns; 0 if there is none. What the lane holds back does not
// count here: the gap that it is held for does.
func (l *lane) oldest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ns := l.inHand.Load(); ns != 0 {
		return ns
	}
	return l.queue.oldest()
}

// run handles events until the lane is finished and empty, or abandoned.
func (l *lane) run() {
	ended := false
	defer func() {
		if ended {
			l.d.wg.Done()
			return
		}
		// A handler ended this goroutine. The lane must not die with it.
		l.settle()
		l.d.report(errGoexit)
		go l.run()
	}()
	for l.more() {
		l.step()
	}
	ended = true
}

// more tells whether there is anything to do, and waits until it knows.
func (l *lane) more() bool {
	if l.d.ctx.Err() != nil {
		return false
	}
	return len(l.first) > 0 || l.next < len(l.batch) || l.take()
}

// take makes the next chunk of the queue the batch. It waits for one, and gives
// false when there will be none.
func (l *lane) take() bool {
	l.taken.free()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken, l.batch, l.next = nil, nil, 0
	l.inHand.Store(0)
	for l.queue.empty() {
		if l.d.ctx.Err() != nil || l.finished && !l.holding && len(l.held) == 0 {
			return false
		}
		l.nonEmpty.Wait()
	}
	l.taken = l.queue.take()
	l.batch = l.taken.items()
	l.inHand.Store(oldestOf(l.batch))
	return true
}

// step does what the next item asks for.
func (l *lane) step() {
	if len(l.first) > 0 {
		l.stepFirst()
		return
	}
	it := l.batch[l.next]
	l.batch[l.next] = item{} // the batch must not keep the payload alive
	l.next++
	switch {
	case it.signal == signalLift:
		l.lift(it.fill)
	case it.signal == signalLifted:
		it.fill.enter()
	case it.signal == signalMissed:
		l.recover(it.recovery)
	case l.holding:
		l.behind = append(l.behind, it)
	case it.signal == signalMark:
		l.holding = true
	case l.withhold(&it):
	default:
		l.inHand.Store(it.received)
		l.handle(&it)
	}
}

// stepFirst does the same for what goes before the batch, which nothing holds
// back.
func (l *lane) stepFirst() {
	it := l.first[0]
	l.first[0] = item{}
	l.first = l.first[1:]
	if it.signal == signalSettled {
		it.recovery.settle()
		return
	}
	l.handle(&it)
}

func (l *lane) handle(it *item) {
	l.current, l.busy = *it, true
	l.d.handle(l.d.ctx, &l.current)
	l.settle()
}

// settle accounts for the event in handling and forgets it.
func (l *lane) settle() {
	if l.busy && l.current.recovery == nil {
		l.done.add(l.current.cost())
		l.d.handled()
	}
	l.current, l.busy = item{}, false
}

// lift ends the wait behind a mark. From here on the lane takes part in the
// fill of the gap before it, if there is one.
func (l *lane) lift(f *fill) {
	l.holding = false
	if f != nil {
		l.fill = f
		l.behind = append(l.behind, item{signal: signalLifted, fill: f})
	}
	l.batch, l.next, l.behind = append(l.behind, l.batch[l.next:]...), 0, nil
	l.inHand.Store(oldestOf(l.batch))
}

// withhold keeps a live event back if what its session missed is not there
// yet.
func (l *lane) withhold(it *item) bool {
	if l.fill == nil {
		return false
	}
	if l.fill.over.Load() {
		l.fill = nil
		return false
	}
	session := string(sessionOf(it.payload))
	if session == "" || !l.fill.holds(session, it) {
		return false
	}
	l.held[session] = append(l.held[session], *it)
	return true
}

// recover lines up what a session missed and, behind the last of it, what was
// held.
func (l *lane) recover(r *recovery) {
	l.first = r.lineUp(l.held[r.of.SessionID])
	if r.last {
		delete(l.held, r.of.SessionID)
	}
}
