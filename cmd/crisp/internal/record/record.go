// Package record has what a command sees happen: events, what became of them, and
// what happened to the connection that they came by.
package record

import (
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

// Kind says what a record is of.
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
	N    uint64    // in the order in which they were recorded, from 1
	At   time.Time // when it was recorded
	What What
}

// What is what happened: *[Event], *[Delivery], or one of the pointers to what
// happens to a connection. Members of JSON come by their tags.
type What interface {
	Kind() Kind
	// line describes it in one line without its time; it escapes what it quotes.
	line(output.Style) string
}

// Connected is a new connection.
type Connected struct {
	Endpoint string `json:"endpoint"` // host of the RTM endpoint
	Attempt  int    `json:"attempt"`  // how many it took since the last connection, from 1
	TookMS   int64  `json:"took_ms"`
}

// Lost is the end of a connection.
type Lost struct {
	Reason  string `json:"reason"`
	LivedMS int64  `json:"lived_ms"`
}

// Retrying is an attempt to connect that is to come.
type Retrying struct {
	Attempt int    `json:"attempt"`
	DelayMS int64  `json:"delay_ms"`
	Reason  string `json:"reason"` // of the end of the attempt, or connection, before
}

// Gap is a span of time in which events may have been missed.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// Recovered is what a backfill has brought of a gap.
type Recovered struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	Messages      int       `json:"messages"`
	Conversations int       `json:"conversations"`
	Complete      bool      `json:"complete"`         // nothing of the gap's messages is missing
	Reason        string    `json:"reason,omitempty"` // why it is not complete
}

// Dropped are events that were received, but neither shown nor forwarded.
type Dropped struct {
	Count  int    `json:"count"`
	Reason string `json:"reason"`
}

// Outcome is what became of an attempt to deliver an event.
type Outcome string

// Outcomes of attempts.
const (
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused"  // and there will be another attempt
	GivenUp  Outcome = "given_up" // refused, and it was the last
)

// Delivery is an attempt to deliver an event to a target.
type Delivery struct {
	Of      uint64  `json:"of,omitempty"` // the number of the event's record
	Event   string  `json:"event"`
	Target  string  `json:"target"` // without what may be secret in it
	Attempt int     `json:"attempt"`
	Limit   int     `json:"limit"`
	Outcome Outcome `json:"outcome"`
	Status  int     `json:"status,omitempty"` // of HTTP, or with which a command has exited
	TookMS  int64   `json:"took_ms"`
	Error   string  `json:"error,omitempty"`  // why there was no answer, or what is wrong with it
	Answer  string  `json:"answer,omitempty"` // how the answer's body begins, if it was refused
}

// New makes an empty record of a kind, to be read into. known is false of an event, and
// of kinds that there are not.
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
