package record

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
)

// Event is an event with the body of its web hook, which is what it is forwarded
// and repeated as.
type Event struct {
	Event   crisp.Event
	RTMOnly bool // no web hook brings it
	// Body is {"website_id", "event", "data", "timestamp"}, byte for byte as it came,
	// or as it would have come.
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

// Name is the event's name on the wire.
func (e *Event) Name() string { return e.Event.EventName() }

// WebsiteID is the website of the event; empty if it has none.
func (e *Event) WebsiteID() string { return e.Event.EventMeta().WebsiteID }

// SessionID is the conversation of the event, as Crisp identifies it; empty if it
// has none.
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

// Conversation identifies what the event has to stay in order with: its
// conversation, or else the website's events without one.
func (e *Event) Conversation() string {
	return e.WebsiteID() + "\x00" + e.SessionID()
}

// Body writes the body of an event's web hook around its payload, which stays as it
// is.
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
	quoted, _ := encode(text) // a string always can be
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
