package crisp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultQueueBytes = 64 << 20
	// itemOverhead is what an event in the queue costs besides its payload,
	// counted so that a flood of tiny events can't exceed the bound.
	itemOverhead = 160
)

// errGoexit is reported when a handler ended its goroutine.
var errGoexit = errors.New("crisp: a handler called runtime.Goexit (testing's FailNow does): its event counts as handled")

// item is an event on its way to the handlers, or a signal about them.
type item struct {
	signal   signal
	name     string
	payload  []byte
	received int64     // UNIX ns
	recovery *recovery // what a recovered message, or a signal, belongs to
	fill     *fill     // of the gap before a mark that is lifted
	gap      *openGap  // to be closed with that, if it is not filled
}

func (it *item) cost() int64 { return int64(len(it.payload)) + itemOverhead }

// counts tells whether it counts towards the queue's bound: what is recovered
// does not, since what the queue holds may have to wait for it.
func (it *item) counts() bool { return it.recovery == nil }

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

// signal is what an item tells the sequencer or a lane, if it is no event.
type signal uint8

const (
	noSignal      signal = iota
	signalMark           // hold back what comes behind, until the hooks that tell of a connection or a gap have returned
	signalLift           // of the oldest mark
	signalLifted         // all that came behind that mark has been looked at
	signalMissed         // what a session has missed is there
	signalSettled        // and is handled
)

// delivery brings events from the reading goroutine to the handlers: through a
// queue bounded in bytes, to the sequencer, which knows what has to wait, and
// from there to the lanes, if several sessions are handled at a time.
//
// enqueue, flush and fits are for the reading goroutine alone; the rest is safe
// from any.
//
// What is queued is counted by tallies, so that the goroutines, on cores of their
// own, need not write to the same memory for every event: the reader's has what
// was put, the others' what is done.
type delivery struct {
	ctx       context.Context // of the handlers; its end abandons what is queued
	handle    func(ctx context.Context, it *item)
	report    func(error)
	limit     int64
	sequencer *sequencer
	lanes     *lanes      // nil: the sequencer handles events itself
	waiting   atomic.Bool // somebody wants to know when there is space

	wg    sync.WaitGroup
	space chan struct{} // capacity 1

	put     tally
	pending atomic.Int64 // when the oldest event that is not flushed was received, UNIX ns; 0 if there is none

	// For the reading goroutine alone.
	unflushed []item
	room      int64 // bytes that fit for certain; there may be more by now
}

// tally counts events and what they cost. One goroutine writes it at a time.
type tally struct{ events, bytes atomic.Int64 }

func (t *tally) add(cost int64) {
	t.events.Add(1)
	t.bytes.Add(cost)
}

// newDelivery starts as many goroutines for the handlers as sessions are to be
// handled at a time.
func newDelivery(ctx context.Context, concurrency int, limit int64, handle func(context.Context, *item), report func(error)) *delivery {
	d := &delivery{
		ctx:       ctx,
		handle:    handle,
		report:    report,
		limit:     limit,
		space:     make(chan struct{}, 1),
		unflushed: make([]item, 0, chunkItems),
	}
	d.sequencer = newSequencer(d)
	if concurrency > 1 {
		d.lanes = newLanes(d, concurrency)
	}
	d.wg.Add(1)
	go d.sequencer.run()
	context.AfterFunc(ctx, func() {
		d.sequencer.wake()
		if d.lanes != nil {
			d.lanes.wake()
		}
	})
	return d
}

// run does what an item asks for that has passed the sequencer.
func (d *delivery) run(it *item) {
	if it.signal == signalSettled {
		it.recovery.settle()
		return
	}
	d.handle(d.ctx, it)
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

// tallied is what was put less what is done. The latter is read first: what goes
// on meanwhile makes the difference more than it could be, never less.
func (d *delivery) tallied(of func(*tally) int64) int64 {
	done := of(&d.sequencer.done)
	if d.lanes != nil {
		done += of(&d.lanes.done)
	}
	return of(&d.put) - done
}

// enqueue queues an event, which should fit. The sequencer sees it after the
// next flush at the latest, which must come before the reading goroutine waits
// for anything.
func (d *delivery) enqueue(it item) {
	d.room -= it.cost()
	d.put.add(it.cost())
	if len(d.unflushed) == 0 {
		d.pending.Store(it.received)
	}
	d.unflushed = append(d.unflushed, it)
	if len(d.unflushed) == chunkItems {
		d.flush()
	}
}

// flush hands over what was put, so that reader and sequencer meet once per
// burst of events, not once per event.
func (d *delivery) flush() {
	if len(d.unflushed) == 0 {
		return
	}
	d.sequencer.put(d.unflushed...)
	clear(d.unflushed)
	d.unflushed = d.unflushed[:0]
	d.pending.Store(0)
}

// mark holds back what comes behind what is queued now, until lift.
func (d *delivery) mark() { d.sequencer.put(item{signal: signalMark}) }

// lift ends the oldest mark. The gap before it is filled or, if there is nothing
// to fill it with, closed.
func (d *delivery) lift(f *fill, gap *openGap) {
	d.sequencer.put(item{signal: signalLift, fill: f, gap: gap})
}

// recover hands over what a session has missed.
func (d *delivery) recover(r *recovery) {
	d.sequencer.put(item{signal: signalMissed, recovery: r})
}

// oldest is when the oldest event that is not handled yet was received; zero
// if there is none.
func (d *delivery) oldest() time.Time {
	// In the order in which events move on, so that none escapes.
	oldest := d.pending.Load()
	oldest = earlier(oldest, d.sequencer.oldest())
	oldest = earlier(oldest, d.lanes.oldest())
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

// handled tells whoever waits for it that there is room.
func (d *delivery) handled() {
	if d.waiting.Load() && d.used() <= d.limit/2 {
		select {
		case d.space <- struct{}{}:
		default:
		}
	}
}

// finish lets the goroutines end once they have handled what is queued.
func (d *delivery) finish() { d.sequencer.finish() }

// passedAll is for the sequencer to call at its end: lanes get no more then.
func (d *delivery) passedAll() {
	if d.lanes != nil {
		d.lanes.finish()
	}
	d.wg.Done()
}

// done is closed when all is handled, or abandoned.
func (d *delivery) done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		d.wg.Wait()
		close(done)
	}()
	return done
}
