package payload_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

func encode(t *testing.T, members func(e *payload.Encoder)) string {
	t.Helper()
	var e payload.Encoder
	e.Begin()
	members(&e)
	e.End()
	text, err := e.Bytes()
	require.NoError(t, err)
	require.True(t, json.Valid(text), "%s", text)
	return string(text)
}

// record has a field of each type that the Encoder writes.
type record struct {
	text     string
	flag     bool
	count    int
	number   float64
	at       time.Time
	span     time.Duration
	texts    []string
	counts   []int64
	raw      json.RawMessage
	anything map[string]any
	pages    []page
	places   map[string]page
}

func (r record) encode(e *payload.Encoder, p payload.Presence) {
	e.String("text", r.text, p)
	e.Bool("flag", r.flag, p)
	e.Int("count", r.count, p)
	e.Float64("number", r.number, p)
	e.Time("at", r.at, p)
	e.Duration("span", r.span, time.Minute, p)
	e.Strings("texts", r.texts, p)
	e.Int64s("counts", r.counts, p)
	e.Raw("raw", r.raw, p)
	e.RawObject("object", r.raw, p)
	e.AnyMap("anything", r.anything, p)
	payload.EncodeSlice(e, "pages", r.pages, p, (*page).encode)
	payload.EncodeMap(e, "places", r.places, p, (*page).encode)
}

func TestValuesAreWrittenWhateverTheirPresence(t *testing.T) {
	r := record{
		text: "s", flag: true, count: 5, number: 4.5, at: time.UnixMilli(1773569824159), span: 90 * time.Second,
		texts: []string{"a", "b"}, counts: []int64{1, 2}, raw: json.RawMessage(`{"r":1}`),
		places: map[string]page{"b": {}, "a": {url: "u"}}, anything: map[string]any{"k": []any{"v"}}, pages: []page{{url: "u"}, {}},
	}
	for _, p := range []payload.Presence{payload.Required, payload.Nullable, payload.Optional} {
		assert.JSONEq(t, `{"text":"s","flag":true,"count":5,"number":4.5,"at":1773569824159,"span":1.5,`+
			`"texts":["a","b"],"counts":[1,2],"raw":{"r":1},"object":{"r":1},"places":{"a":{"url":"u"},"b":{}},"anything":{"k":["v"]},`+
			`"pages":[{"url":"u"},{}]}`, encode(t, func(e *payload.Encoder) { r.encode(e, p) }))
	}
}

func TestZeroValuesAreWrittenByPresence(t *testing.T) {
	for p, want := range map[payload.Presence]string{
		payload.Optional: `{}`,
		payload.Nullable: `{"text":null,"flag":null,"count":null,"number":null,"at":null,"span":null,` +
			`"texts":null,"counts":null,"raw":null,"object":null,"anything":null,"pages":null,"places":null}`,
		payload.Required: `{"text":"","flag":false,"count":0,"number":0,"at":0,"span":0,` +
			`"texts":[],"counts":[],"raw":null,"object":{},"anything":{},"pages":[],"places":{}}`,
	} {
		assert.JSONEq(t, want, encode(t, func(e *payload.Encoder) { record{}.encode(e, p) }))
	}
}

func TestValuesThatJSONLacks(t *testing.T) {
	for name, write := range map[string]func(e *payload.Encoder){
		"NaN":      func(e *payload.Encoder) { e.Float64("f", math.NaN(), payload.Required) },
		"infinity": func(e *payload.Encoder) { e.Float64("f", math.Inf(-1), payload.Required) },
		"channel":  func(e *payload.Encoder) { e.AnyMap("m", map[string]any{"c": make(chan int)}, payload.Required) },
	} {
		var e payload.Encoder
		e.Begin()
		write(&e)
		e.End()
		_, err := e.Bytes()
		assert.Error(t, err, name)
	}
}

func TestAppendStringIsEncodingJSONs(t *testing.T) {
	for _, s := range append(texts, "<a href='x'>&</a>", "\u2028\u2029", "\x7f\u0080", "a\xffb\xc3", "\b\f\n\r\t\x00\x1f") {
		checkAppendString(t, s)
	}
}

// Crisp signs what JSON.stringify returns, which escapes nothing for HTML.
func TestNothingIsEscapedForHTML(t *testing.T) {
	const text = "<a href='x'>&</a>"
	assert.NotContains(t, encode(t, func(e *payload.Encoder) {
		e.String("s", text, payload.Required)
		e.AnyMap("m", map[string]any{text: []any{text}}, payload.Required)
	}), `\u`)
}

func FuzzAppendString(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(checkAppendString)
}

func checkAppendString(t *testing.T, s string) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(s))
	require.Equal(t, want.String(), string(payload.AppendString(nil, s))+"\n")
}

func FuzzAppendFloat(f *testing.F) {
	for _, n := range []float64{0, 1, -1, 45.5, 1e-6, 1e-7, 9.99e-7, 1e20, 1e21, 1e-10, 1e100, math.MaxFloat64, 5e-324, math.Copysign(0, -1)} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		want, err := json.Marshal(n)
		if err != nil {
			return // JSON has no NaN
		}
		require.Equal(t, string(want), string(payload.AppendFloat(nil, n)))
	})
}

func TestTimesComeBack(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.UnixMilli(100_000_000_000).UTC(), time.UnixMilli(1).UTC(), time.UnixMilli(-1500).UTC(), time.UnixMicro(-250).UTC(), time.UnixMicro(99_999_999_999_999).UTC(), time.UnixMilli(-200_000_000_500).UTC(), time.UnixMilli(1773569824159).UTC(),
		time.UnixMicro(1773569824159250).UTC(), time.UnixMicro(1773569824159001).UTC(), time.UnixMicro(-200_000_000_000_250).UTC(),
	} {
		text := payload.AppendTime(nil, at)
		assert.Equal(t, at, payload.NewDecoder(text).Time(payload.Required), "%s", text)
	}
	assert.Equal(t, "1773569824159", string(payload.AppendTime(nil, time.UnixMilli(1773569824159).Add(999))), "nanoseconds are cut off")
}

func (p *page) encode(e *payload.Encoder) {
	e.Begin()
	e.String("url", p.url, payload.Optional)
	e.End()
}
