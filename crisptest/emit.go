package crisptest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/crisp-go/crisp"
)

// Emit sends an event to every authenticated RTM session that receives it, and to
// the web hooks that were added. The payload is encoded from the event's fields,
// so that changes to a [Sample] are sent. No conversation changes by it: for
// messages that REST has, too, see [Server.Visitor].
//
// Emit never waits for a client. What a client has not read yet is its
// [Session.Backlog], which is unbounded, as in socket.io. Each client receives
// events in the order of the calls.
//
// Emit panics if ev is a [*crisp.UnknownEvent] whose Raw is not valid JSON.
func (s *Server) Emit(ev crisp.Event) { s.EmitRaw(ev.EventName(), mustJSON(ev)) }

// EmitRaw is like [Server.Emit] for any name and payload. The payload is sent as
// it is, and to web hooks only if it is valid JSON.
func (s *Server) EmitRaw(name string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(name, slices.Clone(payload)) // the caller may change it before web hooks are delivered
}

// emit is EmitRaw for a payload that nobody changes; s.mu is held.
func (s *Server) emit(name string, payload []byte) {
	em := emission{name: name, payload: payload, tiers: s.tiers[name]}
	for _, session := range s.sessions {
		if session.wants(&em) {
			session.engine.send(em.encoded())
		}
	}
	s.note(Entry{Event: &Emission{Name: name, Payload: payload}})
	s.notify(name, payload)
}

// wants reports whether a session receives an event.
func (session *liveSession) wants(em *emission) bool {
	if !session.receives() || !em.isFor(session.Tier) {
		return false
	}
	if session.Events != nil && !slices.Contains(session.Events, em.name) {
		return false
	}
	if session.websites.isAll() && len(session.Rooms) == 0 && len(session.Inboxes) == 0 {
		return true // no need to parse the payload
	}
	return em.scope().passes(session, em.name == subscriptionUpdated && session.Tier == crisp.TierPlugin)
}

// emission is an event on its way to the sessions.
type emission struct {
	name    string
	payload []byte
	tiers   []crisp.Tier // those that may receive it; nil means all
	frame   []byte       // made when first needed
	place   *scope       // made when first needed
}

func (em *emission) isFor(tier crisp.Tier) bool {
	return em.tiers == nil || slices.Contains(em.tiers, tier)
}

func (em *emission) encoded() []byte {
	if em.frame == nil {
		em.frame = eventFrame(em.name, em.payload)
	}
	return em.frame
}

// scope is the part of a payload that the filters depend on.
type scope struct {
	WebsiteID string
	SessionID string
	InboxID   string
}

func (em *emission) scope() scope {
	if em.place == nil {
		em.place = &scope{}
		em.place.read(em.payload)
	}
	return *em.place
}

// read parses a payload. What it lacks, or has as another type, is empty.
func (sc *scope) read(payload []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return
	}
	text := func(raw json.RawMessage) (s string) {
		_ = json.Unmarshal(raw, &s)
		return s
	}
	sc.WebsiteID = text(fields["website_id"])
	sc.SessionID = text(fields["session_id"])
	sc.InboxID = text(fields["inbox_id"])
	if resource := fields["resource"]; sc.WebsiteID == "" && bytes.HasPrefix(resource, []byte("{")) {
		var of struct{ Type, ID string } // the events bucket:url:… have this instead of website_id
		if json.Unmarshal(resource, &of) == nil && of.Type == "website" {
			sc.WebsiteID = of.ID
		}
	}
}

// passes reports whether an event passes a session's filters by website and
// inbox. An event without a website or without a conversation is not filtered by
// it. If it announces the website, the session need not see that yet, or any more.
func (sc scope) passes(session *liveSession, announces bool) bool {
	if sc.WebsiteID != "" {
		chosen := len(session.Rooms) == 0 || slices.Contains(session.Rooms, sc.WebsiteID)
		if !chosen || !announces && !session.websites.has(sc.WebsiteID) {
			return false
		}
	}
	return sc.SessionID == "" || len(session.Inboxes) == 0 || slices.Contains(session.Inboxes, sc.InboxID)
}
