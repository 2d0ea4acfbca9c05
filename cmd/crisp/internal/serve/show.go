package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/terminal"
)

// Show says which entries of the journal to show, and how.
type Show struct {
	All  bool                             // show everything, not only events and messages
	Item func(output.Item) error          // writes an entry
	Note func(format string, args ...any) // writes a line that the user may want to see
	Lost func(format string, args ...any) // writes that entries could not be shown
}

// Run shows the journal so far, and each new entry until ctx ends.
func (show Show) Run(ctx context.Context, s *Server) error {
	last := 0
	for entry := range s.Follow(ctx, last) {
		if missed := entry.Number - last - 1; missed > 0 {
			show.Lost("%d entries were forgotten before they could be shown", missed)
		}
		last = entry.Number
		if err := show.entry(entry); err != nil {
			return err
		}
	}
	for _, entry := range s.Journal(last) { // what came until ctx ended
		if err := show.entry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (show Show) entry(from crisptest.Entry) error {
	if from.Session != nil {
		show.Note("connection %s", control.EntryOf(from).Connection)
	}
	if d := from.Delivery; d != nil && !d.Delivered() {
		show.Note("a web hook was not delivered: %s", deliveryText(*control.EntryOf(from).Delivery))
	}
	if from.Event == nil && from.Message == nil && !show.All {
		return nil
	}
	entry := control.EntryOf(from)
	item := output.Item{
		Line:  func(style output.Style) string { return line(style, entry) },
		Value: entry,
	}
	if from.Event != nil {
		item.Raw = from.Event.Payload
	}
	return show.Item(item)
}

// line describes an entry for people.
func line(style output.Style, entry control.Entry) string {
	kind, text := entry.Kind, ""
	switch {
	case entry.Event != nil:
		text = style.Strong(terminal.Line(entry.Event.Name)) + eventText(entry.Event.Data)
	case entry.Message != nil:
		text = messageText(*entry.Message)
	case entry.Request != nil:
		text = requestText(*entry.Request)
	case entry.Connection != nil:
		text = entry.Connection.String()
	case entry.Bind != nil:
		text = fmt.Sprintf("%s by %s", entry.Bind.Name, entry.Bind.Connection)
	case entry.Delivery != nil:
		text = deliveryText(*entry.Delivery)
	}
	if entry.Event == nil {
		text = terminal.Line(text)
	}
	return style.Dim(entry.Time.Format("15:04:05.000")) + fmt.Sprintf("  %-10s ", kind) + text
}

// eventText returns what distinguishes an event from others of its name.
func eventText(data json.RawMessage) string {
	var of struct {
		SessionID string          `json:"session_id"`
		WebsiteID string          `json:"website_id"`
		Content   json.RawMessage `json:"content"`
		Excerpt   string          `json:"excerpt"`
		State     string          `json:"state"`
	}
	_ = json.Unmarshal(data, &of) // members of other types are not shown
	var text string
	switch {
	case of.SessionID != "":
		text = " " + short(of.SessionID)
	case of.WebsiteID != "":
		text = " " + short(of.WebsiteID)
	}
	for _, said := range []string{contentText(of.Content), of.Excerpt, of.State} {
		if said != "" {
			text += ": " + excerpt(said)
		}
	}
	return terminal.Line(text)
}

func messageText(m control.Message) string {
	text := fmt.Sprintf("%s from %s in %s", m.Type, m.From, short(m.SessionID))
	if said := contentText(m.Content); said != "" {
		text += ": " + excerpt(said)
	}
	return text
}

// contentText returns a message's content if it is a string.
func contentText(content json.RawMessage) (text string) {
	_ = json.Unmarshal(content, &text) // other content is not shown
	return text
}

func requestText(r control.Request) string {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	return fmt.Sprintf("%s %s: %d", r.Method, path, r.Status)
}

func deliveryText(d control.Delivery) string {
	outcome := fmt.Sprintf("status %d", d.Status)
	if d.Error != "" {
		outcome = d.Error
	}
	return fmt.Sprintf("%s to %s, attempt %d of %d: %s, after %d ms", d.Event, d.URL, d.Attempt, d.Limit, outcome, d.Took)
}

// short returns an ID with its middle cut out: enough to recognise it.
func short(id string) string {
	prefix, id, _ := strings.Cut(id, "_")
	if id == "" {
		prefix, id = "", prefix
	} else {
		prefix += "_"
	}
	if len(id) > 12 {
		id = "…" + id[len(id)-8:]
	}
	return prefix + id
}

// longest is how many characters of a text are shown at most.
const longest = 80

func excerpt(text string) string {
	if letters := []rune(text); len(letters) > longest {
		text = string(letters[:longest]) + "…"
	}
	return `"` + text + `"`
}
