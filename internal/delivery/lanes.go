package delivery

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/crisp-go/crisp/internal/serial"
)

// lanes let items of several keys be handled at a time. Each key has a lane for as long as it
// has items here, which are handled one after the other, by any free worker. Lanes take turns,
// one item each, so that neither a slow key nor a busy one holds up the others.
type lanes struct {
	handlers *handlers
	seed     maphash.Seed

	// For the sequencer's goroutine alone.
	in       entries    // to be put into lanes by the next flush
	inLength int        // how many
	spare    entryStack // to be used again

	mu       sync.Mutex       // guards what follows
	runnable sync.Cond        // a lane is ready, or none will be
	byKey    map[uint64]*lane // by the hash of the key
	ready    turns
	finished bool

	freeLanes   []*lane
	freeEntries entryStack
	queued      int // how many entries are in lanes
	kept        int // how many are in freeEntries
}

// lane has the items of a key, in order. The first stays in it while it is
// handled, and the lane is not ready meanwhile.
type lane struct {
	key       uint64 // the hash: keys with the same hash share a lane, which does no harm
	items     entries
	nextReady *lane // see turns
}

// entry is an item in a list.
type entry struct {
	Item
	next *entry
}

// entries is a list. The zero value is empty.
type entries struct{ head, tail *entry }

func (l *entries) push(e *entry) {
	e.next = nil
	if l.tail == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	l.tail = e
}

// pop returns nil if the list is empty.
func (l *entries) pop() *entry {
	e := l.head
	if e == nil {
		return nil
	}
	l.head, e.next = e.next, nil
	if l.head == nil {
		l.tail = nil
	}
	return e
}

// entryStack has entries to be used again, the last used first, since it is still in a cache.
// The zero value is empty.
type entryStack struct{ top *entry }

func (s *entryStack) push(e *entry) { e.next, s.top = s.top, e }

// pop returns nil if the stack is empty.
func (s *entryStack) pop() *entry {
	e := s.top
	if e != nil {
		s.top, e.next = e.next, nil
	}
	return e
}

// What is kept to be used again: as many lanes as a burst of some hundred items needs, and as
// many entries as are in use, but minFreeEntries at least.
const (
	maxFreeLanes   = 256
	minFreeEntries = 1024
)

func startLanes(h *handlers, workers int) *lanes {
	l := &lanes{handlers: h, seed: maphash.MakeSeed(), byKey: make(map[uint64]*lane)}
	l.runnable.L = &l.mu
	for i := range workers {
		h.running.Add(1)
		w := &worker{lanes: l, number: i}
		serial.Go(w.run, h.goexited)
	}
	return l
}

// put adds an item to those that the next flush puts into lanes.
func (l *lanes) put(it *Item) {
	e := l.spare.pop()
	if e == nil {
		e = new(entry)
	}
	e.Item = *it
	l.identify(&e.Item)
	l.in.push(e)
	if l.inLength++; l.inLength == chunkItems {
		l.flush()
	}
}

// identify gives an item the hash of its key. The goroutine that has just copied the payload
// does it, since it still has the key, which is a part of that, in its cache.
func (l *lanes) identify(it *Item) {
	if it.hash == 0 {
		it.hash = maphash.String(l.seed, it.Key)
	}
}

// flush puts the items that were put into their lanes: many at a time, since the workers need
// the lock, too.
func (l *lanes) flush() {
	if l.inLength == 0 {
		return
	}
	l.mu.Lock()
	started := 0
	for e := l.in.pop(); e != nil; e = l.in.pop() {
		if l.append(e) {
			started++
		}
	}
	l.restock(l.inLength)
	l.mu.Unlock()
	for range started {
		l.runnable.Signal()
	}
	l.inLength = 0
}

// restock moves up to n entries to where the sequencer gets at them without the lock.
func (l *lanes) restock(n int) {
	for ; n > 0 && l.freeEntries.top != nil; n-- {
		l.spare.push(l.freeEntries.pop())
		l.kept--
	}
}

// append puts an item at the end of its lane, and reports whether that makes the
// lane ready.
func (l *lanes) append(e *entry) bool {
	l.queued++
	at := l.byKey[e.hash]
	waits := at != nil
	if !waits {
		at = l.lane()
		at.key = e.hash
		l.byKey[e.hash] = at
		l.ready.put(at)
	}
	at.items.push(e)
	return !waits
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
		step.hash = hash
		l.append(&entry{Item: step})
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

// oldest returns the earliest of a time of all items that are not handled yet; 0 if there is
// none.
func (l *lanes) oldest(of func(*Item) int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest int64
	for _, at := range l.byKey {
		oldest = earlier(oldest, of(at.oldest()))
	}
	return oldest
}

// oldest returns the first item of a lane that counts; nil if there is none.
func (at *lane) oldest() *Item {
	for e := at.items.head; e != nil; e = e.next {
		if e.counts() {
			return &e.Item
		}
	}
	return nil
}

// handled takes the first item out of a lane. The lane gets another turn if it has more.
// l.mu is held.
func (l *lanes) handled(at *lane) {
	l.handlers.done(&l.handlers.laned, &at.items.head.Item)
	if l.handlers.ctx.Err() != nil {
		return // its handler may have given up: Oldest must not pass it
	}
	l.recycleEntry(at.items.pop())
	if at.items.head != nil {
		l.ready.put(at)
		return
	}
	delete(l.byKey, at.key)
	l.recycleLane(at)
	if l.finished && len(l.byKey) == 0 {
		l.runnable.Broadcast()
	}
}

// next waits for a lane whose turn it is, and returns nil if there will be none; l.mu is held.
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

func (l *lanes) recycleEntry(e *entry) {
	l.queued--
	if l.kept < max(l.queued, minFreeEntries) {
		*e = entry{}
		l.freeEntries.push(e)
		l.kept++
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

// turns is the list of lanes that a worker may take, in the order of their turns. The zero value
// is empty.
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
	lanes  *lanes
	number int
	at     *lane // whose first item it handles
}

func (w *worker) run() {
	for w.advance() {
		w.lanes.handlers.run(w.number, &w.at.items.head.Item)
	}
	w.lanes.handlers.running.Done()
}

// advance gives back the lane in hand, if there is one, and takes the next. It reports false if
// there will be none.
func (w *worker) advance() bool {
	w.lanes.mu.Lock()
	defer w.lanes.mu.Unlock()
	if w.at != nil {
		w.lanes.handled(w.at)
	}
	w.at = w.lanes.next()
	return w.at != nil
}
