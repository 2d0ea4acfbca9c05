package bridge

import (
	"time"

	"github.com/crisp-go/crisp"
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
	WebsiteID string // empty if there is none
	SessionID string // the conversation; empty if there is none
	Time      time.Time
	// Source is how the event came to the bridge.
	Source crisp.Source
	// Trace has the W3C headers traceparent and tracestate, if there are any.
	Trace map[string]string
	// Stub is why Data is not the payload, but a stub in its place; empty if it is the payload.
	Stub string
	Data []byte
}

// Key identifies what stays in order: the conversation, or else the website's events
// without one.
func (m Message) Key() string {
	if m.SessionID != "" {
		return m.SessionID
	}
	return m.WebsiteID
}
