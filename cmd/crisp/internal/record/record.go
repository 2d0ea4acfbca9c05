// Package record defines what commands show and capture: events, their deliveries, and
// what happens to the connection.
package record

import (
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

// Kind is the kind of a record.
type Kind string

// The kinds of records.
const (
	KindEvent     Kind = "event"
	KindConnected Kind = "connected"
	KindLost      Kind = "lost"
	KindRetrying  Kind = "retrying"
	KindGap       Kind = "gap"
	KindRecovered Kind = "recovered"
	KindDropped   Kind = "dropped"
	KindDelivery  Kind = "delivery"
)

// Record is one thing that happened.
type Record struct {
	N    uint64    // counted from 1 in the order of recording
	At   time.Time // when it was recorded
	What What
}

// What is what happened: an *[Event], a *[Delivery], or a pointer to one of the types for
// connections. It is encoded as JSON by its tags.
type What interface {
	Kind() Kind
	// line describes it in one line, without its time and with quoted text escaped.
	line(output.Style) string
}

// Connected says that a connection was made.
type Connected struct {
	Endpoint string `json:"endpoint"` // host of the RTM endpoint
	Attempt  int    `json:"attempt"`  // attempts since the last connection, counted from 1
	TookMS   int64  `json:"took_ms"`
}

// Lost says that the connection ended.
type Lost struct {
	Reason  string `json:"reason"`
	LivedMS int64  `json:"lived_ms"`
}

// Retrying announces an attempt to connect.
type Retrying struct {
	Attempt int    `json:"attempt"`
	DelayMS int64  `json:"delay_ms"`
	Reason  string `json:"reason"` // why the previous attempt or connection ended
}

// Gap is a span of time in which events may have been missed.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// Recovered says what a backfill fetched of a gap.
type Recovered struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	Messages      int       `json:"messages"`
	Conversations int       `json:"conversations"`
	Complete      bool      `json:"complete"`         // none of the gap's messages is missing
	Reason        string    `json:"reason,omitempty"` // why it is not complete
}

// Dropped counts events that were received, but neither shown nor forwarded.
type Dropped struct {
	Count  int    `json:"count"`
	Reason string `json:"reason"`
}

// Outcome is the result of an attempt to deliver an event.
type Outcome string

// Outcomes of attempts.
const (
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused"  // another attempt will follow
	GivenUp  Outcome = "given_up" // refused at the last attempt
)

// Delivery is an attempt to deliver an event to a target.
type Delivery struct {
	Of      uint64  `json:"of,omitempty"` // the number of the event's record
	Event   string  `json:"event"`
	Target  string  `json:"target"` // its name, without secrets
	Attempt int     `json:"attempt"`
	Limit   int     `json:"limit"`
	Outcome Outcome `json:"outcome"`
	Status  int     `json:"status,omitempty"` // the HTTP status or the command's exit code
	TookMS  int64   `json:"took_ms"`
	Error   string  `json:"error,omitempty"`  // why there was no answer, or what is wrong with it
	Answer  string  `json:"answer,omitempty"` // the beginning of the answer's body, if it was refused
}

// New returns an empty value of a kind to decode into. known is false for events and
// unknown kinds.
func New(kind Kind) (what What, known bool) {
	switch kind {
	case KindConnected:
		return new(Connected), true
	case KindLost:
		return new(Lost), true
	case KindRetrying:
		return new(Retrying), true
	case KindGap:
		return new(Gap), true
	case KindRecovered:
		return new(Recovered), true
	case KindDropped:
		return new(Dropped), true
	case KindDelivery:
		return new(Delivery), true
	default:
		return nil, false
	}
}

// Kind is KindEvent.
func (*Event) Kind() Kind { return KindEvent }

// Kind is KindConnected.
func (*Connected) Kind() Kind { return KindConnected }

// Kind is KindLost.
func (*Lost) Kind() Kind { return KindLost }

// Kind is KindRetrying.
func (*Retrying) Kind() Kind { return KindRetrying }

// Kind is KindGap.
func (*Gap) Kind() Kind { return KindGap }

// Kind is KindRecovered.
func (*Recovered) Kind() Kind { return KindRecovered }

// Kind is KindDropped.
func (*Dropped) Kind() Kind { return KindDropped }

// Kind is KindDelivery.
func (*Delivery) Kind() Kind { return KindDelivery }
