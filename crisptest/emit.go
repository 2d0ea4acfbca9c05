package crisptest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/crisp-go/crisp"
)

// Emit sends an event to every session that is authenticated and subscribed to
// it, and to the web hooks that were added. It goes out as its fields stand:
// change a [Sample] and the change is sent. REST knows nothing of it; for
// messages that are there too, see [Server.Visitor].
//
// Emit never waits for a client. What a client has not read yet is its
// [Session.Backlog], which has no bound, as in socket.io. Each client gets
// events in the order of the calls.
//
// It panics on a [*crisp.UnknownEvent] whose Raw is no JSON.
func (s *Server) Emit(ev crisp.Event) { s.EmitRaw(ev.EventName(), mustJSON(ev)) }

// EmitRaw is Emit for any name and payload. The payload goes out as it is,
// valid JSON or not; what is not is sent to no web hook.
func (s *Server) EmitRaw(name string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(name, slices.Clone(payload)) // web hooks are delivered later
}

// emit is EmitRaw; s.mu is held.
func (s *Server) emit(name string, payload []byte) {
	em := emission{name: name, payload: payload, tiers: s.tiers[name]}
	for _, session := range s.sessions {
		if session.wants(&em) {
			session.engine.send(em.wire())
		}
	}
	s.notify(name, payload)
}

// wants tells whether a session is to get an event.
func (session *session) wants(em *emission) bool {
	if !session.receives() || !em.isFor(session.Tier) {
		return false
	}
	if session.Events != nil && !slices.Contains(session.Events, em.name) {
		return false
	}
	if session.reach == nil && len(session.Rooms) == 0 && len(session.Inboxes) == 0 {
		return true // without a look into the payload
	}
	return em.scope().passes(session)
}

// emission is an event on its way to the sessions.
type emission struct {
	name    string
	payload []byte
	tiers   []crisp.Tier // those that may receive it; nil means all
	frame   []byte       // made when the first session wants it
	place   *scope       // likewise
}

func (em *emission) isFor(tier crisp.Tier) bool {
	return em.tiers == nil || slices.Contains(em.tiers, tier)
}

func (em *emission) wire() []byte {
	if em.frame == nil {
		em.frame = eventFrame(em.name, em.payload)
	}
	return em.frame
}

// scope is what of a payload the filters go by.
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

// read leaves empty what the payload lacks or has as another type.
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
		var of struct{ Type, ID string } // a bucket's: it has no website_id
		if json.Unmarshal(resource, &of) == nil && of.Type == "website" {
			sc.WebsiteID = of.ID
		}
	}
}

// passes applies a session's filters. What belongs to no website passes those
// by website, what belongs to no conversation that by inbox.
func (sc scope) passes(session *session) bool {
	if sc.WebsiteID != "" {
		chosen := len(session.Rooms) == 0 || slices.Contains(session.Rooms, sc.WebsiteID)
		if !chosen || !session.reach.covers(sc.WebsiteID) {
			return false
		}
	}
	return sc.SessionID == "" || len(session.Inboxes) == 0 || slices.Contains(session.Inboxes, sc.InboxID)
}
