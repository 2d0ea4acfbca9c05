// Package control is the HTTP API that drives a running crisp serve: its handler, which
// is mounted beside the REST API, and a client.
package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/crisp-go/crisp/crisptest"
)

// Entry is something that happened on the server. Kind says which pointer is set.
type Entry struct {
	Number     int         `json:"number"` // counted from 1, without gaps
	Time       time.Time   `json:"time"`
	Kind       string      `json:"kind"`                 // "event", "message", "request", "connection", "bind" or "delivery"
	Event      *Event      `json:"event,omitempty"`      // an event that was sent
	Message    *Message    `json:"message,omitempty"`    // a message that a program sent over REST
	Request    *Request    `json:"request,omitempty"`    // a REST request, once it is answered
	Connection *Connection `json:"connection,omitempty"` // an RTM connection that opened, authenticated or ended
	Bind       *Bind       `json:"bind,omitempty"`       // a change of what a connection receives
	Delivery   *Delivery   `json:"delivery,omitempty"`   // a web hook's delivery that was answered or failed
}

// Event is an event as it was sent.
type Event struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// Message is a message as REST returns it.
type Message = crisptest.Message

// Request is a request to the REST API. It leaves out the headers, which hold a key.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // below the base URL
	Query  string `json:"query,omitempty"`
	Status int    `json:"status,omitempty"`
	Body   any    `json:"body,omitempty"` // JSON, or else a string
}

// Connection is a connection to the RTM API.
type Connection struct {
	ID            string    `json:"id"`
	Authenticated bool      `json:"authenticated"`
	Tier          string    `json:"tier,omitempty"`
	EngineIO      int       `json:"engine_io"`
	Events        []string  `json:"events,omitempty"`
	Websites      []string  `json:"websites,omitempty"`
	Inboxes       []string  `json:"inboxes,omitempty"`
	Opened        time.Time `json:"opened"`
	Backlog       int       `json:"backlog,omitempty"` // frames that the program has not read yet
	Ended         string    `json:"ended,omitempty"`   // why it ended; empty while it is open
}

// String describes the state of the connection.
func (c Connection) String() string {
	switch {
	case c.Ended != "":
		return fmt.Sprintf("%s has ended: %s", c.ID, c.Ended)
	case c.Authenticated:
		return fmt.Sprintf("%s is authenticated as %s", c.ID, c.Tier)
	default:
		return c.ID + " has opened"
	}
}

// Bind is a request to change what a connection receives.
type Bind struct {
	Connection string   `json:"connection"`
	Name       string   `json:"name"` // "socket:bind", "socket:bind:push" or "socket:bind:pop"
	Events     []string `json:"events,omitempty"`
	Websites   []string `json:"websites,omitempty"`
	Inboxes    []string `json:"inboxes,omitempty"`
	Refused    bool     `json:"refused,omitempty"`
}

// Delivery is an attempt to deliver a web hook.
type Delivery struct {
	URL     string `json:"url"` // without its query, which may hold a secret
	Event   string `json:"event"`
	Attempt int    `json:"attempt"`
	Limit   int    `json:"limit"`
	Status  int    `json:"status,omitempty"`
	Error   string `json:"error,omitempty"` // why there was no answer
	Took    int64  `json:"took_ms"`
	Body    any    `json:"body,omitempty"`
}

// Delivered reports whether the target accepted the web hook.
func (d Delivery) Delivered() bool { return d.Status >= 200 && d.Status < 300 }

// EntryOf converts an entry of a server's journal.
func EntryOf(from crisptest.Entry) Entry {
	entry := Entry{Number: from.Number, Time: from.Time}
	switch {
	case from.Event != nil:
		entry.Kind, entry.Event = "event", &Event{Name: from.Event.Name, Data: anyJSON(from.Event.Payload)}
	case from.Message != nil:
		entry.Kind, entry.Message = "message", from.Message
	case from.Request != nil:
		entry.Kind, entry.Request = "request", requestOf(*from.Request)
	case from.Session != nil:
		entry.Kind, entry.Connection = "connection", connectionOf(*from.Session)
	case from.Bind != nil:
		entry.Kind, entry.Bind = "bind", bindOf(*from.Bind)
	case from.Delivery != nil:
		entry.Kind, entry.Delivery = "delivery", deliveryOf(*from.Delivery)
	}
	return entry
}

func requestOf(r crisptest.Request) *Request {
	return &Request{Method: r.Method, Path: r.Path, Query: r.Query, Status: r.Status, Body: body(r.Body)}
}

func connectionOf(s crisptest.Session) *Connection {
	return &Connection{
		ID:            s.ID,
		Authenticated: s.Authenticated,
		Tier:          string(s.Tier),
		EngineIO:      s.EngineIO,
		Events:        s.Events,
		Websites:      s.Rooms,
		Inboxes:       s.Inboxes,
		Opened:        s.Opened,
		Backlog:       s.Backlog.Frames,
		Ended:         s.Ended,
	}
}

func bindOf(b crisptest.Bind) *Bind {
	return &Bind{Connection: b.SessionID, Name: b.Kind, Events: b.Events, Websites: b.Rooms, Inboxes: b.Inboxes, Refused: b.Refused}
}

func deliveryOf(d crisptest.Delivery) *Delivery {
	told := &Delivery{
		URL:     WithoutQuery(d.URL),
		Event:   d.Event,
		Attempt: d.Attempt,
		Limit:   d.Limit,
		Status:  d.Status,
		Took:    d.Took.Milliseconds(),
		Body:    body(d.Body),
	}
	if d.Err != nil {
		told.Error = withoutURL(d.Err).Error()
	}
	return told
}

// WithoutQuery returns a URL without its user, query and fragment, which may hold secrets.
func WithoutQuery(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a URL that is not valid"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// withoutURL returns the cause of an HTTP client's error, whose own text quotes the URL.
func withoutURL(err error) error {
	if quoted, ok := err.(*url.Error); ok { //nolint:errorlint // the outermost is the one that quotes
		return quoted.Err
	}
	return err
}

// body returns a body as a value for JSON: itself if it is JSON, or a string, or just the
// media type if it is binary.
func body(text []byte) any {
	switch {
	case len(text) == 0:
		return nil
	case json.Valid(text):
		return json.RawMessage(text)
	case utf8.Valid(text):
		return string(text)
	default:
		return http.DetectContentType(text)
	}
}

// anyJSON returns a text itself if it is JSON, or else as a JSON string.
func anyJSON(text []byte) json.RawMessage {
	if json.Valid(text) {
		return text
	}
	quoted, _ := json.Marshal(string(text)) // any string can be encoded
	return quoted
}
