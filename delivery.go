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
	mark     *mark
}

func (it *item) cost() int64 { return int64(len(it.payload)) + itemOverhead }

// mark holds back what comes behind it, in every lane, until it is lifted: the
// hooks that tell of a connection or a gap return before the first event after
// it is handled.
type mark struct{ lifted chan struct{} }

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
func (d *delivery) mark() *mark {
	m := &mark{lifted: make(chan struct{})}
	for _, l := range d.lanes {
		l.put(item{mark: m})
	}
	return m
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
	key := sessionKey(payload)
	if key == nil {
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

	mu       sync.Mutex
	nonEmpty sync.Cond
	inbox    []item
	finished bool

	batch   []item // taken from the inbox, handled up to next
	next    int
	current *item // in handling
}

func newLane(d *delivery) *lane {
	l := &lane{d: d}
	l.nonEmpty.L = &l.mu
	return l
}

func (l *lane) put(it item) {
	l.mu.Lock()
	l.inbox = append(l.inbox, it)
	l.mu.Unlock()
	l.nonEmpty.Signal()
}

func (l *lane) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.nonEmpty.Signal()
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
	for l.take() {
		for l.next < len(l.batch) {
			if l.d.ctx.Err() != nil {
				ended = true
				return
			}
			l.step()
		}
	}
	ended = true
}

// step handles the batch's next item.
func (l *lane) step() {
	it := &l.batch[l.next]
	l.next++
	if it.mark != nil {
		select {
		case <-it.mark.lifted:
		case <-l.d.ctx.Done():
		}
		*it = item{}
		return
	}
	l.current = it
	l.d.handle(l.d.ctx, it)
	l.settle()
}

// settle accounts for the item in handling and forgets it.
func (l *lane) settle() {
	if l.current == nil {
		return
	}
	l.d.release(l.current)
	*l.current = item{} // the batch must not keep the payload alive
	l.current = nil
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
	for len(l.inbox) == 0 {
		if l.finished {
			return false
		}
		l.nonEmpty.Wait()
	}
	l.batch, l.inbox, l.next = l.inbox, spare, 0
	return true
}
