package inspect

import (
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Summary is a record as the list of the page has it. What is empty is left out.
type Summary struct {
	ID        ID          `json:"id"`
	N         uint64      `json:"n"`
	Time      time.Time   `json:"time"`
	Kind      record.Kind `json:"kind"`
	Event     string      `json:"event,omitempty"`
	WebsiteID string      `json:"website_id,omitempty"`
	SessionID string      `json:"session_id,omitempty"`
	Source    string      `json:"source,omitempty"`
	Preview   string      `json:"preview,omitempty"`
	Problems  int         `json:"problems,omitempty"`
	Size      int         `json:"size,omitempty"` // of an event's body, in bytes
	Attempt   int         `json:"attempt,omitempty"`
	Limit     int         `json:"limit,omitempty"`

	// Of a delivery.
	Of      *ID            `json:"of,omitempty"`
	Target  string         `json:"target,omitempty"`
	Outcome record.Outcome `json:"outcome,omitempty"`
	Status  int            `json:"status,omitempty"`
	TookMS  int64          `json:"took_ms,omitempty"`
	Error   string         `json:"error,omitempty"`
	Answer  string         `json:"answer,omitempty"`
}

// previewLength is how much a list shows of what people wrote, in characters.
const previewLength = 160

func newEntry(run string, rec record.Record) *entry {
	s := Summary{ID: ID{run, rec.N}, N: rec.N, Time: rec.At, Kind: rec.What.Kind()}
	switch what := rec.What.(type) {
	case *record.Event:
		meta := what.Event.EventMeta()
		s.Event, s.WebsiteID, s.SessionID = what.Name(), what.WebsiteID(), what.SessionID()
		s.Source = string(meta.Source)
		s.Preview = record.Excerpt(what.Said(), previewLength)
		s.Problems, s.Size = len(meta.Problems), len(what.Body)
		if d := meta.Delivery; d != nil {
			s.Attempt, s.Limit = d.Attempt, d.Limit
		}
		return &entry{Summary: s, body: what.Body}
	case *record.Delivery:
		s.Event, s.Target, s.Outcome = what.Event, what.Target, what.Outcome
		s.Attempt, s.Limit, s.Status, s.TookMS = what.Attempt, what.Limit, what.Status, what.TookMS
		s.Error, s.Answer = what.Error, what.Answer
		if what.Of != 0 {
			s.Of = &ID{run, what.Of}
		}
	}
	s.Preview = rec.Text()
	return &entry{Summary: s, what: rec.What}
}
