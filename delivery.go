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

const (
	defaultQueueBytes = 64 << 20
	// itemOverhead is what an event in the queue costs besides its payload,
	// counted so that a flood of tiny events can't exceed the bound.
	itemOverhead = 160
)

// errGoexit is reported when a handler ended its goroutine.
var errGoexit = errors.New("crisp: a handler called runtime.Goexit (testing's FailNow does): its event counts as handled")

// item is an event on its way to the handlers, or a signal to a lane.
type item struct {
	signal   signal
	name     string
	payload  []byte
	received int64     // UNIX ns
	recovery *recovery // what a recovered message, or a signal, belongs to
	fill     *fill     // of the gap before a mark that is lifted
}

func (it *item) cost() int64 { return int64(len(it.payload)) + itemOverhead }

// decode makes an event of it. The event shares the memory of the payload.
func (it *item) decode() (Event, error) {
	ev, err := decodeOwned(it.name, it.payload, time.Unix(0, it.received))
	if err != nil {
		return nil, err
	}
	ev.EventMeta().Source = SourceRTM
	if it.recovery != nil {
		it.recovery.complete(ev)
	}
	return ev, nil
}

// signal is what an item tells a lane, if it is no event.
type signal uint8

const (
	noSignal      signal = iota
	signalMark           // hold back what comes behind, until the hooks that tell of a connection or a gap have returned
	signalLift           // of the oldest mark
	signalLifted         // all that came behind that mark has been looked at
	signalMissed         // what a session has missed is there
	signalSettled        // and is handled
)

// delivery brings events from the reading goroutine to the handlers: a queue
// bounded in bytes, spread over lanes. A session's events share a lane, which
// keeps them in order.
//
// enqueue, flush and fits are for the reading goroutine alone; the rest is safe from
// any.
//
// What is queued is counted by two tallies, so that reader and lanes, on cores of
// their own, need not write to the same memory for every event: the reader's has
// what was put, each lane's what it is done with.
type delivery struct {
	ctx     context.Context // of the handlers; its end abandons what is queued
	handle  func(ctx context.Context, it *item)
	report  func(error)
	limit   int64
	lanes   []*lane
	waiting atomic.Bool // somebody wants to know when there is space

	seed  maphash.Seed
	wg    sync.WaitGroup
	space chan struct{} // capacity 1

	put     tally
	pending atomic.Int64 // when the oldest event that is not flushed was received, UNIX ns; 0 if there is none

	// For the reading goroutine alone.
	unflushed []*lane // those that have pending events
	room      int64   // bytes that fit for certain; lanes may have made more
}

// tally counts events and what they cost. One goroutine writes it.
type tally struct{ events, bytes atomic.Int64 }

func (t *tally) add(cost int64) {
	t.events.Add(1)
	t.bytes.Add(cost)
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
	context.AfterFunc(ctx, func() {
		for _, l := range d.lanes {
			l.wake()
		}
	})
	return d
}

// fits tells whether an item may be queued. One that is larger than the whole
// queue passes when the queue is empty.
func (d *delivery) fits(cost int64) bool {
	if cost <= d.room {
		return true
	}
	used := d.used()
	d.room = d.limit - used
	return used == 0 || cost <= d.room
}

// used is how many bytes are queued and in handling.
func (d *delivery) used() int64 {
	return d.tallied(func(t *tally) int64 { return t.bytes.Load() })
}

// queued is how many events are queued and in handling.
func (d *delivery) queued() int64 {
	return d.tallied(func(t *tally) int64 { return t.events.Load() })
}

// tallied is what was put less what lanes are done with. The lanes come first:
// what goes on meanwhile makes it more than it could be, never less.
func (d *delivery) tallied(of func(*tally) int64) int64 {
	var done int64
	for _, l := range d.lanes {
		done += of(&l.done)
	}
	return of(&d.put) - done
}

// enqueue queues an event, which should fit. The lane sees it after the next
// flush at the latest, which must come before the reading goroutine waits for
// anything.
func (d *delivery) enqueue(it item) {
	d.room -= it.cost()
	d.put.add(it.cost())
	l := d.lanes[d.laneOf(it.payload)]
	if len(d.unflushed) == 0 {
		d.pending.Store(it.received)
	}
	if len(l.pending) == 0 {
		d.unflushed = append(d.unflushed, l)
	}
	l.pending = append(l.pending, it)
	if len(l.pending) == chunkItems {
		d.flush()
	}
}

// flush hands over what was put, so that reader and lane meet once per burst of
// events, not once per event.
func (d *delivery) flush() {
	if len(d.unflushed) == 0 {
		return
	}
	for _, l := range d.unflushed {
		l.put(l.pending...)
		clear(l.pending)
		l.pending = l.pending[:0]
	}
	d.unflushed = d.unflushed[:0]
	d.pending.Store(0)
}

// mark holds all lanes back behind what is queued now, until lift.
func (d *delivery) mark() {
	for _, l := range d.lanes {
		l.put(item{signal: signalMark})
	}
}

// lift ends the oldest mark.
func (d *delivery) lift(f *fill) {
	for _, l := range d.lanes {
		l.put(item{signal: signalLift, fill: f})
	}
}

// recover hands over what a session has missed. It is not counted towards the
// queue's bound: what is held in the queue waits for it.
func (d *delivery) recover(r *recovery) {
	d.lanes[d.laneOfKey([]byte(r.of.SessionID))].put(item{signal: signalMissed, recovery: r})
}

// oldest is when the oldest event that is not handled yet was received; zero
// if there is none.
func (d *delivery) oldest() time.Time {
	oldest := d.pending.Load() // first: from there events go to the lanes
	for _, l := range d.lanes {
		if at := l.oldest(); at != 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	if oldest == 0 {
		return time.Time{}
	}
	return time.Unix(0, oldest)
}

// wait returns when handlers have caught up with half of the queue and an
// event of this cost fits, or the context ends. Half, so that the reader does
// not stop and go for each event. It is for one goroutine at a time.
func (d *delivery) wait(ctx context.Context, cost int64) error {
	d.waiting.Store(true)
	defer d.waiting.Store(false)
	for used := d.used(); used > d.limit/2 || used > 0 && used+cost > d.limit; used = d.used() {
		select {
		case <-d.space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// handled tells whoever waits for it that a lane has made room.
func (d *delivery) handled() {
	if d.waiting.Load() && d.used() <= d.limit/2 {
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
	return websiteOf(payload)
}

// websiteOf finds the website of an event; nil if it has none.
func websiteOf(payload []byte) []byte {
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
