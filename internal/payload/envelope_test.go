package payload_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

func TestDetectEnvelope(t *testing.T) {
	for text, want := range map[string]bool{
		`{"website_id":"w","event":"e","data":{"a":1},"timestamp":5}`: true,
		`{"website_id":"w","data":{}}`:                                true,
		` {"data" : {} , "website_id" : "w" } `:                       true,
		`{"data":{},"website_id":null,"timestamp":"x"}`:               true,
		`{"website_id":"w","data":{},"session_id":"s"}`:               false,
		`{"website_id":"w","plugin_id":"p","data":{}}`:                false,
		`{"website_id":"w","data":[]}`:                                false,
		`{"website_id":"w","data":null}`:                              false,
		`{"website_id":"w","data":{},"data":5}`:                       false,
		`{"website_id":"w"}`:                                          false,
		`{"data":{}}`:                                                 false,
		`{}`:                                                          false,
		`[]`:                                                          false,
		`null`:                                                        false,
		``:                                                            false,
		`{"website_id":"w","data":{}}x`:                               false,
		`{"website_id":"w","data":{}`:                                 false,
		`{"website_id":"w","data":{x}}`:                               false,
	} {
		env, ok := payload.DetectEnvelope([]byte(text))
		assert.Equal(t, want, ok, text)
		if !ok {
			assert.Zero(t, env, text)
		}
	}
}

func TestDetectingNoEnvelopeReadsLittle(t *testing.T) {
	obj := []byte(`{"website_id":"w","session_id":"s","rest":[` + strings.Repeat("0,", 1000) + `0]}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { payload.DetectEnvelope(obj) }))
}

func TestParseEnvelope(t *testing.T) {
	env, err := payload.ParseEnvelope([]byte(`{"website_id":"w","event":"e","data":{"a":1},"timestamp":1773569824159,"id":[1]}`))
	require.NoError(t, err)
	assert.Equal(t, payload.Envelope{
		WebsiteID: "w", Event: "e", Data: []byte(`{"a":1}`), Timestamp: time.UnixMilli(1773569824159).UTC(),
	}, env)

	env, err = payload.ParseEnvelope([]byte(`{"website_id":5,"event":null,"data":null,"timestamp":"x"}`))
	require.NoError(t, err)
	assert.Equal(t, payload.Envelope{Data: []byte(`null`), Problems: []payload.Problem{
		{"website_id", "string", "number"}, {"timestamp", "number", "string"},
	}}, env)

	env, err = payload.ParseEnvelope([]byte(`[]`))
	require.NoError(t, err)
	assert.Equal(t, payload.Envelope{Problems: []payload.Problem{{"", "object", "array"}}}, env)

	_, err = payload.ParseEnvelope([]byte(`{"event":"e"`))
	require.Error(t, err)
}

func TestKeep(t *testing.T) {
	for text, want := range map[string]payload.Head{
		`{"website_id":"w","session_id":"s","x":1}`:                                                   {Session: "s", Website: "w"},
		`{"a":{"session_id":"x"},"session_id":"s"}`:                                                   {Session: "s"},
		`{"session_id":5,"website_id":"w"}`:                                                           {Website: "w"},
		`{"session_id":"","website_id":"w"}`:                                                          {Website: "w"},
		`{"website_id":"w","nickname":"n"}`:                                                           {Website: "w"},
		`{"website_id":"w","event":"e","data":{"website_id":"other","session_id":"s"},"timestamp":1}`: {Session: "s", Website: "w", Enveloped: true},
		`{"website_id":"w","data":{"a":1}}`:                                                           {Website: "w", Enveloped: true},
		`{"website_id":5,"data":{"session_id":"s"}}`:                                                  {Session: "s", Enveloped: true},
		`{"website_id":"w","data":{"session_id":"s"},"a":1}`:                                          {Website: "w"},
		`{"data":{"session_id":"s"}}`:                                                                 {},
		`{}`:                                                                                          {}, `[]`: {}, `null`: {}, ``: {}, `{"session_id":"s`: {}, `{"website_id":"w","data":`: {Website: "w"},
	} {
		buffer := []byte(text)
		kept, head := payload.Keep(buffer)
		clear(buffer) // it is used again
		assert.Equal(t, want, head, text)
		assert.Equal(t, text, string(kept))
	}
	for text, session := range map[string]string{
		`{ "a" : {"session_id":"no"} , "session_id" : "s" `:      "s",
		`{"a":["session_id"],"b":"session_id","session_id":"s"}`: "s",
		`{"session_id":"s","session_id":"t"}`:                    "s",
		`{"session_id":"a\u0062"}`:                               "ab",
		`{"session_id":"\x"}`:                                    "",
		`{"session_id"`:                                          "",
		`{"a":x,"session_id":"s"}`:                               "",
		nested(`[`, ``, ``, 20_000):                              "",
	} {
		_, head := payload.Keep([]byte(text))
		assert.Equal(t, payload.Head{Session: session}, head, "%.80s", text)
	}
	obj := []byte(`{"website_id":"w","nested":{"a":[1,2,3]},"session_id":"s"}`)
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { payload.Keep(obj) }), 0, "the copy")
}
