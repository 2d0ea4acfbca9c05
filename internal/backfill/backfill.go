// Package backfill recovers the messages that were missed in a gap, and puts
// them where they belong: before the newer live events of their conversation.
//
// A gap passes through two goroutines. The lister (search.go) finds out which conversations have
// changed, while a mark in the queue holds back everything that is received. Then the fetcher
// (fill.go) fetches their messages. On a third, the queue's sequencer, live events wait for
// those messages (waiting.go), and go on behind them. Lister and fetcher speak to the sequencer
// by steps (delivery.Queue.Do); it speaks to the fetcher by an inbox (inbox.go).
package backfill

import (
	"context"
	"sync"

	"github.com/crisp-go/crisp/internal/delivery"
)

// Backfill fills gaps. It lists for one at a time, and fetches for one at a time: gaps that
// come while another is listed are then listed as one, and those that are listed while another
// is fetched are then fetched as one. So however often a connection is lost, one fill runs and
// at most one waits.
type Backfill struct {
	env  env
	seen *Seen

	mu       sync.Mutex    // guards what follows
	unlisted []*task       // in the order of their marks
	listing  bool          // the lister runs
	next     *fill         // listed, to be fetched next; nil = none
	fetching bool          // the fetcher runs
	idle     chan struct{} // closed when neither runs any more; nil before the first gap
}

// New makes a Backfill that feeds a queue, whose handlers have the context handling.
// Nothing is fetched after the end of the context fetching.
func New(handling, fetching context.Context, queue *delivery.Queue, seen *Seen, cfg Config) *Backfill {
	return &Backfill{env: env{handling: handling, fetching: fetching, queue: queue, cfg: cfg}, seen: seen}
}

// Start begins to fill a gap, which ends where the queue was marked last. It lifts that mark
// once it is known what has to wait, but not before told is closed. finished is called when
// the gap is filled as far as it can be.
//
// Calls must come in the order of the marks.
func (b *Backfill) Start(gap Gap, source Source, told <-chan struct{}, finished func(Outcome)) {
	t := &task{
		Gap:      gap,
		source:   source,
		handled:  b.seen.Since(gap.Began.Add(-2 * b.env.cfg.Overlap)),
		told:     told,
		finished: finished,
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isIdle() {
		b.idle = make(chan struct{})
	}
	b.unlisted = append(b.unlisted, t)
	if !b.listing {
		b.listing = true
		go b.list()
	}
}

// Wait returns when no gap is being filled any more, or the handlers were ended.
func (b *Backfill) Wait() {
	b.mu.Lock()
	idle := b.idle
	b.mu.Unlock()
	if idle != nil {
		b.env.await(idle)
	}
}

func (b *Backfill) isIdle() bool { return !b.listing && !b.fetching }

// list is the lister.
func (b *Backfill) list() {
	for tasks := b.takeUnlisted(); tasks != nil; tasks = b.takeUnlisted() {
		first, last := tasks[0], tasks[len(tasks)-1]
		s := newSearch(last.source, b.env.cfg, Gap{From: first.From, To: last.To, Overlap: first.Overlap})
		changed, partial := s.conversations(b.env.fetching)
		if !b.env.await(last.told) {
			newFill(&b.env).with(tasks, s, nil).finish(true)
			continue
		}
		b.listed(tasks, s, changed, partial)
	}
}

// takeUnlisted returns the gaps to be listed; nil if there are none and the lister has to end.
func (b *Backfill) takeUnlisted() []*task {
	b.mu.Lock()
	defer b.mu.Unlock()
	tasks := b.unlisted
	b.unlisted = nil
	b.listing = tasks != nil
	b.endIfIdle()
	return tasks
}

// listed lifts the marks of gaps that were listed, so that live events go on which need not
// wait, and gives the gaps to the fetcher.
func (b *Backfill) listed(tasks []*task, s *search, changed []Conversation, partial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = newFill(&b.env)
	}
	f, queue := b.next.with(tasks, s, changed), b.env.queue
	// With mu held, so before the fetcher can take f: its first step has to come behind these.
	for range tasks {
		list := changed
		queue.Do(func() { f.waiting.widen(list, partial) })
		queue.Lift(f.waiting, nil)
		changed = nil
	}
	if !b.fetching {
		b.fetching = true
		go b.fetch()
	}
}

// fetch is the fetcher.
func (b *Backfill) fetch() {
	for f := b.takeListed(); f != nil; f = b.takeListed() {
		f.finish(!f.run())
	}
}

// takeListed returns the fill to be fetched, which gets no further gaps from then on; nil if
// there is none and the fetcher has to end.
func (b *Backfill) takeListed() *fill {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.next
	b.next = nil
	b.fetching = f != nil
	b.endIfIdle()
	return f
}

func (b *Backfill) endIfIdle() {
	if b.isIdle() {
		close(b.idle)
	}
}
