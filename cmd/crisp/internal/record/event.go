package record

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
)

// Event is an event with the body of its web hook, with which it is forwarded and sent
// again.
type Event struct {
	Event   crisp.Event
	RTMOnly bool // Crisp sends it by no web hook
	// Body is {"website_id", "event", "data", "timestamp"}: byte for byte as it came by a
	// web hook, or as it would have come.
	Body []byte
}

// FromRTM makes the record of an event that came over the RTM API.
func FromRTM(ev crisp.Event) *Event {
	meta := ev.EventMeta()
	return &Event{Event: ev, RTMOnly: isRTMOnly(ev.EventName()), Body: Body(meta.WebsiteID, ev.EventName(), meta.Raw, meta.Time)}
}

// FromHook makes the record of an event that came by a web hook.
func FromHook(ev crisp.Event, body []byte) *Event {
	return &Event{Event: ev, RTMOnly: isRTMOnly(ev.EventName()), Body: body}
}

// Parse makes the record of an event from the body of its web hook, which is
// retained.
func Parse(body []byte) (*Event, error) {
	var envelope struct {
		WebsiteID string          `json:"website_id"`
		Event     string          `json:"event"`
		Data      json.RawMessage `json:"data"`
		Timestamp int64           `json:"timestamp"`
	}
	var drift *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &envelope); err != nil && !errors.As(err, &drift) {
		return nil, err
	}
	if envelope.Event == "" || envelope.Data == nil {
		return nil, errors.New("it has no event, or no data")
	}
	ev, err := crisp.Decode(envelope.Event, envelope.Data)
	if err != nil {
		return nil, err
	}
	if meta := ev.EventMeta(); envelope.WebsiteID != "" {
		meta.WebsiteID = envelope.WebsiteID
	}
	if envelope.Timestamp != 0 {
		ev.EventMeta().Time = time.UnixMilli(envelope.Timestamp)
	}
	return FromHook(ev, body), nil
}

// Name returns the event's name on the wire.
func (e *Event) Name() string { return e.Event.EventName() }

// WebsiteID returns the website of the event; empty if it has none.
func (e *Event) WebsiteID() string { return e.Event.EventMeta().WebsiteID }

// SessionID returns Crisp's identifier of the event's conversation; empty if it has none.
func (e *Event) SessionID() string {
	if of, ok := e.Event.(crisp.SessionEvent); ok {
		return of.Session().SessionID
	}
	var payload struct {
		SessionID string `json:"session_id"`
	}
	_ = json.Unmarshal(e.Event.EventMeta().Raw, &payload) // an unknown event may have none
	return payload.SessionID
}

// Conversation returns a key for the events whose order must be kept: those of the same
// conversation, or those of the website without a conversation.
func (e *Event) Conversation() string {
	return e.WebsiteID() + "\x00" + e.SessionID()
}

// Body returns the body of an event's web hook, with the payload byte for byte.
func Body(websiteID, event string, payload []byte, at time.Time) []byte {
	b := make([]byte, 0, len(payload)+200)
	b = append(b, `{"website_id":`...)
	b = appendString(b, websiteID)
	b = append(b, `,"event":`...)
	b = appendString(b, event)
	b = append(b, `,"data":`...)
	b = append(b, payload...)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	return append(b, '}')
}

func appendString(b []byte, text string) []byte {
	quoted, _ := encode(text) // can't fail for a string
	return append(b, quoted...)
}

// isRTMOnly reports whether Crisp never sends an event by web hook.
func isRTMOnly(name string) bool { return slices.Contains(rtmOnly, name) }

var rtmOnly = func() (names []string) {
	for _, event := range crisp.Events() {
		if event.RTMOnly {
			names = append(names, event.Name)
		}
	}
	return names
}()
