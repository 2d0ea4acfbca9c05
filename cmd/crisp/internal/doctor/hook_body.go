package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// bodies makes the bodies of web hooks, all different, for one kind of event.
type bodies struct {
	event   string
	website string
	payload map[string]any
	last    int64 // timestamp, in milliseconds
}

func newBodies(event, website string) (bodies, error) {
	sample, err := json.Marshal(crisptest.Sample(event))
	if err != nil {
		return bodies{}, fmt.Errorf("there is no sample of %s: %w", event, err)
	}
	b := bodies{event: event, website: website}
	if err := json.Unmarshal(sample, &b.payload); err != nil {
		return bodies{}, fmt.Errorf("there is no sample of %s: %w", event, err)
	}
	if own, is := b.payload["website_id"].(string); is && b.website == "" {
		b.website = own
	}
	return b, nil
}

// next returns the body of a new event, spelt as most JSON encoders would.
func (b *bodies) next() []byte {
	b.last = max(b.last+1, time.Now().UnixMilli())
	payload := maps.Clone(b.payload)
	if _, has := payload["website_id"]; has {
		payload["website_id"] = b.website
	}
	if _, has := payload["timestamp"]; has {
		payload["timestamp"] = b.last
	}
	if _, has := payload["fingerprint"]; has {
		payload["fingerprint"] = b.last
	}
	return encoded(map[string]any{"website_id": b.website, "event": b.event, "data": payload, "timestamp": b.last})
}

// encoded returns a value as JSON, its members in alphabetical order, without the
// escapes that only Go's encoder has.
func encoded(v any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // can't fail: the values came from JSON
	return bytes.TrimSpace(text.Bytes())
}

// spellings are those of widespread encoders other than the one that next uses.
var spellings = []struct {
	name string
	of   func([]byte) []byte
}{
	{"with blanks", func(body []byte) []byte { return spelt(body, ": ", ", ") }},
	{"with escaped slashes", func(body []byte) []byte { return bytes.ReplaceAll(body, []byte("/"), []byte(`\/`)) }},
	{"indented by 2", func(body []byte) []byte { return indented(body, "  ") }},
	{"indented by 4", func(body []byte) []byte { return indented(body, "    ") }},
	{"unusual", unusual},
}

func indented(body []byte, by string) []byte {
	var text bytes.Buffer
	if json.Indent(&text, body, "", by) != nil {
		return body
	}
	return text.Bytes()
}

// spelt returns compact JSON with other separators.
func spelt(body []byte, colon, comma string) []byte {
	var text bytes.Buffer
	inString, escaped := false, false
	for _, c := range body {
		switch {
		case inString:
			text.WriteByte(c)
			inString = escaped || c != '"'
			escaped = !escaped && c == '\\'
			continue
		case c == ':':
			text.WriteString(colon)
		case c == ',':
			text.WriteString(comma)
		default:
			text.WriteByte(c)
		}
		inString = c == '"'
	}
	return text.Bytes()
}

// unusual returns a body with the same meaning, plus an unknown member, in a spelling
// that no encoder produces: a program that verifies re-encoded JSON has to refuse it.
func unusual(body []byte) []byte {
	text := string(spelt(body, " :\t", " , "))
	text = strings.Replace(text, `"event"`, `"\u0065vent"`, 1)
	text = strings.ReplaceAll(text, "/", `\/`)
	return []byte("{ \"doctor\" : 1.50e+0 ,\n" + strings.TrimPrefix(text, "{") + "\n")
}
