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

// Entry is one thing that happened, as a ring keeps it. It must not be changed once it
// is in a ring.
type Entry struct {
	Run     string // identifies the run of the command
	N       uint64 // the entry's number within the run
	At      time.Time
	Summary Summary // without ID, N and At, which summary adds
	Body    []byte  // the body of an event's web hook; for others the record as JSON

	isEvent bool
	isPlain bool // Body is ASCII without escapes, so it can be searched as it is
	attempt crisp.Delivery
}

// Summary is an entry as the page's list shows it.
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

	// For a delivery.
	Of      string `json:"of,omitempty"` // ID of the event
	Target  string `json:"target,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Status  int    `json:"status,omitempty"`
	TookMS  *int64 `json:"took_ms,omitempty"`
	Error   string `json:"error,omitempty"`
	Answer  string `json:"answer,omitempty"`
}

// previewLength is the length of the longest preview, in characters.
const previewLength = 160

// sourceInspector is the source of events and deliveries sent from the page.
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
		text = []byte("{}") // can't happen: only an event's record may not be encodable
	}
	e.setBody(text)
	return e
}

func (e *Entry) ofEvent(ev *record.Event) {
	meta := ev.Event.EventMeta()
	e.isEvent = true
	e.Summary.Event = strings.Clone(ev.Name()) // cloned, since they would keep the payload's memory
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

// preview returns the beginning of a text as one line that is safe to show.
func preview(text string, length int) string {
	shown := record.Excerpt(text, length-1)
	if utf8.RuneCountInString(shown) > length { // escapes made it longer
		shown = string([]rune(shown)[:length-1]) + "…"
	}
	return strings.Clone(shown)
}

// ID identifies the entry, across runs of the command too.
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

// summary returns the complete summary.
func (e *Entry) summary() Summary {
	s := e.Summary
	s.ID, s.N, s.At = e.ID(), e.N, e.At.Format(milliseconds)
	return s
}

// The prefixes of index keys; a value follows each.
const (
	keyID      = "i "
	keyOf      = "o "
	keyEvent   = "e "
	keyWebsite = "w "
	keySession = "s "
	keyKind    = "k "
)

// keys returns the keys under which the index has the entry.
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

// overhead estimates the memory of an entry besides its body and texts: the struct, its
// place in the ring, and its share of the index.
const overhead = int64(unsafe.Sizeof(Entry{})) + 400

// size estimates the entry's memory in bytes. Texts that are index keys count twice.
func (e *Entry) size() int64 {
	s := &e.Summary
	texts := 2*(len(s.Event)+len(s.WebsiteID)+len(s.SessionID)+len(s.Of)) + len(s.Preview) + len(s.Target) + len(s.Error) + len(s.Answer)
	return int64(cap(e.Body)+texts) + overhead
}

// Record restores the entry's record. Its What is nil for the kinds that only crisp
// serve has.
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
