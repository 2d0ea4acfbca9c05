package payload_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

// texts are valid and invalid JSON of every kind, and the seeds of the fuzz
// tests.
var texts = []string{
	``, ` `, `null`, `true`, `false`, `nul`, `nulll`, `True`, `tru`, `falsy`,
	`0`, `-0`, `01`, `-`, `-a`, `+1`, `1.`, `.5`, `1.5`, `1.5e`, `1e5`, `1E+05`, `1e-5`, `1e+`, `0x1`, `1_0`,
	`45.0`, `9007199254740993`, `9223372036854775807`, `-9223372036854775808`, `1e999`, `-1e999`, `1e-999`,
	`""`, `"`, `"a`, `"a"b`, `"\"`, `"\\"`, `"\/\b\f\n\r\t\""`, `"\u00e9"`, `"\u00E9"`, `"\u00g9"`, `"\u00"`, `"\x"`, `'a'`,
	`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`,
	"\"\t\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\u2028\"", "\"caf\u00e9 \u4f60\u597d\"", "\"\xff\"", "\"a\xc3\"", "\"\xed\xa0\x80\"", "\"\\n\xff\"",
	`"seven.."`, `"eight..."`, `"nine....."`, `"sixteen........."`, `"sixteen........\n"`, `"0123456789abcdef0123456789abcdef"`,
	`{}`, `{ }`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a" : 1 , "b" : [ ] }`, `{"a":1}}`,
	`{"a":1,"a":{"b":2}}`, `{"\u0061":1}`, "{\"\xff\":1}", `{"":{"":""}}`, `{"a"1}`, `{"a":1;}`,
	`[]`, `[ ]`, `[,]`, `[1,]`, `[1`, `[1 2]`, `[1,2,[3,{"a":[null]}]]`, `[1]]`, `]`, `}`, `[}`, `{]`,
	"\ufeff{}", "{}\x00", "\x00", "\v1", " \t\r\n1\n", "1 2", "{\"a\":1}\n",
}

// nested returns a value inside so many arrays or objects.
func nested(begin, value, end string, depth int) string {
	return strings.Repeat(begin, depth) + value + strings.Repeat(end, depth)
}

func TestValidityIsEncodingJSONs(t *testing.T) {
	for _, text := range texts {
		checkValidity(t, []byte(text))
	}
}

func TestNestingIsBoundedAsInEncodingJSON(t *testing.T) {
	for _, depth := range []int{9_999, 10_000, 10_001, 100_000} {
		checkValidity(t, []byte(nested(`[`, ``, `]`, depth)))
		checkValidity(t, []byte(nested(`{"a":`, `1`, `}`, depth)))
		checkValidity(t, []byte(nested(`[`, ``, ``, depth)))
		checkValidity(t, []byte(`{"a":`+nested(`[`, ``, `]`, depth)+`}`))
	}
}

func FuzzValidity(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(checkValidity)
}

// checkValidity asserts that whichever method reads a text, it is found to be
// valid if json.Valid says so.
func checkValidity(t *testing.T, text []byte) {
	ways := map[string]func(d *payload.Decoder){
		"Skip":   func(d *payload.Decoder) { d.Skip() },
		"Any":    func(d *payload.Decoder) { d.Any() },
		"String": func(d *payload.Decoder) { d.String(payload.Required) },
		"Int64":  func(d *payload.Decoder) { d.Int64(payload.Required) },
		"Time":   func(d *payload.Decoder) { d.Time(payload.Required) },
		"Bool":   func(d *payload.Decoder) { d.Bool(payload.Required) },
		"Object": func(d *payload.Decoder) {
			if d.Object(payload.Required) {
				for _, ok := d.Next(); ok; _, ok = d.Next() {
					d.Skip()
				}
			}
		},
		"Array": func(d *payload.Decoder) {
			if d.Array(payload.Required) {
				for d.More() {
					d.Any()
				}
			}
		},
	}
	for name, read := range ways {
		d := payload.NewDecoder(text)
		read(d)
		err := d.End()
		require.Equal(t, json.Valid(text), err == nil, "%s of %.80q: %v", name, text, err)
	}
}

func TestAnyIsEncodingJSONs(t *testing.T) {
	for _, text := range texts {
		checkAny(t, []byte(text))
	}
}

func FuzzAny(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(checkAny)
}

func checkAny(t *testing.T, text []byte) {
	var want any
	if json.Unmarshal(text, &want) != nil {
		return // not valid, or a number that a float64 can't hold
	}
	d := payload.NewDecoder(text)
	got := d.Any()
	require.NoError(t, d.End())
	require.Equal(t, want, got, "%.80q", text)
	assert.Empty(t, d.Problems())
}
