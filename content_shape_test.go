package crisp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
)

// The content of a message:updated is told by its members and its MIME type.
func TestUpdatedContentIsWhatItsMembersAndMIMETypeSay(t *testing.T) {
	const url = "https://example.com/1"
	for wire, want := range map[string]crisp.Content{
		`{"url":"` + url + `","type":"audio/mp3"}`:                &crisp.AudioContent{URL: url, Type: "audio/mp3"},
		`{"type":"Audio/OGG; codecs=opus","url":"` + url + `"}`:   &crisp.AudioContent{URL: url, Type: "Audio/OGG; codecs=opus"},
		`{"url":"` + url + `","duration":3}`:                      &crisp.AudioContent{URL: url, Duration: 3 * time.Second},
		`{"url":"` + url + `","type":"application/pdf"}`:          &crisp.FileContent{URL: url, Type: "application/pdf"},
		`{"url":"` + url + `","type":"image/png"}`:                &crisp.FileContent{URL: url, Type: "image/png"},
		`{"url":"` + url + `","type":"video/mp4"}`:                &crisp.FileContent{URL: url, Type: "video/mp4"},
		`{"url":"` + url + `","type":"image/gif"}`:                &crisp.AnimationContent{URL: url, Type: "image/gif"},
		`{"url":"` + url + `","type":"image/webp"}`:               &crisp.AnimationContent{URL: url, Type: "image/webp"},
		`{"url":"` + url + `"}`:                                   &crisp.AnimationContent{URL: url},
		`{"url":"` + url + `","type":"image/gif","name":"a.gif"}`: &crisp.FileContent{Name: "a.gif", URL: url, Type: "image/gif"},
		`{"url":"` + url + `","type":"audio/mp3","name":"a.mp3"}`: &crisp.FileContent{Name: "a.mp3", URL: url, Type: "audio/mp3"},
		`{"id":"i","text":"t","value":"v"}`:                       &crisp.FieldContent{ID: "i", Text: "t", Value: "v"},
		`{"id":"i","text":"t","value":null}`:                      &crisp.FieldContent{ID: "i", Text: "t"},
		`{"value":"v","choices":[],"id":"i","text":"t"}`:          &crisp.PickerContent{ID: "i", Text: "t"},
		`{"text":"t","targets":[],"url":"` + url + `"}`:           &crisp.CarouselContent{Text: "t"},
		`{"id":"i","text":"t"}`:                                   unknown("", `{"id":"i","text":"t"}`), // a picker or a field
		`{"value":"v"}`:                                           unknown("", `{"value":"v"}`),
		`{"type":"image/gif"}`:                                    unknown("", `{"type":"image/gif"}`),
		`null`:                                                    nil,
	} {
		updated := decodeAs[*crisp.MessageUpdated](t, "message:updated", `{"content":`+wire+`,"fingerprint":5}`)
		assert.Equal(t, want, updated.Content, wire)
		assert.Empty(t, updated.Problems, wire)
	}
}

func unknown(typ, raw string) *crisp.UnknownContent {
	return &crisp.UnknownContent{Type: typ, Raw: json.RawMessage(raw)}
}

// Content that has nothing of what its type asks for, and all of another one, is
// kept as it came, and told.
func TestContentOfAnotherShape(t *testing.T) {
	for typ, c := range contents {
		if typ == "hologram" || c.wire[0] != '{' {
			continue
		}
		for _, other := range []string{"file", "animation", "audio", "event"} {
			if typ == other || strings.Contains(c.wire, `"url"`) || strings.Contains(c.wire, `"text"`) && other == "event" {
				continue // they have members in common
			}
			ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"type":"`+other+`","content":`+c.wire+`}`)
			assert.Equal(t, unknown(other, c.wire), ev.Content)
			assert.Equal(t, []crisp.FieldProblem{{Path: "content", Wanted: "content of " + other, Got: "content of " + typ}}, ev.Problems)
		}
	}
	for _, wire := range []string{`{}`, `{"later":1}`} { // nothing says that it is something else
		ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"type":"file","content":`+wire+`}`)
		assert.Equal(t, &crisp.FileContent{}, ev.Content)
		assert.Empty(t, ev.Problems)
	}
}
