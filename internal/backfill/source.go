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
	Began    clock.Moment  // From, in steady time
	Overlap  time.Duration // how far before From the search begins; at most Config.Overlap
}

// Conversation is one that has changed, as the server's list has it.
type Conversation struct {
	Website string
	ID      string
	Inbox   string
	State   string    // empty if it is not known
	Changed time.Time // by Crisp's clock
}

// Message is a message that was found.
type Message struct {
	Fingerprint int64     // unique in its conversation; 0 if it came without one
	Sent        time.Time // by Crisp's clock
	Name        string    // of the event that it would have come as
	Payload     []byte
	Value       any // the event; nil if it is no message at all, or not subscribed to
}

// Source is where missed messages are looked for. An error ends an iteration; the Source has
// repeated the request before, as often as it makes sense.
type Source interface {
	// Websites iterates over the websites to look at.
	Websites(ctx context.Context) iter.Seq2[string, error]
	// Conversations iterates over a website's conversations, page by page, the latest
	// change first. No page is empty. As the list changes meanwhile, pages may repeat
	// what was on others; the search ends by itself if they do nothing else.
	Conversations(ctx context.Context, website string) iter.Seq2[[]Conversation, error]
	// Messages iterates over the messages of a conversation since a time, page by page,
	// the oldest first, none twice. No page is empty. There are none if the conversation
	// was removed.
	Messages(ctx context.Context, c Conversation, since time.Time) iter.Seq2[[]Message, error]
	// Local reports whether an error concerns one website or one conversation only.
	Local(err error) bool
	// Wanted reports whether events of a conversation in this inbox are
	// subscribed to.
	Wanted(inbox string) bool
	// Requests returns how many requests the Source has made so far.
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
	MaxAge      time.Duration // how old what is searched for may be at the end of the gap
	MaxRequests int           // how many conversations of a website may be looked at
	MaxAhead    int64         // how much may be fetched and not yet handled, in bytes
	SideBySide  int           // how many conversations are fetched at a time, at most

	// Fingerprint returns the fingerprint of an item that is a message, else 0. It may
	// set the item's Value, so that nothing is decoded twice.
	Fingerprint func(it *delivery.Item) int64
	// Conversation returns the conversation of an item, with an empty ID if it has none.
	Conversation func(it *delivery.Item) Conversation
	// Whole, unless it is nil, is called with all missed messages of a conversation before
	// the first of them is handled; with several parts of them, one after the other, if
	// all would take too much memory. after, unless it is nil, is called in the
	// conversation's turn when the last message was handled.
	Whole func(c Conversation, messages []Message) (after func())
}
