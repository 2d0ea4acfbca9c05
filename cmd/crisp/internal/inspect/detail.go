package inspect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Detail is all that is known of a record.
type Detail struct {
	Summary
	Record any `json:"record"` // its JSON
	// Envelope is the body of an event's web hook, or else Text is.
	Envelope json.RawMessage `json:"envelope,omitempty"`
	Text     string          `json:"envelope_text,omitempty"`
	// Fields are those of the payload that the catalog knows, by their paths, such as
	// user.nickname or choices[].label.
	Fields     map[string]Field `json:"fields,omitempty"`
	Problems   []Problem        `json:"problem_list,omitempty"`
	Deliveries []Summary        `json:"deliveries,omitempty"`
}

// Field is what the catalog knows of a field.
type Field struct {
	Type     string `json:"type"`
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"doc,omitempty"`
}

// Problem is a field that was not of the type that it should have been.
type Problem struct {
	Path     string `json:"path"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

func (s *Server) event(r *http.Request) (any, error) {
	id, err := ParseID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	e, deliveries, ok := s.cfg.Ring.Get(id)
	if !ok {
		return nil, forgotten(id)
	}
	d := Detail{Summary: e.Summary, Record: e.what}
	for _, of := range deliveries {
		d.Deliveries = append(d.Deliveries, of.Summary)
	}
	if e.body == nil {
		return d, nil
	}
	return d, d.ofEvent(e)
}

func forgotten(id ID) error {
	return refused{http.StatusNotFound, fmt.Errorf("%s is not kept any more", id)}
}

// ofEvent adds what there is to say of an event.
func (d *Detail) ofEvent(e *entry) error {
	if json.Valid(e.body) {
		d.Envelope = e.body
	} else if utf8.Valid(e.body) {
		d.Text = string(e.body)
	}
	ev, err := e.event()
	if err != nil {
		return err
	}
	d.Record = ev
	for _, p := range ev.Event.EventMeta().Problems {
		d.Problems = append(d.Problems, Problem{Path: p.Path, Expected: p.Wanted, Got: p.Got})
	}
	info, known := eventinfo.Find(e.Event)
	if !known {
		return nil
	}
	d.Fields = make(map[string]Field)
	for _, f := range info.Fields() {
		d.Fields[f.Path] = Field{f.Type, f.Required, f.Description}
	}
	return nil
}

// event makes the event again of its body.
func (e *entry) event() (*record.Event, error) {
	ev, err := record.Parse(e.body)
	if err != nil {
		return nil, err
	}
	meta := ev.Event.EventMeta()
	meta.Source = crisp.Source(e.Source)
	if e.Attempt > 0 {
		meta.Delivery = &crisp.Delivery{Attempt: e.Attempt, Limit: e.Limit}
	}
	return ev, nil
}
