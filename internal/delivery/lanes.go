package delivery

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/crisp-go/crisp/internal/serial"
)

// lanes let the items of several keys be handled at a time. Each key has a lane
// for as long as it has items here: they are handled one after the other, by
// whichever worker is free. Lanes take turns, one item each, so that neither a
// slow key nor a busy one holds up the others.
type lanes struct {
	handlers *handlers
	seed     maphash.Seed
	out      []keyed // on their way in; for the sequencer's goroutine alone

	mu       sync.Mutex // guards what follows
	runnable sync.Cond  // a lane is ready, or none will be
	byKey    map[uint64]*lane
	ready    turns
	finished bool

	freeLanes   []*lane
	freeEntries *laneEntry
	entriesKept int
}

// lane has the items of a key, in order. The first stays in it while it is
// handled, and the lane is not ready meanwhile.
type lane struct {
	key        uint64
	head, tail *laneEntry
	nextReady  *lane
}

// keyed is an item with the hash of its key. Two keys of the same hash share a
// lane, which does no harm.
type keyed struct {
	Item
	hash uint64
}

type laneEntry struct {
	Item
	next *laneEntry
}

// What is kept for use again: as much as a burst of some hundred items needs.
const (
	maxFreeLanes   = 256
	maxFreeEntries = 1024
)

func startLanes(h *handlers, workers int) *lanes {
	l := &lanes{handlers: h, seed: maphash.MakeSeed(), byKey: make(map[uint64]*lane)}
	l.runnable.L = &l.mu
	for range workers {
		h.running.Add(1)
		w := &worker{lanes: l}
		serial.Go(w.run, h.goexited)
	}
	return l
}

// put hands an item over, with the next flush at the latest.
func (l *lanes) put(it Item) {
	l.out = append(l.out, keyed{it, maphash.String(l.seed, it.Key)})
	if len(l.out) == chunkItems {
		l.flush()
	}
}

// flush puts the items into their lanes: many at a time, since the workers need
// the lock, too.
func (l *lanes) flush() {
	if len(l.out) == 0 {
		return
	}
	l.mu.Lock()
	started := 0
	for i := range l.out {
		if l.append(&l.out[i]) {
			started++
		}
	}
	l.mu.Unlock()
	for range started {
		l.runnable.Signal()
	}
	clear(l.out)
	l.out = l.out[:0]
}

// append puts an item at the end of its lane, and reports whether that makes the
// lane ready.
func (l *lanes) append(it *keyed) bool {
	e := l.entry(&it.Item)
	if at := l.byKey[it.hash]; at != nil {
		at.tail.next = e
		at.tail = e
		return false
	}
	at := l.lane()
	at.key, at.head, at.tail = it.hash, e, e
	l.byKey[it.hash] = at
	l.ready.put(at)
	return true
}

// settled calls a function when all that is in the lanes now is handled.
func (l *lanes) settled(then func()) {
	l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.byKey) == 0 {
		then()
		return
	}
	left := new(atomic.Int64)
	left.Store(int64(len(l.byKey)))
	step := Item{Call: func() {
		if left.Add(-1) == 0 {
			then()
		}
	}}
	for hash := range l.byKey {
		l.append(&keyed{step, hash})
	}
}

func (l *lanes) finish() {
	l.flush()
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.wake()
}

// wake makes the workers notice that no more will come, or the end of their
// context.
func (l *lanes) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runnable.Broadcast()
}

// oldest is what of returns for the oldest item that is not handled
// yet; 0 if there is none.
func (l *lanes) oldest(of func(*Item) int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest int64
	for _, at := range l.byKey {
		oldest = earlier(oldest, of(at.oldest()))
	}
	return oldest
}

func (at *lane) oldest() *Item {
	for e := at.head; e != nil; e = e.next {
		if e.counts() {
			return &e.Item
		}
	}
	return nil
}

// handled takes the first item out of a lane, and lets the
// lane take its turn again if it has more.
func (l *lanes) handled(at *lane) {
	e := at.head
	l.handlers.done(&l.handlers.laned, &e.Item)
	if l.handlers.ctx.Err() != nil {
		return // its handler may have given up: Oldest must not pass it
	}
	at.head = e.next
	l.recycleEntry(e)
	if at.head != nil {
		l.ready.put(at)
		return
	}
	delete(l.byKey, at.key)
	l.recycleLane(at)
	if l.finished && len(l.byKey) == 0 {
		l.runnable.Broadcast()
	}
}

// next waits for a lane whose turn it is. It is nil when there will be none.
func (l *lanes) next() *lane {
	for {
		if l.handlers.ctx.Err() != nil {
			return nil
		}
		if at := l.ready.take(); at != nil {
			return at
		}
		if l.finished && len(l.byKey) == 0 {
			return nil
		}
		l.runnable.Wait()
	}
}

func (l *lanes) entry(it *Item) *laneEntry {
	e := l.freeEntries
	if e == nil {
		return &laneEntry{Item: *it}
	}
	l.freeEntries = e.next
	l.entriesKept--
	*e = laneEntry{Item: *it}
	return e
}

func (l *lanes) recycleEntry(e *laneEntry) {
	*e = laneEntry{}
	if l.entriesKept < maxFreeEntries {
		e.next = l.freeEntries
		l.freeEntries = e
		l.entriesKept++
	}
}

func (l *lanes) lane() *lane {
	n := len(l.freeLanes)
	if n == 0 {
		return new(lane)
	}
	at := l.freeLanes[n-1]
	l.freeLanes = l.freeLanes[:n-1]
	return at
}

func (l *lanes) recycleLane(at *lane) {
	*at = lane{}
	if len(l.freeLanes) < maxFreeLanes {
		l.freeLanes = append(l.freeLanes, at)
	}
}

// turns are the lanes that a worker may take, in the order of their turns. The
// zero value has none.
type turns struct{ head, tail *lane }

func (r *turns) put(at *lane) {
	if r.tail == nil {
		r.head = at
	} else {
		r.tail.nextReady = at
	}
	r.tail = at
}

// take returns nil if no lane is ready.
func (r *turns) take() *lane {
	at := r.head
	if at == nil {
		return nil
	}
	r.head, at.nextReady = at.nextReady, nil
	if r.head == nil {
		r.tail = nil
	}
	return at
}

// worker is a goroutine that handles items, each of the lane whose turn it is.
type worker struct {
	lanes *lanes
	at    *lane // whose first item it handles
}

func (w *worker) run() {
	for w.advance() {
		w.lanes.handlers.run(&w.at.head.Item)
	}
	w.lanes.handlers.running.Done()
}

// advance is done with the lane in hand, if there is one, and takes the next. It
// reports false when there will be none.
func (w *worker) advance() bool {
	w.lanes.mu.Lock()
	defer w.lanes.mu.Unlock()
	if w.at != nil {
		w.lanes.handled(w.at)
	}
	w.at = w.lanes.next()
	return w.at != nil
}
