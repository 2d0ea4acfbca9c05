package crisptest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// filter says what a session is to receive, as clients send it.
type filter struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms"`
	Inboxes []string `json:"inboxes"`
}

func (session *liveSession) apply(f filter) {
	session.Events, session.Rooms, session.Inboxes = f.Events, f.Rooms, f.Inboxes
}

// Bind is a change of what an RTM session receives, as its client requested it.
type Bind struct {
	SessionID string    // Session.ID
	Kind      string    // "socket:bind", "socket:bind:push" or "socket:bind:pop"
	Events    []string  // names, as sent; nil if there was no list
	Rooms     []string  // website IDs, as sent; nil if there was no list
	Inboxes   []string  // inbox IDs, as sent; nil if there was no list
	Refused   bool      // it had a website that the token may not access, and had no effect
	Time      time.Time // when it was received
}

// String describes the request, for failure messages.
func (b Bind) String() string {
	return fmt.Sprintf("%s by session %s: events %q, rooms %q, inboxes %q", b.Kind, b.SessionID, b.Events, b.Rooms, b.Inboxes)
}

const (
	bindSet  = "socket:bind"
	bindPush = "socket:bind:push"
	bindPop  = "socket:bind:pop"
)

func isBind(name string) bool { return name == bindSet || name == bindPush || name == bindPop }

// bind changes a session's filters, and updates the websites that its token may
// access; s.mu is held. An empty argument does only the latter.
func (s *Server) bind(from *liveSession, kind string, argument json.RawMessage) {
	var asked filter
	_ = json.Unmarshal(argument, &asked) // an empty argument is no JSON, and changes no filter
	websites := s.websitesOf(from.token)
	_, refused := websites.firstMissing(asked.Rooms)
	requested := Bind{
		SessionID: from.ID,
		Kind:      kind,
		Events:    asked.Events,
		Rooms:     asked.Rooms,
		Inboxes:   asked.Inboxes,
		Refused:   refused,
		Time:      time.Now(),
	}
	s.binds.add(&requested, 0)
	s.note(Entry{Bind: &requested})
	if refused {
		return
	}
	from.websites = websites
	switch {
	case kind == bindPush && from.Events != nil: // nil means all events already
		from.Events = union(from.Events, asked.Events)
	case kind == bindPop:
		from.Events = without(from.wanted(), asked.Events)
	case kind == bindSet && (asked.Events != nil || asked.Rooms != nil || asked.Inboxes != nil):
		from.apply(asked)
	}
}

// wanted returns the names of the events that a session receives.
func (session *liveSession) wanted() []string {
	if session.Events != nil {
		return session.Events
	}
	var names []string
	for _, info := range crisp.Events() {
		names = append(names, info.Name)
	}
	return names
}

func union(a, b []string) []string {
	return append(slices.Clip(a), without(b, a)...)
}

// without returns the elements of a that are not in b. The result is never nil,
// which would mean all.
func without(a, b []string) []string {
	left := []string{}
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left
}

// Binds returns the latest changes of filters ([WithHistory]) that clients have
// requested, in order, refused ones included.
func (s *Server) Binds() []Bind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.binds)
}
