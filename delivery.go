package crisp

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/wire"
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
	// OverflowDrop goes on reading and drops what comes while the queue is
	// full. The loss is reported as [ErrSlowConsumer], to Hooks.Dropped, and as
	// a gap.
	OverflowDrop
)

const (
	defaultQueueBytes = 64 << 20
	// itemOverhead is what an event in the queue costs besides its payload,
	// counted so that a flood of tiny events can't exceed the bound.
	itemOverhead = 160
	// keptItems is how large a lane's list may stay once it has run empty.
	keptItems = 1024
)

// errGoexit is reported when a handler ended its goroutine.
var errGoexit = errors.New("crisp: a handler called runtime.Goexit (testing's FailNow does): its event counts as handled")

// item is an event on its way to the handlers, or a mark.
type item struct {
	name     string
	payload  []byte
	received time.Time

	fill *fill      // what recovered it; nil for live events
	ref  SessionRef // of a recovered message, which may itself not say

	mark    *mark // if not nil, this is no event but a mark
	settles bool  // if true, this is no event but the end of what fill recovered of ref's session
}

func (it *item) cost() int64 { return int64(len(it.payload)) + itemOverhead }

// mark holds back what comes behind it, in every lane, until it is lifted: the
// hooks that tell of a connection or a gap return before the first event after
// it is handled.
type mark struct {
	lifted chan struct{}
	fill   *fill // what is recovered of the gap before it, if anything is
}

// injection is what a fill hands to a session's lane, to be handled before the
// live events that the lane holds for that session.
type injection struct {
	fill    *fill
	session string
	items   []item
}

// delivery brings events from the reading goroutine to the handlers: a queue
// bounded in bytes, spread over lanes. A session's events share a lane, which
// keeps them in order.
//
// put and mark are for the reading goroutine alone; the rest is safe from any.
type delivery struct {
	ctx    context.Context // of the handlers; its end abandons what is queued
	handle func(ctx context.Context, it *item)
	report func(error)

	limit int64
	lanes []*lane
	seed  maphash.Seed
	wg    sync.WaitGroup

	used    atomic.Int64  // bytes queued and in handling
	queued  atomic.Int64  // events queued and in handling
	waiting atomic.Bool   // the reader wants to know when there is space
	space   chan struct{} // capacity 1
}

func newDelivery(ctx context.Context, lanes int, limit int64, handle func(context.Context, *item), report func(error)) *delivery {
	d := &delivery{
		ctx:    ctx,
		handle: handle,
		report: report,
		limit:  limit,
		lanes:  make([]*lane, lanes),
		seed:   maphash.MakeSeed(),
		space:  make(chan struct{}, 1),
	}
	for i := range d.lanes {
		d.lanes[i] = newLane(d)
		d.wg.Add(1)
		go d.lanes[i].run()
	}
	return d
}

// fits tells whether an item may be queued. One that is larger than the whole
// queue passes when the queue is empty.
func (d *delivery) fits(it *item) bool {
	used := d.used.Load()
	return used == 0 || used+it.cost() <= d.limit
}

// put queues an event, which must fit.
func (d *delivery) put(it item) {
	d.used.Add(it.cost())
	d.queued.Add(1)
	d.lanes[d.laneOf(it.payload)].put(it)
}

// mark holds all lanes back until the mark is lifted.
func (d *delivery) mark(m *mark) {
	for _, l := range d.lanes {
		l.put(item{mark: m, received: time.Now()})
	}
}

// inject gives a lane what was recovered of a session. It is not counted
// towards the queue's bound: what is held in the queue waits for it.
func (d *delivery) inject(in injection) {
	d.lanes[d.laneOfKey([]byte(in.session))].inject(in)
}

// oldest is when the oldest event that is not handled yet was received; zero
// if there is none.
func (d *delivery) oldest() time.Time {
	var oldest time.Time
	for _, l := range d.lanes {
		if at := l.oldest(); !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// wait returns when handlers have caught up with half of the queue, or the
// context ends. Half, so that the reader does not stop and go for each event.
func (d *delivery) wait(ctx context.Context) error {
	d.waiting.Store(true)
	defer d.waiting.Store(false)
	for d.used.Load() > d.limit/2 {
		select {
		case <-d.space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (d *delivery) release(it *item) {
	d.queued.Add(-1)
	used := d.used.Add(-it.cost())
	if d.waiting.Load() && used <= d.limit/2 {
		select {
		case d.space <- struct{}{}:
		default:
		}
	}
}

// laneOf keys the lanes by session, else by website, else all to the first.
func (d *delivery) laneOf(payload []byte) int {
	if len(d.lanes) == 1 {
		return 0
	}
	return d.laneOfKey(sessionKey(payload))
}

func (d *delivery) laneOfKey(key []byte) int {
	if len(d.lanes) == 1 || key == nil {
		return 0
	}
	return int(maphash.Bytes(d.seed, key) % uint64(len(d.lanes)))
}

// sessionKey finds what orders an event: its session, else its website; nil if
// it has neither.
func sessionKey(payload []byte) []byte {
	if session := sessionOf(payload); session != nil {
		return session
	}
	website, _ := wire.LookupString(payload, "website_id")
	return website
}

// sessionOf finds the session of an event, also inside an envelope; nil if it
// has none.
func sessionOf(payload []byte) []byte {
	if session, ok := wire.LookupString(payload, "session_id"); ok {
		return session
	}
	if env, ok := wire.DetectEnvelope(payload); ok {
		session, _ := wire.LookupString(env.Data, "session_id")
		return session
	}
	return nil
}

// finish lets the lanes end once they have handled what is queued.
func (d *delivery) finish() {
	for _, l := range d.lanes {
		l.finish()
	}
}

// done is closed when all lanes have ended.
func (d *delivery) done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		d.wg.Wait()
		close(done)
	}()
	return done
}

// lane handles its events one after the other.
type lane struct {
	d *delivery

	mu         sync.Mutex
	nonEmpty   sync.Cond
	inbox      []item
	injections []injection
	finished   bool
	injected   chan struct{} // capacity 1: wakes a lane that waits at a mark
	inHand     atomic.Int64  // when the event at hand was received, UNIX ns; 0 between batches

	// For the lane's goroutine alone.
	batch   []item // taken from the inbox, handled up to next
	next    int
	current *item             // in handling
	at      *mark             // that the lane waits at
	fill    *fill             // the latest that the lane takes part in
	todo    []item            // injected: goes before the batch
	held    map[string][]item // live events of sessions that fill is not done with
}

func newLane(d *delivery) *lane {
	l := &lane{d: d, injected: make(chan struct{}, 1), held: make(map[string][]item)}
	l.nonEmpty.L = &l.mu
	return l
}

func (l *lane) put(it item) {
	l.mu.Lock()
	l.inbox = append(l.inbox, it)
	l.mu.Unlock()
	l.nonEmpty.Signal()
}

func (l *lane) inject(in injection) {
	l.mu.Lock()
	l.injections = append(l.injections, in)
	l.mu.Unlock()
	l.nonEmpty.Signal()
	select {
	case l.injected <- struct{}{}:
	default:
	}
}

func (l *lane) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.nonEmpty.Signal()
}

// oldest is when the oldest event of the lane that is not handled yet was
// received; zero if there is none. What is held does not count here: its fill
// does.
func (l *lane) oldest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ns := l.inHand.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	if len(l.inbox) > 0 {
		return l.inbox[0].received
	}
	return time.Time{}
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

// more tells whether there is anything to handle, and waits until it knows.
func (l *lane) more() bool {
	for l.d.ctx.Err() == nil {
		if l.fill != nil || l.at != nil {
			l.takeInjections()
		}
		switch {
		case len(l.todo) > 0:
			return true
		case l.at != nil:
			l.wait()
		case l.next < len(l.batch):
			return true
		case !l.take():
			return false
		}
	}
	return false
}

// step handles one item: of what was injected, if there is any, else of the
// batch.
func (l *lane) step() {
	if len(l.todo) > 0 {
		it := l.todo[0]
		l.todo = l.todo[1:]
		if it.settles {
			l.release(&it)
			return
		}
		l.handle(&it)
		return
	}
	it := &l.batch[l.next]
	l.next++
	switch {
	case it.mark != nil:
		l.at = it.mark
		*it = item{}
	case l.fill != nil && l.hold(it):
		*it = item{}
	default:
		l.inHand.Store(it.received.UnixNano())
		l.handle(it)
	}
}

func (l *lane) handle(it *item) {
	l.current = it
	l.d.handle(l.d.ctx, it)
	l.settle()
}

// settle accounts for the item in handling and forgets it.
func (l *lane) settle() {
	if l.current == nil {
		return
	}
	if l.current.fill == nil {
		l.d.release(l.current)
	}
	*l.current = item{} // the batch must not keep the payload alive
	l.current = nil
}

// wait waits at a mark until it is lifted, or something was injected by a fill
// from before it.
func (l *lane) wait() {
	select {
	case <-l.at.lifted:
		l.takeInjections()
		if l.at.fill != nil {
			l.fill = l.at.fill
		}
		l.at = nil
	case <-l.injected:
	case <-l.d.ctx.Done():
	}
}

// hold keeps a live event back if what its session missed is not there yet.
func (l *lane) hold(it *item) bool {
	if l.fill.over() {
		l.fill = nil
		return false
	}
	session := string(sessionOf(it.payload))
	if session == "" || !l.fill.holds(session) {
		return false
	}
	l.held[session] = append(l.held[session], *it)
	return true
}

// takeInjections queues what was recovered of sessions.
func (l *lane) takeInjections() {
	l.mu.Lock()
	injections := l.injections
	l.injections = nil
	l.mu.Unlock()
	for _, in := range injections {
		l.todo = append(l.todo, in.items...)
		l.todo = append(l.todo, item{fill: in.fill, ref: SessionRef{SessionID: in.session}, settles: true})
	}
}

// release lets go what was held of a session, once all that it missed is
// handled.
func (l *lane) release(it *item) {
	session := it.ref.SessionID
	l.todo = append(l.held[session], l.todo...)
	delete(l.held, session)
	it.fill.settle(session)
}

// take swaps the handled batch for what has come meanwhile, so that reader and
// lane meet once per batch, not once per event. It waits for items, and gives
// false when there will be none.
func (l *lane) take() bool {
	spare := l.batch[:0]
	if cap(spare) > keptItems {
		spare = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batch, l.next = nil, 0
	l.inHand.Store(0)
	for len(l.inbox) == 0 && len(l.injections) == 0 {
		if l.finished && len(l.held) == 0 {
			return false
		}
		l.nonEmpty.Wait()
	}
	l.batch, l.inbox = l.inbox, spare
	if len(l.batch) > 0 {
		l.inHand.Store(l.batch[0].received.UnixNano())
	}
	return true
}
