// Package capture keeps records in files, and reads them again.
//
// A capture is JSON lines. The first says {"capture":1}, which is the version of the
// form; each of the others is a record. An event's line has the body of its web hook
// byte for byte: as the member "envelope" where that can be a part of a line that is
// safe to show, else as text ("envelope_text") or in Base64 ("envelope_base64").
// Captures can be appended to each other.
package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/internal/terminal"
)

// version is the version of the format.
const version = 1

// heading is the line that begins a capture, and each further run in it.
type heading struct {
	Capture int       `json:"capture"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Run     string    `json:"run,omitempty"` // identifies the run
}

// runOf returns the name of the run that a heading begins, or makes one up if it has none.
func (h heading) runOf(line int) string {
	if h.Run != "" && len(h.Run) <= longestRun && !strings.ContainsFunc(h.Run, isNoLetter) {
		return h.Run
	}
	return fmt.Sprintf("line%d", line)
}

// longestRun is how long a run's name may be.
const longestRun = 32

func isNoLetter(r rune) bool {
	return (r < 'a' || 'z' < r) && (r < '0' || '9' < r)
}

// eventLine is what an event's line has besides the members that all lines have.
type eventLine struct {
	Source   crisp.Source `json:"source,omitempty"`
	Attempt  int          `json:"attempt,omitempty"`
	Limit    int          `json:"limit,omitempty"`
	Redacted bool         `json:"redacted,omitempty"`

	// One of these holds the body.
	Envelope json.RawMessage `json:"envelope,omitempty"`
	Text     *string         `json:"envelope_text,omitempty"`
	Base64   []byte          `json:"envelope_base64,omitempty"`
}

// encode returns a record's line, with its line break.
func encode(r record.Record, redacted bool) ([]byte, error) {
	ev, ok := r.What.(*record.Event)
	if !ok {
		line, err := output.Encode(r)
		return append(line, '\n'), err
	}
	body := ev.Body
	if redacted {
		body = Redact(body)
	}
	about := eventLine{Source: ev.Event.EventMeta().Source, Redacted: redacted}
	if d := ev.Event.EventMeta().Delivery; d != nil {
		about.Attempt, about.Limit = d.Attempt, d.Limit
	}
	if line, ok := withEnvelope(r, about, body); ok {
		return line, nil
	}
	if utf8.Valid(body) {
		text := string(body)
		about.Text = &text
	} else {
		about.Base64 = body
	}
	line, err := join(r, about)
	return append(line, '\n'), err
}

// withEnvelope returns an event's line with its body embedded as JSON. It reports whether
// that keeps the body byte for byte, and the line safe to show.
func withEnvelope(r record.Record, about eventLine, body []byte) ([]byte, bool) {
	isSafe := utf8.Valid(body) && !bytes.ContainsAny(body, "\t\r\n") && bytes.Equal(terminal.JSON(body), body)
	if !isSafe || len(body) == 0 || body[0] != '{' || body[len(body)-1] != '}' {
		return nil, false
	}
	line, err := join(r, about)
	if err != nil {
		return nil, false
	}
	line = append(line[:len(line)-1], `,"envelope":`...)
	line = append(append(line, body...), "}\n"...)
	return line, json.Valid(line) // it isn't if the body is nested so deeply that nothing more goes around it
}

func join(r record.Record, about eventLine) ([]byte, error) {
	line, err := record.Join(record.Head{N: r.N, At: r.At, Kind: r.What.Kind()}, about)
	return terminal.JSON(line), err
}

// body returns the body as it was.
func (e *eventLine) body() []byte {
	switch {
	case e.Envelope != nil:
		return e.Envelope
	case e.Text != nil:
		return []byte(*e.Text)
	default:
		return e.Base64
	}
}
