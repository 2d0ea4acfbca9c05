// Package backfill recovers the messages that were missed in a gap, and puts
// them where they belong: before the newer live events of their conversation.
//
// Two goroutines share the work of a gap, and no memory. The fetcher (fill)
// finds out which conversations have changed, and fetches their messages. The
// sequencer of the queue (waiting) knows which live events have to wait for
// them, and lets everything go in order. The fetcher tells the sequencer by
// steps (delivery.Queue.Do), the sequencer the fetcher by its inbox.
package backfill

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/delivery"
)

// Conversation is one that has changed, as the list of conversations has it.
type Conversation struct {
	Website string
	ID      string
	Inbox   string
	Changed time.Time // by Crisp's clock
}

// Message is one that was found.
type Message struct {
	Fingerprint int64
	Sent        time.Time // by Crisp's clock
	Name        string    // of the event that it would have come as
	Payload     []byte
	Value       any // the event; nil if it is no message at all
}

// Source is where to look for what was missed. Errors are about what was asked
// for, after all patience; they end the iteration.
type Source interface {
	// Websites are those to look at.
	Websites(ctx context.Context) iter.Seq2[string, error]
	// Conversations are a website's, page by page, the latest change first.
	Conversations(ctx context.Context, website string) iter.Seq2[[]Conversation, error]
	// Messages are those of a conversation that are subscribed to, from a time
	// on, page by page, the oldest first, none twice. There are none if the
	// conversation was removed.
	Messages(ctx context.Context, c Conversation, since time.Time) iter.Seq2[[]Message, error]
	// Local reports whether an error concerns one website or one conversation:
	// others may do better.
	Local(err error) bool
	// Wanted reports whether events of a conversation in this inbox are
	// subscribed to.
	Wanted(inbox string) bool
	// Requests is how many requests all this has cost so far.
	Requests() int
}

// Why a gap could not be filled whole.
var (
	ErrBudget  = errors.New("crisp: the backfill's request budget is used up (Backfill.MaxRequests)")
	ErrTooOld  = errors.New("crisp: the gap began before what the backfill may fetch (Backfill.MaxAge)")
	errList    = errors.New("crisp: backfill: a conversation of the list has no session_id or no updated_at")
	errMessage = errors.New("crisp: backfill: a message has no fingerprint or no timestamp")
)

// Config says how gaps are filled.
type Config struct {
	Overlap     time.Duration // how far before a gap the search begins
	MaxAge      time.Duration // of what is searched for, at the end of the gap
	MaxRequests int           // more conversations than that are not looked at
	MaxAhead    int64         // cost of what is fetched and not yet handled, in bytes

	// Fingerprint returns that of an item which is a message, else 0. It may set
	// the item's Value, so that what it had to decode need not be decoded again.
	Fingerprint func(it *delivery.Item) int64
	// Conversation names the conversation of an item, if it has one.
	Conversation func(it *delivery.Item) Conversation
}

// Backfill fills gaps, one after the other.
type Backfill struct {
	queue    *delivery.Queue
	cfg      Config
	seen     *Seen
	handling context.Context // the handlers': its end abandons everything
	fetching context.Context // its end lets nothing more be fetched

	mu   sync.Mutex // guards last
	last *fill      // nil if there was none
}

// New makes a Backfill into a queue, whose handlers have the context handling.
func New(handling, fetching context.Context, queue *delivery.Queue, seen *Seen, cfg Config) *Backfill {
	return &Backfill{queue: queue, cfg: cfg, seen: seen, handling: handling, fetching: fetching}
}

// Outcome is what became of a gap.
type Outcome struct {
	Messages      int // fetched, those left out that had come before
	Conversations int // that had changed
	Requests      int
	Err           error // why something is missing; nil if nothing is
	Abandoned     bool  // handlers were ended before they had all
}

// Start begins to fill the gap before the mark that the queue was given last,
// and lifts that mark once it is known what has to wait, but not before told is
// closed. finished is called at the end.
//
// Calls must come in the order of the marks.
func (b *Backfill) Start(from, to time.Time, source Source, told <-chan struct{}, finished func(Outcome)) {
	f := &fill{
		Backfill: b,
		search:   newSearch(source, b.cfg, from, to),
		handled:  b.seen.HandledSince(from.Add(-2 * b.cfg.Overlap)),
		told:     told,
		finished: finished,
		lifted:   make(chan struct{}),
		ended:    make(chan struct{}),
		inbox:    newInbox(),
		targets:  make(map[string]*target),
	}
	b.mu.Lock()
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
		b.await(last.ended)
	}
}

// await waits for others, and reports false if the handlers were ended instead.
func (b *Backfill) await(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-b.handling.Done():
		return false
	}
}
