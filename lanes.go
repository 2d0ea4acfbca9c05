package crisp

import (
	"hash/maphash"
	"sync"

	"github.com/crisp-go/crisp/internal/payload"
)

// lanes let several sessions be handled at a time. Each session has a lane of
// its own for as long as it has events here: they are handled one after the
// other, by whichever worker is free. Lanes with events take turns, one event
// each, so that neither a slow session nor a busy one holds up the others.
//
// A nil *lanes has nothing to flush, and nothing in it.
type lanes struct {
	d    *delivery
	seed maphash.Seed
	out  []keyedItem // on their way in; for the sequencer alone

	mu       sync.Mutex
	runnable sync.Cond // a lane is ready, or none will be
	byKey    map[uint64]*lane
	ready    readyLanes
	finished bool

	done tally // written with the lock held

	freeLanes   []*lane
	freeEntries *laneEntry
	entriesKept int
}

// lane has the events of a session, in order. The first stays in it while it is
// handled, and the lane is not ready meanwhile.
type lane struct {
	key        uint64
	head, tail *laneEntry
	nextReady  *lane
}

type keyedItem struct {
	item
	key uint64
}

type laneEntry struct {
	item
	next *laneEntry
}

// What is kept for use again: as much as a burst of some hundred events needs.
const (
	maxFreeLanes   = 256
	maxFreeEntries = 1024
)

func newLanes(d *delivery, workers int) *lanes {
	l := &lanes{d: d, seed: maphash.MakeSeed(), byKey: make(map[uint64]*lane)}
	l.runnable.L = &l.mu
	for range workers {
		d.wg.Add(1)
		go (&worker{lanes: l}).run()
	}
	return l
}

// put hands an item over, with the next flush at the latest.
func (l *lanes) put(it *item) {
	l.out = append(l.out, keyedItem{*it, l.keyOf(it)})
	if len(l.out) == chunkItems {
		l.flush()
	}
}

// flush puts the items into their lanes: many at a time, since the workers need
// the lock, too.
func (l *lanes) flush() {
	if l == nil || len(l.out) == 0 {
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

// append puts an item at the end of its lane, and tells whether that makes it
// ready.
func (l *lanes) append(it *keyedItem) bool {
	e := l.entry(&it.item)
	if at := l.byKey[it.key]; at != nil {
		at.tail.next = e
		at.tail = e
		return false
	}
	at := l.lane()
	at.key, at.head, at.tail = it.key, e, e
	l.byKey[it.key] = at
	l.ready.put(at)
	return true
}

// keyOf keys the lanes by session, else by website; all other events share one.
func (l *lanes) keyOf(it *item) uint64 {
	if it.recovery != nil {
		return maphash.String(l.seed, it.recovery.of.SessionID)
	}
	return maphash.Bytes(l.seed, sessionKey(it.payload))
}

// sessionKey finds what orders an event: its session, else its website; nil if
// it has neither.
func sessionKey(data []byte) []byte {
	if session := sessionOf(data); session != nil {
		return session
	}
	return websiteOf(data)
}

// websiteOf finds the website of an event; nil if it has none.
func websiteOf(data []byte) []byte {
	website, _ := payload.LookupString(data, "website_id")
	return website
}

// sessionOf finds the session of an event, also inside an envelope; nil if it
// has none.
func sessionOf(data []byte) []byte {
	if session, ok := payload.LookupString(data, "session_id"); ok {
		return session
	}
	if env, ok := payload.DetectEnvelope(data); ok {
		session, _ := payload.LookupString(env.Data, "session_id")
		return session
	}
	return nil
}

func (l *lanes) finish() {
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

// oldest is when the oldest event that is not handled yet was received, UNIX
// ns; 0 if there is none.
func (l *lanes) oldest() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest int64
	for _, at := range l.byKey {
		oldest = earlier(oldest, at.oldest())
	}
	return oldest
}

func (at *lane) oldest() int64 {
	for e := at.head; e != nil; e = e.next {
		if e.signal == noSignal {
			return e.received
		}
	}
	return 0
}

// release takes the first event out of a lane, which is handled, and lets the
// lane take its turn again if it has more.
func (l *lanes) release(at *lane) {
	e := at.head
	if e.counts() {
		l.done.add(e.cost())
		l.d.handled()
	}
	if l.d.ctx.Err() != nil {
		return // the handler may have given up: the stored position must not pass the event
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
		if l.d.ctx.Err() != nil {
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

func (l *lanes) entry(it *item) *laneEntry {
	e := l.freeEntries
	if e == nil {
		return &laneEntry{item: *it}
	}
	l.freeEntries = e.next
	l.entriesKept--
	*e = laneEntry{item: *it}
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

// readyLanes are those that a worker may take, in the order of their turns. The
// zero value has none.
type readyLanes struct{ head, tail *lane }

func (r *readyLanes) put(at *lane) {
	if r.tail == nil {
		r.head = at
	} else {
		r.tail.nextReady = at
	}
	r.tail = at
}

// take is nil if none is ready.
func (r *readyLanes) take() *lane {
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

// worker is a goroutine that handles events, each of the lane whose turn it is.
type worker struct {
	lanes *lanes
	at    *lane // whose first event it handles
}

func (w *worker) run() {
	ended := false
	defer func() {
		if ended {
			w.lanes.d.wg.Done()
			return
		}
		// A handler ended this goroutine. Its lane must not be stuck.
		defer func() { go w.run() }() // even if the error handler does the same
		w.lanes.d.report(errGoexit)
	}()
	for w.advance() {
		w.lanes.d.run(&w.at.head.item)
	}
	ended = true
}

// advance is done with the lane in hand, if there is one, and takes the next. It
// is false when there will be none.
func (w *worker) advance() bool {
	w.lanes.mu.Lock()
	defer w.lanes.mu.Unlock()
	if w.at != nil {
		w.lanes.release(w.at)
	}
	w.at = w.lanes.next()
	return w.at != nil
}
