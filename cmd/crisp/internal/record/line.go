package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/terminal"
)

// Item returns the record for an output.Printer.
func (r Record) Item() output.Item {
	item := output.Item{Line: r.Line, Value: r}
	if ev, ok := r.What.(*Event); ok {
		item.Raw = ev.Body
	}
	return item
}

// Line describes the record in one line that is safe to show.
func (r Record) Line(style output.Style) string {
	return style.Dim(r.At.Local().Format("15:04:05.000")) + "  " + r.What.line(style)
}

// Text describes the record in one line that is safe to show, without its time.
func (r Record) Text() string { return strings.TrimSpace(r.What.line(output.Style{})) }

// excerptLength is how much of a text a line shows at most, in characters.
const excerptLength = 100

func (e *Event) line(style output.Style) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  ", style.Strong(fmt.Sprintf("%-24s", terminal.Line(e.Name()))))
	if id := e.SessionID(); id != "" {
		b.WriteString(style.Dim(shortID(id)) + "  ")
	} else if id := e.WebsiteID(); id != "" {
		b.WriteString(style.Dim("website "+shortID(id)) + "  ")
	}
	b.WriteString(Excerpt(e.Said(), excerptLength))
	if source := e.Event.EventMeta().Source; source == crisp.SourceBackfill {
		b.WriteString(style.Warn("  (recovered)"))
	}
	if n := len(e.Event.EventMeta().Problems); n > 0 {
		b.WriteString(style.Warn("  (" + output.Count(n, "field") + " of unexpected types)"))
	}
	return strings.TrimRight(b.String(), " ")
}

// Said returns the gist of the event: what somebody wrote, or the payload without the
// members that all payloads have.
func (e *Event) Said() string {
	if message, ok := e.Event.(crisp.MessageEvent); ok && message.Text() != "" {
		return message.Message().User.Nickname + ": " + message.Text()
	}
	payload := []byte(e.Event.EventMeta().Raw)
	if !json.Valid(payload) {
		return ""
	}
	for _, member := range []string{"website_id", "session_id", "inbox_id", "routing_ids"} {
		payload, _, _ = jsontext.Unset(payload, jsontext.Path{member}) // can't fail: it is valid
	}
	if string(payload) == "{}" {
		return ""
	}
	return string(payload)
}

// Excerpt returns the beginning of a text, as one line that is safe to show.
func Excerpt(text string, length int) string {
	if len(text) <= length {
		return terminal.Line(text)
	}
	cut := 0
	for range length {
		_, size := utf8.DecodeRuneInString(text[cut:])
		cut += size
	}
	if cut >= len(text) {
		return terminal.Line(text)
	}
	return terminal.Line(text[:cut]) + "…"
}

// shortID returns enough of an identifier to tell it from a few others.
func shortID(id string) string {
	const enough = len("session_") + 8
	before, after, isSession := strings.Cut(id, "session_")
	if isSession && before == "" {
		return terminal.Line("session_" + after[:min(len(after), 8)])
	}
	return terminal.Line(id[:min(len(id), enough-len("session_"))])
}

func (c *Connected) line(style output.Style) string {
	line := style.Good("connected") + " to " + terminal.Line(c.Endpoint) + " in " + milliseconds(c.TookMS)
	if c.Attempt > 1 {
		line += fmt.Sprintf(" (attempt %d)", c.Attempt)
	}
	return line
}

func (l *Lost) line(style output.Style) string {
	return style.Bad("lost the connection") + " after " + milliseconds(l.LivedMS) + ": " + terminal.Line(l.Reason)
}

func (r *Retrying) line(style output.Style) string {
	when := "at once"
	if r.DelayMS > 0 {
		when = "in " + milliseconds(r.DelayMS)
	}
	return fmt.Sprintf("%s %s (attempt %d): %s", style.Warn("connecting"), when, r.Attempt, terminal.Line(r.Reason))
}

func (g *Gap) line(style output.Style) string {
	return fmt.Sprintf("%s of %s, from %s to %s (%s): what happened then may be missing",
		style.Bad("gap"), g.To.Sub(g.From).Round(time.Millisecond), clockTime(g.From), clockTime(g.To), terminal.Line(g.Reason))
}

func (r *Recovered) line(style output.Style) string {
	line := fmt.Sprintf("%s %s of %s for the gap from %s to %s", style.Good("recovered"),
		output.Count(r.Messages, "message"), output.Count(r.Conversations, "conversation"), clockTime(r.From), clockTime(r.To))
	if !r.Complete {
		line += style.Warn(", but not all: ") + terminal.Line(r.Reason)
	}
	return line
}

func (d *Dropped) line(style output.Style) string {
	return fmt.Sprintf("%s %s: %s", style.Bad("dropped"), output.Count(d.Count, "event"), terminal.Line(d.Reason))
}

func (d *Delivery) line(style output.Style) string {
	word := map[Outcome]string{
		Accepted: style.Good("accepted"),
		Refused:  style.Warn("refused"),
		GivenUp:  style.Bad("given up"),
	}[d.Outcome]
	parts := []string{"  " + word}
	if d.Status != 0 {
		parts = append(parts, fmt.Sprint(d.Status))
	}
	parts = append(parts, milliseconds(d.TookMS), terminal.Line(d.Event), "to", terminal.Line(d.Target))
	if d.Attempt > 1 || d.Outcome == Refused {
		parts = append(parts, fmt.Sprintf("(attempt %d of %d)", d.Attempt, d.Limit))
	}
	line := strings.Join(parts, " ")
	why := slices.DeleteFunc([]string{terminal.Line(d.Error), terminal.Line(d.Answer)}, func(s string) bool { return s == "" })
	if len(why) > 0 {
		line += ": " + strings.Join(why, ": ")
	}
	return line
}

func milliseconds(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

func clockTime(t time.Time) string { return t.Local().Format("15:04:05.000") }
