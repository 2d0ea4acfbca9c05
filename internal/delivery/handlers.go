package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrGoexit is reported when a handler ended its goroutine.
var ErrGoexit = errors.New("crisp: a handler called runtime.Goexit (testing's FailNow does): its event counts as handled")

// handlers is what all goroutines of a queue share: the handler, and the counts of what is
// queued.
//
// Each goroutine that moves items on has a tally of its own, so that goroutines on different
// cores need not write to the same memory for every item: the reader's has what was put, the
// others' what is done.
type handlers struct {
	ctx     context.Context // its end abandons what is queued
	handle  func(ctx context.Context, worker int, it *Item)
	report  func(error)
	limit   int64          // of what is queued, in bytes
	running sync.WaitGroup // the sequencer and the workers

	put       tally // put, by the reader
	sequenced tally // done, by the sequencer
	laned     tally // done, by the workers; lanes.mu is held

	held *held

	waiting atomic.Bool   // somebody is in waitRoom
	room    chan struct{} // capacity 1; see signalRoom
}

// tally counts items and their cost. One goroutine writes it at a time. The padding keeps
// whatever is beside it off its cache lines.
type tally struct {
	_            [56]byte
	items, bytes atomic.Int64
	_            [56]byte
}

func (t *tally) add(items int, bytes int64) {
	t.items.Add(int64(items))
	t.bytes.Add(bytes)
}

// run handles an item, or calls its function, as a worker.
func (h *handlers) run(worker int, it *Item) {
	if it.Call != nil {
		it.Call()
		return
	}
	h.handle(h.ctx, worker, it)
}

// done counts an item that was run, in the tally of whoever ran it.
func (h *handlers) done(by *tally, it *Item) {
	if !it.counts() {
		return
	}
	by.add(1, it.Cost())
	h.signalRoom()
}

// signalRoom wakes waitRoom if handlers have caught up with half of the queue.
func (h *handlers) signalRoom() {
	if h.waiting.Load() && h.used() <= h.limit/2 {
		select {
		case h.room <- struct{}{}:
		default:
		}
	}
}

// goexited reports that a handler has ended its goroutine.
func (h *handlers) goexited() { h.report(ErrGoexit) }

// bytes returns the cost of what was put and is not done. What is done is read first: the
// result may be too high, never too low.
func (h *handlers) bytes() int64 {
	done := h.sequenced.bytes.Load() + h.laned.bytes.Load()
	return h.put.bytes.Load() - done
}

// used returns how many of these bytes count towards the bound. It may be too low for a moment
// after a Holder has let something go.
func (h *handlers) used() int64 {
	apart := h.held.apart.Load()
	return h.bytes() - apart
}

// items returns how many items were put and are not done.
func (h *handlers) items() int {
	done := h.sequenced.items.Load() + h.laned.items.Load()
	return int(h.put.items.Load() - done)
}

// waitRoom is Queue.WaitRoom.
func (h *handlers) waitRoom(ctx context.Context, cost int64) error {
	h.waiting.Store(true)
	defer h.waiting.Store(false)
	for used := h.used(); used > h.limit/2 || used > 0 && used+cost > h.limit; used = h.used() {
		select {
		case <-h.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
