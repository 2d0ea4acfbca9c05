package payload_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

// null is as if it were not there; only instead of the whole it is a problem.
func TestNullIsAbsent(t *testing.T) {
	for text, want := range map[string]visitor{
		`{"name":null,"avatar":null,"visits":null,"score":null,"vip":null,"seen":null}`:                    {},
		`{"tags":null,"orders":null,"pages":null,"extra":null,"settings":null,"offset":null}`:              {},
		`{"offset":{"minutes":null},"tags":[null],"orders":[null],"pages":[null]}`:                         {},
		`{"tags":["a",null,"b"],"orders":[null,1],"pages":[null,{"url":null},{"url":"u"}]}`:                {tags: []string{"a", "b"}, orders: []int64{1}, pages: []page{{}, {"u"}}},
		`{"name":"a","name":null,"tags":["a"],"tags":null,"offset":5,"offset":null,"vip":true,"vip":null}`: {},
		`{"extra":{"a":null}}`: {extra: map[string]any{"a": nil}},
	} {
		v, problems := decodeVisitor(t, text)
		assert.Equal(t, want, v, text)
		assert.Empty(t, problems, text)
	}
	_, problems := decodeVisitor(t, `null`)
	assert.Equal(t, []payload.Problem{{"", "object", "null"}}, problems)
}

func TestMap(t *testing.T) {
	for text, want := range map[string]map[string]page{
		`{}`: nil, `null`: nil, `{"a":null}`: nil,
		`{"a":{"url":"u"},"b":{}}`:                         {"a": {"u"}, "b": {}},
		`{"a":{"url":"u"},"b":null}`:                       {"a": {"u"}},
		`{"a":{"url":"u"},"a":{}}`:                         {"a": {}},
		`{"a":{"url":"u"},"b":{},"a":null}`:                {"b": {}},
		`{"a":{"url":"u"},"more":[],"\u0061":{"url":"v"}}`: {"a": {"v"}, "more": {}},
	} {
		d := payload.NewDecoder([]byte(text))
		got := payload.Map(d, payload.Optional, (*page).decode)
		require.NoError(t, d.End())
		assert.Equal(t, want, got, text)
		if strings.Contains(text, "more") {
			assert.Equal(t, []payload.Problem{{"more", "object", "array"}}, d.Problems())
		} else {
			assert.Empty(t, d.Problems(), text)
		}
	}
	d := payload.NewDecoder([]byte(`[]`))
	assert.Nil(t, payload.Map(d, payload.Optional, (*page).decode))
	assert.Equal(t, []payload.Problem{{"", "object", "array"}}, d.Problems())
}

func TestNumbersInQuotes(t *testing.T) {
	read := func(text string) (int64, float64, []payload.Problem) {
		d := payload.NewDecoder([]byte(`[` + text + `,` + text + `]`))
		require.True(t, d.Array(payload.Required))
		require.True(t, d.More())
		n := d.Int64(payload.Required)
		require.True(t, d.More())
		f := d.Float64(payload.Required)
		require.False(t, d.More())
		require.NoError(t, d.End())
		return n, f, d.Problems()
	}
	for text, want := range map[string]int64{
		`"163239623329114"`: 163239623329114, `"163239623329114.0"`: 163239623329114, `"-5"`: -5, `"1e3"`: 1000, `"0"`: 0,
	} {
		n, f, problems := read(text)
		assert.Equal(t, want, n, text)
		assert.InDelta(t, float64(want), f, 0, text)
		assert.Empty(t, problems, text)
	}
	for _, text := range []string{`""`, `" 5"`, `"5 "`, `"+5"`, `"05"`, `"0x5"`, `"1_0"`, `"5a"`, `"-"`, `"five"`, `"NaN"`, `"Infinity"`} {
		n, f, problems := read(text)
		assert.Zero(t, n, text)
		assert.Zero(t, f, text)
		assert.Equal(t, []payload.Problem{{"[0]", "integer", "string"}, {"[1]", "number", "string"}}, problems, text)
	}
}

// FuzzTime compares with the definition: milliseconds, or seconds if they are few.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		`0`, `1`, `-1`, `1773569824`, `1773569824.159`, `1773569824159`, `1773569824159.25`, `"1773569824"`, `1773569824159000`,
		`99999999999`, `100000000000`, `99999999999.9999`, `-62135596800`, `253402300799999`, `253402300800000`, `1e-400`, `1e400`, `""`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := payload.NewDecoder(text)
		got := d.Time(payload.Optional)
		if d.End() != nil {
			return
		}
		var number json.Number
		if json.Unmarshal(text, &number) != nil {
			assert.Zero(t, got)
			return
		}
		if len(d.Problems()) > 0 {
			assert.Zero(t, got)
		}
		n, err := number.Float64()
		if err != nil || len(d.Problems()) > 0 {
			assert.Zero(t, got)
			return
		}
		if n >= 1e9 && n < 1e11 {
			n *= 1e3
		}
		if got.IsZero() {
			assert.True(t, math.Abs(n) < 1e-3 || n == float64(time.Time{}.UnixMilli()), "%s", text)
			return
		}
		assert.InDelta(t, n, float64(got.UnixMicro())/1e3, 0.1, "%s", text)
		assert.Equal(t, time.UTC, got.Location())
		_, err = got.MarshalJSON()
		assert.NoError(t, err)
	})
}
