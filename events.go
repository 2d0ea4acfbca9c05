package crisp

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

//go:generate go -C internal/eventgen run . -root ../..

// Event is a Crisp event of any type: one of the 82 generated structs, or
// [*UnknownEvent] for a name that the catalog does not have. The set is sealed:
// a type switch over it can be complete.
type Event interface {
	// EventName is the event's name on the wire, such as "message:send".
	EventName() string
	// EventMeta is where the event came from and how it decoded.
	EventMeta() *Meta

	decode(d *payload.Decoder)
	encode(e *payload.Encoder)
	// origin is where and when it happened, as far as the payload says.
	origin() (websiteID string, at time.Time)
}

// SessionEvent is an event that belongs to a conversation, which Crisp calls a
// session. Most do.
type SessionEvent interface {
	Event
	// Session names the conversation that the event belongs to.
	Session() SessionRef
}

// SessionRef names a conversation with a visitor: a session, as Crisp calls it.
type SessionRef struct {
	WebsiteID string
	SessionID string // empty where an event may name a conversation and doesn't
}

// sessionRef completes a conversation's identifier with the event's website.
func sessionRef(ev Event, sessionID string) SessionRef {
	websiteID, _ := ev.origin()
	return SessionRef{WebsiteID: cmp.Or(websiteID, ev.EventMeta().WebsiteID), SessionID: sessionID}
}

// websiteID is the website that owns the resource, if a website does.
func (r *BucketResource) websiteID() string {
	if r.Type != "website" {
		return ""
	}
	return r.ID
}

// Source is how an event reached the program.
type Source string

// Where events come from.
const (
	SourceRTM      Source = "rtm"      // live, over the RTM API
	SourceWebhook  Source = "webhook"  // live, by web hook
	SourceBackfill Source = "backfill" // fetched over REST after a gap
	SourceReplay   Source = "replay"   // from a recording: for programs that make them; the library makes none
)

// Meta is what is known of an event besides its payload. Every event embeds
// one; it takes no part in JSON.
type Meta struct {
	// Source is how the event came. Decode leaves it empty.
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
	// were left zero; their values are still in Raw. A field that is null counts
	// as absent. Lists and objects that would take more than 8 bytes of memory for
	// each byte of the payload, and 256 KiB, are cut off, which is listed as well:
	// nothing that Crisp sends comes near. There are at most 100: the last then says
	// how many more there were.
	Problems []FieldProblem

	identity *identity // made by identityOf when it is first needed
}

// EventMeta returns the event's Meta; it is how every event implements [Event].
func (m *Meta) EventMeta() *Meta { return m }

// identity is what few events need to have kept: the key by which EventID knows one that is no
// message, and what arrivals and pauses note about it.
type identity struct {
	body    []byte // of the web hook that it came by; nil = it did not
	arrival uint64 // see arrivalOf; guarded by identities

	once sync.Once // guards key
	key  [sha256.Size]byte

	stable  bool // another process has given it the key, and would again
	settled bool // somebody has dealt with it (see PauseOnHuman); guarded by identities
}

// known gives the event the key that another process has given it; stable says that it would be
// the same if the event came again. It has to be called before get.
func (i *identity) known(by [sha256.Size]byte, stable bool) {
	i.once.Do(func() { i.key = by })
	i.stable = stable
}

// get returns the key: that of known, else the SHA-256 of the body, else a random one, but the
// same each time.
func (i *identity) get() [sha256.Size]byte {
	i.once.Do(func() {
		if i.body != nil {
			i.key = sha256.Sum256(i.body)
			return
		}
		_, _ = rand.Read(i.key[:]) // which never fails
	})
	return i.key
}

// identities guards Meta.identity of all events, and arrival and settled of each. A mutex for each
// event would make all of them larger.
var identities sync.Mutex

// identityOf returns the identity of an event, and makes it the first time.
func identityOf(m *Meta) *identity {
	identities.Lock()
	defer identities.Unlock()
	if m.identity == nil {
		m.identity = new(identity)
	}
	return m.identity
}

// Delivery is what the headers of a web hook say of it.
type Delivery struct {
	Origin  string // X-Crisp-Hook-Origin; empty if absent
	Attempt int    // X-Delivery-Attempt-Count, from 1; 0 if absent
	Limit   int    // X-Delivery-Attempt-Limit; 0 if absent
}

// FieldProblem is one field that was not of the expected type.
type FieldProblem struct {
	Path   string // where: "user.nickname", "choices[2].label"; empty for the payload itself
	Wanted string // the JSON type expected, e.g. "string"; "less data" for what was cut off
	Got    string // the JSON type found, e.g. "number", or "number out of range"; "too much" for what was cut off
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

	sessionID string
}

// EventName is the name on the wire.
func (e *UnknownEvent) EventName() string { return e.Name }

// Session is the conversation that the payload's session_id names, if it has one.
func (e *UnknownEvent) Session() SessionRef { return sessionRef(e, e.sessionID) }

// MarshalJSON writes the payload as it came.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (e UnknownEvent) MarshalJSON() ([]byte, error) { return e.Raw.MarshalJSON() }

// UnmarshalJSON reads a payload; the event keeps its name.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (e *UnknownEvent) UnmarshalJSON(data []byte) error {
	*e = UnknownEvent{Name: e.Name}
	return unmarshalEvent(e, data)
}

// decode picks up what every event may have. Nothing is expected of the
// payload, so that nothing is a problem.
func (e *UnknownEvent) decode(d *payload.Decoder) {
	if d.Kind() != payload.Object {
		d.Skip()
		return
	}
	d.Object(payload.Required)
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch kind := d.Kind(); {
		case key == "website_id" && kind == payload.String:
			e.WebsiteID = d.String(payload.Required)
		case key == "session_id" && kind == payload.String:
			e.sessionID = d.String(payload.Required)
		case key == "timestamp":
			e.Time = payload.NewDecoder(d.Skip()).Time(payload.Required) // by a decoder of its own, whose problems are ignored
		default:
			d.Skip()
		}
	}
}

func (e *UnknownEvent) encode(enc *payload.Encoder) { enc.RawValue(e.Raw) }

func (e *UnknownEvent) origin() (websiteID string, at time.Time) { return e.WebsiteID, e.Time }

// EventInfo is an entry of the catalog of events.
type EventInfo struct {
	Name    string // on the wire, e.g. "message:send"
	GoType  string // e.g. "MessageSend"
	RTMOnly bool   // never comes by web hook
	Tiers   []Tier // the tiers of token that may receive it
	Scope   string // the scope that a token needs, e.g. "website:conversation:messages read"; empty if none is documented
}

type catalogEntry struct {
	info    EventInfo
	aliases []string // other names on the wire
	make    func() Event
}

// aliased is an event that remembers the alias by which it came.
type aliased interface{ setAlias(name string) }

// Events is the catalog: all events that are documented, grouped by namespace.
// The caller may change it.
func Events() []EventInfo {
	infos := make([]EventInfo, len(catalog))
	for i, entry := range catalog {
		infos[i] = entry.info
		infos[i].Tiers = slices.Clone(entry.info.Tiers)
	}
	return infos
}

// known reports whether a name, or what it is an alias of, is in the catalog.
func known(name string) bool { return catalogIndex(name) >= 0 }

// infoOf returns the catalog's entry of a name or alias, which the caller must not
// change.
func infoOf(name string) (EventInfo, bool) {
	if i := catalogIndex(name); i >= 0 {
		return catalog[i].info, true
	}
	return EventInfo{}, false
}

// canonicalName returns the catalog's name for an alias, and any other name as
// it is.
func canonicalName(name string) string {
	if i := catalogIndex(name); i >= 0 {
		return catalog[i].info.Name
	}
	return name
}

// aliasesOf lists other wire names that decode to the same type.
func aliasesOf(name string) []string {
	if i := catalogIndex(name); i >= 0 {
		return catalog[i].aliases
	}
	return nil
}

// newEvent makes an empty event of a name.
func newEvent(name string) Event {
	i := catalogIndex(name)
	if i < 0 {
		return &UnknownEvent{Name: name}
	}
	ev := catalog[i].make()
	if name != catalog[i].info.Name {
		ev.(aliased).setAlias(name)
	}
	return ev
}

// Decode makes a typed event of a name and a payload as they are on the wire;
// a payload in an envelope (website_id, event, data, timestamp) is taken out of
// it. The only error is a [*SyntaxError], for a payload that is not valid JSON;
// anything else that is unexpected is listed in the event's Meta.Problems. The data
// are copied.
func Decode(name string, data []byte) (Event, error) {
	data = slices.Clone(data) // the event's strings share its memory
	env, ok := payload.DetectEnvelope(data)
	if !ok {
		env = payload.Envelope{Data: data}
	}
	return decodeEnvelope(name, env, time.Now())
}

// decodeEnvelope makes a typed event of an envelope's data, whose memory is
// the event's from then on.
func decodeEnvelope(name string, env payload.Envelope, received time.Time) (Event, error) {
	ev := newEvent(name)
	if err := decodePayload(ev, env, received); err != nil {
		return nil, err
	}
	return ev, nil
}

// decoders are reused: with its stack for nested values, a decoder is larger than many an event.
var decoders = sync.Pool{New: func() any { return new(payload.Decoder) }}

func decodePayload(ev Event, env payload.Envelope, received time.Time) error {
	d := decoders.Get().(*payload.Decoder)
	d.Reset(env.Data)
	ev.decode(d)
	err, problems := d.End(), d.Problems()
	d.Reset(nil)
	decoders.Put(d)
	if err != nil {
		return syntaxError(ev.EventName(), err)
	}
	meta := ev.EventMeta()
	websiteID, at := ev.origin()
	meta.Raw = env.Data
	meta.WebsiteID = cmp.Or(env.WebsiteID, websiteID)
	meta.Time = firstTime(env.Timestamp, at, received)
	meta.Problems = fieldProblems(env.Problems, problems)
	return nil
}

// firstTime returns the first time that is not zero.
func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func fieldProblems(lists ...[]payload.Problem) []FieldProblem {
	var all []FieldProblem
	for _, list := range lists {
		for _, p := range list {
			all = append(all, FieldProblem(p))
		}
	}
	return all
}

// encoder is a value that can write its wire form.
type encoder interface{ encode(e *payload.Encoder) }

func marshal(v encoder) ([]byte, error) {
	var e payload.Encoder
	v.encode(&e)
	return e.Bytes()
}

// unmarshalEvent reads a payload into an event that is zero.
func unmarshalEvent(ev Event, data []byte) error {
	return decodePayload(ev, payload.Envelope{Data: slices.Clone(data)}, time.Now())
}

// unmarshalValue reads a part of a payload by itself. There is no Meta to list problems in: the
// first of them is returned as the error, once everything was read.
func unmarshalValue(v interface {
	decode(d *payload.Decoder, p payload.Presence)
}, data []byte) error {
	d := payload.NewDecoder(slices.Clone(data))
	v.decode(d, payload.Optional)
	if err := d.End(); err != nil {
		return syntaxError("", err)
	}
	if problems := d.Problems(); len(problems) > 0 {
		return fmt.Errorf("crisp: %s", FieldProblem(problems[0]))
	}
	return nil
}

// SyntaxError is what [Decode] returns for a payload that is not valid JSON.
type SyntaxError struct {
	Event    string // its name; empty for a part of a payload that was decoded by itself
	Offset   int    // of the first byte that is not valid
	Expected string // what would have been valid there, e.g. "a colon"
}

// Error says where the payload is wrong; it never quotes it.
func (e *SyntaxError) Error() string {
	what := "crisp: "
	if e.Event != "" {
		what += shown(e.Event) + ": "
	}
	return fmt.Sprintf("%sinvalid JSON at byte %d: expected %s", what, e.Offset, e.Expected)
}

// syntaxError makes a SyntaxError of the decoder's.
func syntaxError(event string, err error) error {
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return &SyntaxError{Event: event, Offset: syntax.Offset, Expected: syntax.Expected}
}
