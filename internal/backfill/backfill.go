// Package backfill recovers the messages that were missed in a gap, and puts
// them where they belong: before the newer live events of their conversation.
//
// Two goroutines share the work of a gap, and nothing but an inbox. The fetcher (fill)
// finds out which conversations have changed, and fetches their messages. The
// sequencer of the queue (waiting) knows which live events have to wait for
// them, and lets everything go in order. The fetcher tells the sequencer by
// steps (delivery.Queue.Do), the sequencer the fetcher by its inbox.
package backfill

import (
	"context"
	"sync"

	"github.com/crisp-go/crisp/internal/delivery"
)

// Backfill fills gaps. It looks for what has changed in two of them at a time, but
// fetches messages for one, the oldest first.
type Backfill struct {
	env  env
	seen *Seen

	mu     sync.Mutex      // guards what follows
	last   *fill           // nil if there was none
	listed <-chan struct{} // closed when the one before last has its list; nil if there was none
}

// New makes a Backfill that feeds a queue, whose handlers have the context handling.
// Nothing is fetched after the end of the context fetching.
func New(handling, fetching context.Context, queue *delivery.Queue, seen *Seen, cfg Config) *Backfill {
	return &Backfill{env: env{handling: handling, fetching: fetching, queue: queue, cfg: cfg}, seen: seen}
}

// Start begins to fill the gap before the mark that the queue was given last,
// and lifts that mark once it is known what has to wait, but not before told is
// closed. finished is called at the end.
//
// Calls must come in the order of the marks.
func (b *Backfill) Start(gap Gap, source Source, told <-chan struct{}, finished func(Outcome)) {
	f := &fill{
		env:      &b.env,
		search:   newSearch(source, b.env.cfg, gap),
		handled:  b.seen.HandledSince(gap.Began.Add(-2 * b.env.cfg.Overlap)),
		told:     told,
		finished: finished,
		lifted:   make(chan struct{}),
		ended:    make(chan struct{}),
		inbox:    newInbox(),
		targets:  make(map[string]*target),
	}
	b.mu.Lock()
	f.turn = b.listed
	if b.last != nil {
		b.listed = b.last.lifted
	}
	f.before, b.last = b.last, f
	b.mu.Unlock()
	go f.run()
}

// Wait returns when no gap is being filled any more, or the handlers were ended.
func (b *Backfill) Wait() {
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	if last != nil {
		b.env.await(last.ended)
	}
}
