package crisp_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// contents has the content of each type of message, on the wire and in Go.
var contents = map[string]struct {
	wire string
	want crisp.Content
}{
	"text": {`"Hello"`, crisp.TextContent("Hello")},
	"note": {`"Be kind"`, crisp.NoteContent("Be kind")},
	"file": {
		`{"name":"invoice.pdf","url":"https://example.com/invoice.pdf","type":"application/pdf"}`,
		&crisp.FileContent{Name: "invoice.pdf", URL: "https://example.com/invoice.pdf", Type: "application/pdf"},
	},
	"animation": {
		`{"url":"https://example.com/cat.gif","type":"image/gif"}`,
		&crisp.AnimationContent{URL: "https://example.com/cat.gif", Type: "image/gif"},
	},
	"audio": {
		`{"url":"https://example.com/note.ogg","type":"audio/ogg","duration":12.5}`,
		&crisp.AudioContent{URL: "https://example.com/note.ogg", Type: "audio/ogg", Duration: 12500 * time.Millisecond},
	},
	"picker": {
		`{"id":"size","text":"Which size?","choices":[{"value":"s","label":"Small","icon":"🤏","selected":true,` +
			`"action":{"type":"link","target":"https://example.com/s"}},{"value":"l","label":"Large","selected":false}],"required":true}`,
		&crisp.PickerContent{
			ID: "size", Text: "Which size?", Required: true,
			Choices: []crisp.PickerChoice{
				{Value: "s", Label: "Small", Icon: "🤏", Selected: true, Action: crisp.PickerAction{Type: "link", Target: "https://example.com/s"}},
				{Value: "l", Label: "Large"},
			},
		},
	},
	"field": {
		`{"id":"name","text":"Your name?","explain":"First and last","value":"Camille Example","required":true}`,
		&crisp.FieldContent{ID: "name", Text: "Your name?", Explain: "First and last", Value: "Camille Example", Required: true},
	},
	"carousel": {
		`{"text":"Our lamps","targets":[{"title":"Desk","description":"Small","image":"https://example.com/desk.png",` +
			`"actions":[{"label":"Buy","url":"https://example.com/desk"}]}]}`,
		&crisp.CarouselContent{Text: "Our lamps", Targets: []crisp.CarouselTarget{{
			Title: "Desk", Description: "Small", Image: "https://example.com/desk.png",
			Actions: []crisp.CarouselAction{{Label: "Buy", URL: "https://example.com/desk"}},
		}}},
	},
	"event": {
		`{"namespace":"state:resolved","text":"Resolved"}`,
		&crisp.EventContent{Namespace: "state:resolved", Text: "Resolved"},
	},
	"hologram": {`[{"depth":3}]`, &crisp.UnknownContent{Type: "hologram", Raw: json.RawMessage(`[{"depth":3}]`)}},
}

func TestContentByTypeWhateverTheOrder(t *testing.T) {
	for typ, c := range contents {
		for _, payload := range []string{
			`{"type":"` + typ + `","content":` + c.wire + `,"from":"user"}`,
			`{"content":` + c.wire + `,"from":"user","type":"` + typ + `"}`,
			`{"type":"event","content":null,"content":` + c.wire + `,"from":"user","type":"` + typ + `"}`,
		} {
			for _, name := range []string{"message:send", "message:received"} {
				ev := decode(t, name, payload)
				assert.Empty(t, ev.EventMeta().Problems, payload)
				assert.Equal(t, c.want, contentOf(ev), payload)
				assert.Equal(t, typ, contentOf(ev).ContentType())
				text, err := json.Marshal(ev)
				require.NoError(t, err)
				var members map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(text, &members))
				assert.JSONEq(t, c.wire, string(members["content"]))
			}
		}
	}
}

func contentOf(ev crisp.Event) crisp.Content {
	switch ev := ev.(type) {
	case *crisp.MessageSend:
		return ev.Content
	case *crisp.MessageReceived:
		return ev.Content
	case *crisp.MessageUpdated:
		return ev.Content
	default:
		return nil
	}
}

func TestContentMarshalsByItself(t *testing.T) {
	for typ, c := range contents {
		text, err := json.Marshal(c.want)
		require.NoError(t, err)
		assert.JSONEq(t, c.wire, string(text), typ)
	}
	var unknown crisp.UnknownContent
	require.NoError(t, json.Unmarshal([]byte(`[1]`), &unknown))
	assert.Equal(t, crisp.UnknownContent{Raw: json.RawMessage(`[1]`)}, unknown)
	before := unknown.Raw
	require.NoError(t, json.Unmarshal([]byte(`[2]`), &unknown))
	assert.Equal(t, `[1]`, string(before), "it may be the memory of an event")
	text, err := json.Marshal(crisp.UnknownContent{})
	require.NoError(t, err)
	assert.Equal(t, `null`, string(text))
}

func TestContentOfAnotherJSONType(t *testing.T) {
	for typ, wanted := range map[string]string{
		"text": "string", "note": "string", "file": "object", "animation": "object", "audio": "object",
		"picker": "object", "field": "object", "carousel": "object", "event": "object",
	} {
		for wire, got := range map[string]string{`5`: "number", `[]`: "array", `true`: "boolean"} {
			ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"type":"`+typ+`","content":`+wire+`,"origin":"chat"}`)
			assert.Equal(t, &crisp.UnknownContent{Type: typ, Raw: json.RawMessage(wire)}, ev.Content)
			assert.Equal(t, []crisp.FieldProblem{{"content", wanted, got}}, ev.Problems)
			assert.Equal(t, "chat", ev.Origin)
		}
	}
}

func TestProblemsInsideContent(t *testing.T) {
	const content = `{"id":"size","text":null,"choices":[{"label":"Small"},{"value":"l","label":5}],"required":"yes"}`
	for name, payload := range map[string]string{
		"message:send":     `{"content":` + content + `,"type":"picker"}`,
		"message:received": `{"type":"picker","content":` + content + `}`,
		"message:updated":  `{"content":` + content + `,"fingerprint":5}`, // told by its shape
	} {
		ev := decode(t, name, payload)
		assert.Equal(t, []crisp.FieldProblem{
			{"content.choices[1].label", "string", "number"}, {"content.required", "boolean", "string"},
		}, ev.EventMeta().Problems, name)
		assert.Equal(t, &crisp.PickerContent{ID: "size", Choices: []crisp.PickerChoice{{Label: "Small"}, {Value: "l"}}}, contentOf(ev), name)
	}
}

// Without its message's type, content is told by its shape.
func TestContentByShape(t *testing.T) {
	for typ, c := range contents {
		want := c.want
		switch typ {
		case "note": // looks the same as text
			want = crisp.TextContent("Be kind")
		case "hologram":
			want = &crisp.UnknownContent{Raw: json.RawMessage(c.wire)}
		}
		updated := decodeAs[*crisp.MessageUpdated](t, "message:updated", `{"content":`+c.wire+`,"fingerprint":5}`)
		assert.Equal(t, want, updated.Content)
		assert.Empty(t, updated.Problems)

		drifted := decodeAs[*crisp.MessageSend](t, "message:send", `{"content":`+c.wire+`,"type":5}`)
		assert.Equal(t, want, drifted.Content)
		assert.Equal(t, []crisp.FieldProblem{{"type", "string", "number"}}, drifted.Problems)
	}
	for _, wire := range []string{`{}`, `{"a":{"url":"x"}}`, `5`, `[]`, `{"name":"x"}`} {
		updated := decodeAs[*crisp.MessageUpdated](t, "message:updated", `{"content":`+wire+`}`)
		assert.Equal(t, &crisp.UnknownContent{Raw: json.RawMessage(wire)}, updated.Content)
		assert.Empty(t, updated.Problems)
	}
}

func TestMessagesWithoutContent(t *testing.T) {
	for _, name := range []string{"message:send", "message:received", "message:updated"} {
		assert.Nil(t, contentOf(decode(t, name, `{"type":"text"}`)))
	}
}
