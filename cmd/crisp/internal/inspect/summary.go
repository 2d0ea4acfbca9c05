package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/crisp-go/crisp"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Entry is what a ring keeps of something that has happened. It is not changed once it
// is in one.
type Entry struct {
	Run     string // of the command
	N       uint64 // within the run
	At      time.Time
	Summary Summary
	// Body is that of an event's web hook, else the record as JSON.
	Body []byte

	isEvent bool
	isPlain bool // Body is ASCII without escapes: its bytes are what it says
	attempt crisp.Delivery
}

// Summary is an entry as the page's list has it, besides what is set when it is
// written.
type Summary struct {
	ID        string `json:"id"`
	N         uint64 `json:"n"`
	At        string `json:"at"` // RFC 3339, with milliseconds
	Kind      string `json:"kind"`
	Event     string `json:"event,omitempty"`
	WebsiteID string `json:"website_id,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	Source    string `json:"source,omitempty"`
	Preview   string `json:"preview,omitempty"` // one line that is safe to show
	Problems  int    `json:"problems,omitempty"`
	Size      int    `json:"size"` // bytes
	Attempt   int    `json:"attempt,omitempty"`
	Limit     int    `json:"limit,omitempty"`

	// Of a delivery.
	Of      string `json:"of,omitempty"` // ID of the event
	Target  string `json:"target,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Status  int    `json:"status,omitempty"`
	TookMS  *int64 `json:"took_ms,omitempty"`
	Error   string `json:"error,omitempty"`
	Answer  string `json:"answer,omitempty"`
}

// previewLength is that of a preview at most, in characters.
const previewLength = 160

// sourceInspector is the source of what was sent from the page.
const sourceInspector crisp.Source = "inspector"

// FromRecord makes an entry of a record of a run.
func FromRecord(run string, r record.Record) *Entry {
	e := &Entry{Run: run, N: r.N, At: r.At, Summary: Summary{Kind: string(r.What.Kind())}}
	switch what := r.What.(type) {
	case *record.Event:
		e.ofEvent(what)
		return e
	case *record.Delivery:
		e.ofDelivery(what)
	}
	e.Summary.Preview = preview(r.Text(), previewLength)
	text, err := output.Encode(r)
	if err != nil {
		text = []byte("{}") // a record other than an event's always can be encoded
	}
	e.setBody(text)
	return e
}

func (e *Entry) ofEvent(ev *record.Event) {
	meta := ev.Event.EventMeta()
	e.isEvent = true
	e.Summary.Event = strings.Clone(ev.Name()) // they share the memory of the payload
	e.Summary.WebsiteID = strings.Clone(ev.WebsiteID())
	e.Summary.SessionID = strings.Clone(ev.SessionID())
	e.Summary.Source = string(meta.Source)
	e.Summary.Problems = len(meta.Problems)
	e.Summary.Preview = preview(ev.Said(), previewLength)
	if meta.Delivery != nil {
		e.attempt = *meta.Delivery
		e.Summary.Attempt, e.Summary.Limit = e.attempt.Attempt, e.attempt.Limit
	}
	e.setBody(ev.Body)
}

func (e *Entry) ofDelivery(d *record.Delivery) {
	s, took := &e.Summary, d.TookMS
	s.Event, s.Target, s.Outcome = d.Event, d.Target, string(d.Outcome)
	s.Attempt, s.Limit, s.Status, s.TookMS = d.Attempt, d.Limit, d.Status, &took
	s.Error, s.Answer = preview(d.Error, 500), preview(d.Answer, 500)
	if d.Of != 0 {
		s.Of = idOf(e.Run, d.Of)
	}
}

func (e *Entry) setBody(body []byte) {
	e.Body = body
	e.Summary.Size = len(body)
	e.isPlain = bytes.IndexByte(body, '\\') < 0 && isASCII(body)
}

// preview is how a text begins, as one line that is safe to show.
func preview(text string, length int) string {
	shown := record.Excerpt(text, length-1)
	if utf8.RuneCountInString(shown) > length { // with its escapes
		shown = string([]rune(shown)[:length-1]) + "…"
	}
	return strings.Clone(shown)
}

// ID identifies the entry, also across runs of the command.
func (e *Entry) ID() string { return idOf(e.Run, e.N) }

func idOf(run string, n uint64) string { return run + "-" + strconv.FormatUint(n, 10) }

func parseID(id string) (run string, n uint64, ok bool) {
	run, number, found := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return run, n, found && err == nil && run != ""
}

// milliseconds is RFC 3339 with milliseconds.
const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the summary.
func (e *Entry) MarshalJSON() ([]byte, error) { return output.Encode(e.summary()) }

// summary returns the summary whole.
func (e *Entry) summary() Summary {
	s := e.Summary
	s.ID, s.N, s.At = e.ID(), e.N, e.At.Format(milliseconds)
	return s
}

// What an index has entries by: a prefix, and a value.
const (
	keyID      = "i "
	keyOf      = "o "
	keyEvent   = "e "
	keyWebsite = "w "
	keySession = "s "
	keyKind    = "k "
)

// keys returns what an index has the entry by.
func (e *Entry) keys() []string {
	s := &e.Summary
	keys := make([]string, 0, 6)
	keys = append(keys, keyID+e.ID(), keyKind+s.Kind)
	for _, pair := range [][2]string{{keyOf, s.Of}, {keyEvent, s.Event}, {keyWebsite, s.WebsiteID}, {keySession, s.SessionID}} {
		if pair[1] != "" {
			keys = append(keys, pair[0]+pair[1])
		}
	}
	return keys
}

// overhead is what an entry takes besides its body and texts: itself, its place in a
// ring, and what an index takes for it, with the keys that only it has.
const overhead = int64(unsafe.Sizeof(Entry{})) + 400

// size is what the entry takes in memory, in bytes. Long texts count twice: an index
// may have them as well.
func (e *Entry) size() int64 {
	s := &e.Summary
	texts := 2*(len(s.Event)+len(s.WebsiteID)+len(s.SessionID)+len(s.Of)) + len(s.Preview) + len(s.Target) + len(s.Error) + len(s.Answer)
	return int64(cap(e.Body)+texts) + overhead
}

// Record makes the record of an entry again. What crisp serve alone knows of has none:
// then it is nil.
func (e *Entry) Record() (record.Record, error) {
	r := record.Record{N: e.N, At: e.At}
	if e.isEvent {
		ev, err := record.Parse(e.Body)
		if err != nil {
			return r, err
		}
		meta := ev.Event.EventMeta()
		meta.Source = crisp.Source(e.Summary.Source)
		if e.attempt != (crisp.Delivery{}) {
			meta.Delivery = &e.attempt
		}
		r.What = ev
		return r, nil
	}
	what, known := record.New(record.Kind(e.Summary.Kind))
	if !known {
		return r, nil
	}
	if err := json.Unmarshal(e.Body, what); err != nil {
		return r, fmt.Errorf("the record of a %s: %w", e.Summary.Kind, err)
	}
	r.What = what
	return r, nil
}
