package crisptest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// filter is what a session wants to receive, as clients send it.
type filter struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms"`
	Inboxes []string `json:"inboxes"`
}

func (session *session) apply(f filter) {
	session.Events, session.Rooms, session.Inboxes = f.Events, f.Rooms, f.Inboxes
}

// Bind is a change of a session's filters that its client has asked for.
type Bind struct {
	SessionID string
	Kind      string   // "socket:bind", "socket:bind:push" or "socket:bind:pop"
	Events    []string // as sent; nil if there were none
	Rooms     []string // as sent; nil if there were none
	Inboxes   []string // as sent; nil if there were none
	Refused   bool     // it named a website that the token may not listen to
	Time      time.Time
}

// String tells what was asked for, for failure messages.
func (b Bind) String() string {
	return fmt.Sprintf("%s by session %s: events %q, rooms %q, inboxes %q", b.Kind, b.SessionID, b.Events, b.Rooms, b.Inboxes)
}

const (
	bindSet  = "socket:bind"
	bindPush = "socket:bind:push"
	bindPop  = "socket:bind:pop"
)

func isBind(name string) bool { return name == bindSet || name == bindPush || name == bindPop }

// bind changes a session's filters, and looks up the token's websites anew;
// s.mu is held. An empty argument asks for the latter alone.
func (s *Server) bind(from *session, kind string, argument json.RawMessage) {
	var asked filter
	_ = json.Unmarshal(argument, &asked) // "" asks for nothing
	reach := s.reachOf(from.token)
	_, refused := reach.beyond(asked.Rooms)
	s.binds = append(s.binds, Bind{
		SessionID: from.ID,
		Kind:      kind,
		Events:    asked.Events,
		Rooms:     asked.Rooms,
		Inboxes:   asked.Inboxes,
		Refused:   refused,
		Time:      time.Now(),
	})
	if refused {
		return
	}
	from.reach = reach
	switch {
	case kind == bindPush && from.Events != nil: // to all events nothing can be added
		from.Events = union(from.Events, asked.Events)
	case kind == bindPop:
		from.Events = without(from.wanted(), asked.Events)
	case kind == bindSet && (asked.Events != nil || asked.Rooms != nil || asked.Inboxes != nil):
		from.apply(asked)
	}
}

// wanted lists the events that a session wants by name.
func (session *session) wanted() []string {
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

// without gives a less what is in b; never nil, which would mean all.
func without(a, b []string) []string {
	left := []string{}
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left
}

// Binds lists all changes of filters that clients have asked for.
func (s *Server) Binds() []Bind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.binds)
}
