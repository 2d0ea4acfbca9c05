package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/seam"
)

// Message is an event, or a [Control], as it is in a log: the attributes of a
// CloudEvent (version 1.0), and the payload that Crisp has sent, byte for byte.
type Message struct {
	// ID is that of [crisp.EventID]. Where Stable, it is the same each time that the
	// event comes; engines store a message once by it.
	ID     string
	Stable bool
	// Type is the event's name, such as "message:send", or that of a Control.
	Type      string
	WebsiteID string    // empty if there is none
	SessionID string    // the conversation; empty if there is none
	Time      time.Time // when it happened, or was stored if it is a Control; zero if that is not known
	// Source is how the event came to the bridge.
	Source crisp.Source
	// Trace has the W3C headers traceparent and tracestate, if there are any.
	Trace map[string]string
	// Stub is why Data is not the payload, but a stub in its place; empty if it is the
	// payload.
	Stub string
	// Data is the JSON of the payload, of the Control or of the stub.
	Data []byte
}

// NewMessage makes the message of an event. It shares the memory of the payload (Meta.Raw).
func NewMessage(ev crisp.Event) Message {
	meta := ev.EventMeta()
	m := Message{
		ID:        crisp.EventID(ev),
		Stable:    crisp.EventIDStable(ev),
		Type:      ev.EventName(),
		WebsiteID: meta.WebsiteID,
		Time:      meta.Time,
		Source:    meta.Source,
		Data:      meta.Raw,
	}
	if of, ok := ev.(crisp.SessionEvent); ok {
		ref := of.Session()
		m.SessionID = ref.SessionID
		if m.WebsiteID == "" {
			m.WebsiteID = ref.WebsiteID
		}
	}
	return m
}

// Key identifies what stays in order: the conversation, or else the website's events
// without one.
func (m Message) Key() string {
	if m.SessionID != "" {
		return m.SessionID
	}
	return m.WebsiteID
}

// PartitionOf returns the partition, from 0, of a key in a log of n partitions: the key's
// FNV-1a hash of 32 bits, modulo n. It panics if n is less than 1.
func PartitionOf(key string, n int) int {
	if n < 1 {
		panic(fmt.Sprintf("bridge: PartitionOf: %d partitions: needs at least 1", n))
	}
	hash := uint32(2166136261)
	for i := range len(key) {
		hash = (hash ^ uint32(key[i])) * 16777619
	}
	return int(hash % uint32(n))
}

// Event makes the event again that the message was made of: its Meta has the same Source,
// Time, WebsiteID and Raw, and [crisp.EventID] and [crisp.EventIDStable] return what they
// did. Only Meta.Delivery is nil. The event shares the memory of Data.
//
// It is an error if the message is no event but a [Control], and a
// [*crisp.SyntaxError] if Data is no valid JSON.
func (m Message) Event() (crisp.Event, error) {
	if m.control() {
		return nil, errors.New("bridge: the message is no event: see ParseControl")
	}
	ev, err := seam.Crisp.Decode(seam.Recorded{
		Name:      m.Type,
		Data:      m.Data,
		WebsiteID: m.WebsiteID,
		Time:      m.Time,
		Source:    string(m.Source),
		ID:        m.digest(),
		Stable:    m.Stable,
	})
	if err != nil {
		return nil, fmt.Errorf("bridge: the payload of a message: %w", err)
	}
	return ev.(crisp.Event), nil
}

// control reports whether the message is no event.
func (m Message) control() bool { return m.Stub != "" || strings.HasPrefix(m.Type, controlPrefix) }

// controlPrefix is what the types of messages begin with that are no events.
const controlPrefix = "crisp.bridge."

// digest returns the ID as a key of fixed size: decoded if crisp.EventID made it, else hashed.
func (m Message) digest() (key crisp.DeliveryKey) {
	if b, err := hex.DecodeString(m.ID); err == nil && len(b) == len(key) {
		return crisp.DeliveryKey(b)
	}
	return sha256.Sum256([]byte(m.ID))
}

// size returns about how much memory the message takes, in bytes.
func (m Message) size() int {
	return messageOverhead + len(m.ID) + len(m.Type) + len(m.WebsiteID) + len(m.SessionID) + len(m.Data)
}

// messageOverhead is what a message takes besides its texts and payload, in bytes.
const messageOverhead = 512

// The attributes of a message. Those of CloudEvents' own are so named in all of its
// bindings; the others are extensions.
const (
	attrSpec        = "ce-specversion"
	attrID          = "ce-id"
	attrType        = "ce-type"
	attrSource      = "ce-source"
	attrSubject     = "ce-subject" // the conversation
	attrTime        = "ce-time"
	attrStable      = "ce-crispstable"
	attrVia         = "ce-crispvia" // how the event came to the bridge
	attrStub        = "ce-crispstub"
	attrContentType = "content-type"
	attrTraceparent = "traceparent"
	attrTracestate  = "tracestate"
)

const (
	specVersion   = "1.0"
	sourceRoot    = "/crisp"
	sourceWebsite = sourceRoot + "/websites/"
)

// Attributes are the message's headers, all but Data: those of a CloudEvent in the
// binary mode, such as "ce-id", traceparent and tracestate. Values are of printable
// ASCII characters: what else there is, and spaces, quotes and percent signs, is
// percent-encoded.
//
//	ce-specversion  1.0
//	ce-id           ID
//	ce-type         Type
//	ce-source       /crisp/websites/{WebsiteID}, or /crisp
//	ce-subject      SessionID
//	ce-time         Time, in UTC by RFC 3339
//	ce-crispvia     Source
//	ce-crispstable  true, if Stable
//	ce-crispstub    Stub
//	content-type    application/json
//	traceparent     of Trace, and tracestate, as they are
//
// What is empty is left out.
func (m Message) Attributes() map[string]string {
	source := sourceRoot
	if m.WebsiteID != "" {
		source = sourceWebsite + url.PathEscape(m.WebsiteID)
	}
	all := map[string]string{
		attrSpec:        specVersion,
		attrID:          encodeAttribute(m.ID),
		attrType:        encodeAttribute(m.Type),
		attrSource:      encodeAttribute(source),
		attrContentType: "application/json",
	}
	put := func(name, value string) {
		if value != "" {
			all[name] = encodeAttribute(value)
		}
	}
	put(attrSubject, m.SessionID)
	put(attrVia, string(m.Source))
	put(attrStub, m.Stub)
	if m.Stable {
		all[attrStable] = strconv.FormatBool(true)
	}
	if at := m.Time.UTC(); !at.IsZero() && at.Year() >= 0 && at.Year() <= 9999 { // others have no form; the payload may tell
		all[attrTime] = at.Format(time.RFC3339Nano)
	}
	for _, name := range []string{attrTraceparent, attrTracestate} {
		if value := m.Trace[name]; value != "" && printable(value) {
			all[name] = value
		}
	}
	return all
}

// ParseMessage makes a message of its attributes and its payload, whose memory is the
// message's from then on. Attributes that it does not know are left out. It is an
// error if the attributes are not those of a message; it quotes none of them.
func ParseMessage(attributes map[string]string, data []byte) (Message, error) {
	p := attributeParser{attributes: attributes}
	if spec := attributes[attrSpec]; spec != specVersion {
		return Message{}, fmt.Errorf("bridge: no message of this log: %s is not %s", attrSpec, specVersion)
	}
	m := Message{
		ID:        p.needed(attrID),
		Type:      p.needed(attrType),
		WebsiteID: p.website(),
		SessionID: p.decoded(attrSubject),
		Time:      p.time(),
		Source:    crisp.Source(p.decoded(attrVia)),
		Stable:    attributes[attrStable] == "true",
		Stub:      p.decoded(attrStub),
		Data:      data,
	}
	for _, name := range []string{attrTraceparent, attrTracestate} {
		if value := attributes[name]; value != "" && printable(value) {
			if m.Trace == nil {
				m.Trace = make(map[string]string)
			}
			m.Trace[name] = value
		}
	}
	if p.err != nil {
		return Message{}, p.err
	}
	return m, nil
}

// attributeParser reads attributes, and keeps the first error.
type attributeParser struct {
	attributes map[string]string
	err        error
}

func (p *attributeParser) fail(name, what string) {
	if p.err == nil {
		p.err = fmt.Errorf("bridge: no message of this log: the attribute %s %s", name, what)
	}
}

func (p *attributeParser) decoded(name string) string {
	value, err := url.PathUnescape(p.attributes[name])
	if err != nil {
		p.fail(name, "is not percent-encoded")
	}
	return value
}

func (p *attributeParser) needed(name string) string {
	value := p.decoded(name)
	if value == "" {
		p.fail(name, "is missing")
	}
	return value
}

func (p *attributeParser) website() string {
	source := p.needed(attrSource)
	if source == sourceRoot {
		return ""
	}
	escaped, ok := strings.CutPrefix(source, sourceWebsite)
	website, err := url.PathUnescape(escaped)
	if !ok || err != nil || website == "" {
		p.fail(attrSource, "names no website")
	}
	return website
}

func (p *attributeParser) time() time.Time {
	value := p.attributes[attrTime]
	if value == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		p.fail(attrTime, "is not a time by RFC 3339")
	}
	return at.UTC()
}

// encodeAttribute encodes a value as CloudEvents' binding to HTTP does.
func encodeAttribute(value string) string {
	plain := true
	for i := range len(value) {
		plain = plain && plainInAttribute(value[i])
	}
	if plain {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		if plainInAttribute(value[i]) {
			b.WriteByte(value[i])
			continue
		}
		const digits = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(digits[value[i]>>4])
		b.WriteByte(digits[value[i]&0xf])
	}
	return b.String()
}

func plainInAttribute(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '%' }

func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
