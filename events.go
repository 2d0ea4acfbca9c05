package crisp

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is a Crisp event of any type: one of the 82 generated structs, or
// [*UnknownEvent] for a name that the catalog does not have. The set is sealed:
// a type switch over it can be complete.
type Event interface {
	// EventName is the event's name on the wire, such as "message:send".
	EventName() string
	// EventMeta is where the event came from and how it decoded.
	EventMeta() *Meta

	sealed()
}

// Source tells how an event reached the program.
type Source string

// Where events come from.
const (
	SourceRTM      Source = "rtm"      // live, over the RTM API
	SourceWebhook  Source = "webhook"  // live, by web hook
	SourceBackfill Source = "backfill" // fetched over REST after a gap
	SourceReplay   Source = "replay"   // from a recording
)

// Meta is what is known of an event besides its payload. Every event embeds
// one; it takes no part in JSON.
type Meta struct {
	// Source is the transport. Decode leaves it empty.
	Source Source
	// WebsiteID is the website the event belongs to, from the envelope or the
	// payload, whichever has it.
	WebsiteID string
	// Time is the envelope's timestamp, else the payload's, else the time of
	// receipt.
	Time time.Time
	// Delivery is set on web hooks only.
	Delivery *Delivery
	// Raw is the payload as it was received, always. Strings of the event share
	// its memory: read it, don't write to it, and clone what outlives the event
	// by long.
	Raw json.RawMessage
	// Problems lists the fields whose JSON type was not the expected one. They
	// were left zero; their values are still in Raw.
	Problems []FieldProblem
}

// EventMeta gives the event's Meta; it is how every event implements [Event].
func (m *Meta) EventMeta() *Meta { return m }

func (*Meta) sealed() {}

// Delivery is what the headers of a web hook tell of it.
type Delivery struct {
	Origin  string // X-Crisp-Hook-Origin; empty if absent
	Attempt int    // X-Delivery-Attempt-Count, from 1; 0 if absent
	Limit   int    // X-Delivery-Attempt-Limit; 0 if absent
}

// FieldProblem is one field that was not of the expected type.
type FieldProblem struct {
	Path   string // where: "user.nickname", "choices[2].label"; empty for the payload itself
	Wanted string // the JSON type expected, e.g. "string"
	Got    string // the JSON type found, e.g. "number"
}

// String reads "user.nickname: wanted string, got number".
func (p FieldProblem) String() string {
	path := p.Path
	if path == "" {
		path = "payload"
	}
	return fmt.Sprintf("%s: wanted %s, got %s", path, p.Wanted, p.Got)
}

// UnknownEvent is an event whose name is not in the catalog: Crisp sends some
// that no reference lists. Its payload is in Raw.
type UnknownEvent struct {
	Meta
	Name string // on the wire
}

// EventName is the name on the wire.
func (e *UnknownEvent) EventName() string { return e.Name }

// EventInfo is an entry of the catalog of events.
type EventInfo struct {
	Name    string // on the wire, e.g. "message:send"
	GoType  string // e.g. "MessageSend"
	RTMOnly bool   // never comes by web hook
	Tiers   []Tier // the tiers of token that may receive it
	Scope   string // the scope that a token needs, e.g. "website:conversation:messages read"; empty if none is documented
}

// Events is the catalog: all events that are documented.
func Events() []EventInfo { return nil }

// known tells whether a name, or what it is an alias of, is in the catalog.
func known(name string) bool { return false }

// canonicalName gives the catalog's name for an alias, and any other name as
// it is.
func canonicalName(name string) string { return name }

// aliasesOf lists other wire names that decode to the same type.
func aliasesOf(name string) []string { return nil }

// Decode makes a typed event of a name and a payload as they are on the wire.
// The only error is a payload that is not valid JSON. The payload is copied.
func Decode(name string, payload []byte) (Event, error) {
	return decodeOwned(name, append([]byte(nil), payload...))
}

// decodeOwned is Decode for a payload that nobody else will write to: the
// event's strings share its memory.
func decodeOwned(name string, payload []byte) (Event, error) {
	return &UnknownEvent{Meta: Meta{Raw: payload}, Name: name}, nil
}
