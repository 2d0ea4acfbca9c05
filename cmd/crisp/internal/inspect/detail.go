package inspect

import (
	"bytes"
	"encoding/json"
	"sync"
	"unicode/utf8"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Detail is everything known about an entry.
type Detail struct {
	Summary
	Record       json.RawMessage  `json:"record"`
	Envelope     json.RawMessage  `json:"envelope,omitempty"`      // the body of an event's web hook
	EnvelopeText string           `json:"envelope_text,omitempty"` // the same body byte for byte, if Envelope can't show it so
	Fields       map[string]field `json:"fields,omitempty"`        // of the payload, by path; [] stands for a list's elements
	Problems     []problem        `json:"problem_list,omitempty"`
	Deliveries   []*Entry         `json:"deliveries,omitempty"`
}

// field is what the catalog says about a field.
type field struct {
	Type string `json:"type"`
	Enum []any  `json:"enum,omitempty"`
	Doc  string `json:"doc,omitempty"`
}

// problem is a field whose type differs from the catalog's.
type problem struct {
	Path     string `json:"path"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

func (s *Server) detail(e *Entry) (Detail, error) {
	d := Detail{Summary: e.summary(), Record: e.Body}
	if !e.isEvent {
		return d, nil
	}
	if compact, ok := asMember(e.Body); ok {
		d.Envelope = e.Body
		if !bytes.Equal(compact, e.Body) {
			d.EnvelopeText = string(e.Body)
		}
	} else {
		d.EnvelopeText = string(e.Body)
	}
	d.Deliveries = s.cfg.Ring.Deliveries(d.ID)
	d.Fields = fieldsOf(e.Summary.Event)
	r, err := e.Record()
	if err != nil { // crisp serve can be made to send anything
		d.Record = json.RawMessage("{}")
		return d, nil //nolint:nilerr // the body is shown as it is
	}
	if d.Record, err = json.Marshal(r); err != nil {
		return d, err
	}
	for _, p := range r.What.(*record.Event).Event.EventMeta().Problems {
		d.Problems = append(d.Problems, problem{Path: p.Path, Expected: p.Wanted, Got: p.Got})
	}
	return d, nil
}

// asMember returns a text as encoding/json writes it inside a larger value. ok is false
// if it can't be written: it is not JSON, or is nested too deeply.
func asMember(text []byte) (member []byte, ok bool) {
	var whole bytes.Buffer
	encoder := json.NewEncoder(&whole)
	encoder.SetEscapeHTML(false)
	if !utf8.Valid(text) || encoder.Encode([]json.RawMessage{text}) != nil {
		return nil, false
	}
	return whole.Bytes()[1 : whole.Len()-2], true // between the brackets
}

// catalog caches the fields of events, since reading the schemas takes long.
var catalog sync.Map // an event's name to its map[string]field

func fieldsOf(event string) map[string]field {
	if known, ok := catalog.Load(event); ok {
		return known.(map[string]field)
	}
	info, found := eventinfo.Find(event)
	if !found {
		return nil
	}
	fields := make(map[string]field)
	for _, f := range info.Fields() {
		fields[f.Path] = field{Type: f.Type, Enum: f.Enum(), Doc: f.Description}
	}
	catalog.Store(event, fields)
	return fields
}
