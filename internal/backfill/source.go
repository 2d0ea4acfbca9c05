package backfill

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
)

// Gap is a span in which messages were missed.
type Gap struct {
	From, To time.Time     // by Crisp's clock
	Began    clock.Moment  // From
	Overlap  time.Duration // how far before it the search begins, at most Config's
}

// Conversation is one that has changed, as the list of conversations has it.
type Conversation struct {
	Website string
	ID      string
	Inbox   string
	State   string    // empty if it is not known
	Changed time.Time // by Crisp's clock
}

// Message is one that was found.
type Message struct {
	Fingerprint int64
	Sent        time.Time // by Crisp's clock
	Name        string    // of the event that it would have come as
	Payload     []byte
	Value       any // the event; nil if it is no message at all, or not subscribed to
}

// Source is where to look for what was missed. Errors are about what was asked
// for, after all patience; they end the iteration.
type Source interface {
	// Websites are those to look at.
	Websites(ctx context.Context) iter.Seq2[string, error]
	// Conversations are a website's, page by page, the latest change first. No page is
	// empty, but pages may repeat what was on others, as the list changes meanwhile; a
	// source that does nothing else need not end.
	Conversations(ctx context.Context, website string) iter.Seq2[[]Conversation, error]
	// Messages are those of a conversation from a time on, page by page, the oldest
	// first, none twice. No page is empty. There are none if the
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
	errPages   = errors.New("crisp: backfill: the list of conversations repeats itself: the numbers of its pages are not heeded")
	errList    = errors.New("crisp: backfill: a conversation of the list has no session_id or no updated_at")
	errMessage = errors.New("crisp: backfill: a message has no fingerprint or no timestamp")
)

// Config says how gaps are filled.
type Config struct {
	Overlap     time.Duration // how far before a gap the search begins, at most
	MaxAge      time.Duration // of what is searched for, at the end of the gap
	MaxRequests int           // more conversations than that are not looked at
	MaxAhead    int64         // cost of what is fetched and not yet handled, in bytes
	SideBySide  int           // conversations that are fetched at a time, at most

	// Fingerprint returns that of an item which is a message, else 0. It may set
	// the item's Value, so that what it had to decode need not be decoded again.
	Fingerprint func(it *delivery.Item) int64
	// Whole, unless it is nil, is told of all missed messages of a conversation (or of
	// the next of so many that they would take too much memory) before the first of
	// them is handled. after, unless it is nil, is called in the conversation's turn
	// when the last was.
	Whole func(c Conversation, messages []Message) (after func())
	// Conversation names the conversation of an item, if it has one.
	Conversation func(it *delivery.Item) Conversation
}
