package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// State is the server's current state.
type State struct {
	WebsiteID   string         `json:"website_id"` // the default website
	Connections []Connection   `json:"connections"`
	Hooks       []string       `json:"hooks"`
	Latest      int            `json:"latest"`   // number of the journal's latest entry
	Happened    map[string]int `json:"happened"` // number of entries in the journal, by kind
}

func (h *handler) state(*http.Request) (any, error) {
	now := State{WebsiteID: h.website, Connections: h.listConnections(), Hooks: h.hooks.urls(), Happened: map[string]int{}}
	for _, entry := range h.srv.Journal(0) {
		now.Latest = entry.Number
		now.Happened[kindOf(entry)]++
	}
	return now, nil
}

func (h *handler) listConnections() []Connection {
	list := []Connection{}
	for _, session := range h.srv.Sessions() {
		list = append(list, *connectionOf(session))
	}
	return list
}

func (h *handler) connections(*http.Request) (any, error) {
	return map[string]any{"connections": h.listConnections()}, nil
}

// Conversation is a conversation as it is now.
type Conversation struct {
	WebsiteID    string         `json:"website_id"`
	SessionID    string         `json:"session_id"`
	State        string         `json:"state"`
	Assigned     string         `json:"assigned,omitempty"`
	Availability string         `json:"availability"`
	Meta         map[string]any `json:"meta"`
	Messages     []Message      `json:"messages"`
	Composing    []string       `json:"composing,omitempty"`
}

func (h *handler) conversation(r *http.Request) (any, error) {
	c, ok := h.srv.Conversation(cmp.Or(r.URL.Query().Get("website_id"), h.website), r.PathValue("session_id"))
	if !ok {
		return nil, refused{errors.New("there is no such conversation"), http.StatusNotFound}
	}
	return Conversation{
		WebsiteID:    c.WebsiteID,
		SessionID:    c.SessionID,
		State:        c.State,
		Assigned:     c.Assigned,
		Availability: c.Availability,
		Meta:         c.Meta,
		Messages:     c.Messages,
		Composing:    c.Composing,
	}, nil
}

// Journal is a part of the journal.
type Journal struct {
	Entries []Entry `json:"entries"`
	Latest  int     `json:"latest"` // the number after which to go on
}

// journal returns the entries after a number. If there are none, it waits for one, for as
// long as the query says.
func (h *handler) journal(r *http.Request) (any, error) {
	query := r.URL.Query()
	after, err := number(r, "after", 0)
	if err != nil {
		return nil, err
	}
	wait, err := span("wait", query.Get("wait"), 0)
	if err != nil {
		return nil, err
	}
	part := Journal{Entries: []Entry{}, Latest: after}
	collect := func(list []crisptest.Entry) {
		for _, entry := range list {
			part.Latest = entry.Number
			if kind := query.Get("kind"); kind == "" || kind == kindOf(entry) {
				part.Entries = append(part.Entries, EntryOf(entry))
			}
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	collect(h.srv.Journal(after))
	if len(part.Entries) > 0 || wait == 0 {
		return part, nil
	}
	for entry := range h.srv.Follow(ctx, part.Latest) {
		if collect([]crisptest.Entry{entry}); len(part.Entries) > 0 {
			break
		}
	}
	return part, nil
}

// Condition says which entry to wait for. Empty fields match anything.
type Condition struct {
	Kind      string `json:"kind"`                 // as in Entry
	After     int    `json:"after,omitempty"`      // number of the entry after which it comes
	Timeout   string `json:"timeout,omitempty"`    // such as "5s"; empty means 30s
	Event     string `json:"event,omitempty"`      // name of an event, or of a delivery's event
	WebsiteID string `json:"website_id,omitempty"` // of a message
	SessionID string `json:"session_id,omitempty"` // of a message
	Text      string `json:"text,omitempty"`       // contained in a message's text
	Method    string `json:"method,omitempty"`     // of a request
	Path      string `json:"path,omitempty"`       // contained in a request's path
	Status    int    `json:"status,omitempty"`     // of the answer to a request or a delivery
	Ended     bool   `json:"ended,omitempty"`      // a connection that has ended, instead of an authenticated one
}

const (
	defaultWait = 30 * time.Second
	longestWait = 10 * time.Minute
)

// wait waits for an entry that meets a condition. An authenticated connection that is
// already open will do, unless the entry has to come after another.
func (h *handler) wait(r *http.Request) (any, error) {
	var until Condition
	if err := decode(r, &until); err != nil {
		return nil, err
	}
	if !slices.Contains(entryKinds, until.Kind) {
		return nil, fmt.Errorf("kind is %q; it must be %s", until.Kind, strings.Join(entryKinds, ", "))
	}
	timeout, err := span("timeout", until.Timeout, defaultWait)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(timeout, longestWait))
	defer cancel()
	if until.Kind == "connection" && !until.Ended && until.After == 0 {
		for _, c := range h.listConnections() {
			if c.Authenticated {
				return Entry{Time: time.Now(), Kind: "connection", Connection: &c}, nil
			}
		}
	}
	seen := 0
	for entry := range h.srv.Follow(ctx, until.After) {
		if until.met(entry) {
			return EntryOf(entry), nil
		}
		if kindOf(entry) == until.Kind {
			seen++
		}
	}
	return nil, refused{
		fmt.Errorf("waited %s for such a %s; there were %d others: see GET %sjournal?kind=%s", timeout, until.Kind, seen, Prefix, until.Kind),
		http.StatusRequestTimeout,
	}
}

// met reports whether an entry meets the condition.
func (c Condition) met(entry crisptest.Entry) bool {
	is := func(wanted, found string) bool { return wanted == "" || wanted == found }
	switch {
	case kindOf(entry) != c.Kind:
		return false
	case entry.Event != nil:
		return is(c.Event, entry.Event.Name)
	case entry.Message != nil:
		m := entry.Message
		return is(c.WebsiteID, m.WebsiteID) && is(c.SessionID, m.SessionID) && strings.Contains(m.Text(), c.Text)
	case entry.Request != nil:
		q := entry.Request
		return is(c.Method, q.Method) && strings.Contains(q.Path, c.Path) && (c.Status == 0 || c.Status == q.Status)
	case entry.Session != nil:
		return entry.Session.Authenticated && (entry.Session.Ended != "") == c.Ended
	case entry.Delivery != nil:
		return is(c.Event, entry.Delivery.Event) && (c.Status == 0 || c.Status == entry.Delivery.Status)
	default:
		return true
	}
}

// entryKinds are the kinds of entries.
var entryKinds = []string{"event", "message", "request", "connection", "bind", "delivery"}

func kindOf(entry crisptest.Entry) string {
	switch {
	case entry.Event != nil:
		return "event"
	case entry.Message != nil:
		return "message"
	case entry.Request != nil:
		return "request"
	case entry.Session != nil:
		return "connection"
	case entry.Bind != nil:
		return "bind"
	default:
		return "delivery"
	}
}
