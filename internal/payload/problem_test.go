package payload_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

// visitor is decoded as generated types are; it has a field of each type that
// the Decoder reads.
type visitor struct {
	name     string
	avatar   string
	friend   *visitor
	visits   int
	score    float64
	vip      bool
	seen     time.Time
	tags     []string
	orders   []int64
	pages    []page
	extra    map[string]any
	settings string
	offset   time.Duration
}

type page struct{ url string }

func (p *page) decode(d *payload.Decoder, pr payload.Presence) {
	if !d.Object(pr) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		if key == "url" {
			p.url = d.String(payload.Required)
		} else {
			d.Skip()
		}
	}
}

func (v *visitor) decode(d *payload.Decoder, p payload.Presence) {
	*v = visitor{}
	if !d.Object(p) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "name":
			v.name = d.String(payload.Required)
		case "avatar":
			v.avatar = d.String(payload.Nullable)
		case "friend":
			v.friend = new(visitor)
			v.friend.decode(d, payload.Optional)
		case "visits":
			v.visits = d.Int(payload.Required)
		case "score":
			v.score = d.Float64(payload.Optional)
		case "vip":
			v.vip = d.Bool(payload.Required)
		case "seen":
			v.seen = d.Time(payload.Required)
		case "tags":
			v.tags = d.Strings(payload.Optional)
		case "orders":
			v.orders = d.Int64s(payload.Required)
		case "pages":
			v.pages = payload.Slice(d, payload.Required, (*page).decode)
		case "extra":
			v.extra = d.AnyMap(payload.Required)
		case "settings":
			v.settings = string(d.RawObject(payload.Required))
		case "offset":
			v.offset = 0
			for w := d.Wrapped("minutes"); w.Next(); {
				v.offset = d.Duration(payload.Required, time.Minute)
			}
		default:
			d.Skip()
		}
	}
}

func decodeVisitor(t *testing.T, text string) (visitor, []payload.Problem) {
	t.Helper()
	var v visitor
	d := payload.NewDecoder([]byte(text))
	v.decode(d, payload.Required)
	require.NoError(t, d.End(), text)
	return v, d.Problems()
}

func TestOtherTypesAreProblems(t *testing.T) {
	for text, want := range map[string][]payload.Problem{
		`5`:                          {{"", "object", "number"}},
		`null`:                       {{"", "object", "null"}},
		`[{"name":5}]`:               {{"", "object", "array"}},
		`{"name":5}`:                 {{"name", "string", "number"}},
		`{"name":null}`:              nil,
		`{"avatar":null}`:            nil,
		`{"avatar":{"a":[1]}}`:       {{"avatar", "string", "object"}},
		`{"friend":null}`:            nil,
		`{"friend":"x"}`:             {{"friend", "object", "string"}},
		`{"visits":45.5}`:            {{"visits", "integer", "number"}},
		`{"visits":"45"}`:            nil,
		`{"visits":"45 "}`:           {{"visits", "integer", "string"}},
		`{"visits":"-"}`:             {{"visits", "integer", "string"}},
		`{"visits":"0x2d"}`:          {{"visits", "integer", "string"}},
		`{"visits":"4\u0035"}`:       nil,
		`{"visits":"45.5"}`:          {{"visits", "integer", "number"}},
		`{"score":true}`:             {{"score", "number", "boolean"}},
		`{"score":null}`:             nil,
		`{"vip":1}`:                  {{"vip", "boolean", "number"}},
		`{"vip":null}`:               nil,
		`{"seen":"2026-03-15"}`:      {{"seen", "number", "string"}},
		`{"seen":1e99}`:              {{"seen", "number", "number out of range"}},
		`{"tags":"a"}`:               {{"tags", "array", "string"}},
		`{"tags":["a",5,null]}`:      {{"tags[1]", "string", "number"}},
		`{"orders":null}`:            nil,
		`{"orders":[1.5]}`:           {{"orders[0]", "integer", "number"}},
		`{"pages":[{},{"url":5},7]}`: {{"pages[1].url", "string", "number"}, {"pages[2]", "object", "number"}},
		`{"extra":[]}`:               {{"extra", "object", "array"}},
		`{"extra":{"a":[1e999]}}`:    {{"extra", "number", "number out of range"}},
		`{"settings":[]}`:            {{"settings", "object", "array"}},
		`{"offset":"x"}`:             {{"offset", "number", "string"}},
		`{"offset":{"minutes":"x"}}`: {{"offset.minutes", "number", "string"}},
		`{"offset":{"other":"x"}}`:   nil,
		`{"friend":{"friend":{"pages":[0,{"url":0}]}}}`: {
			{"friend.friend.pages[0]", "object", "number"}, {"friend.friend.pages[1].url", "string", "number"},
		},
		`{"n\u0061me":5}`: {{"name", "string", "number"}},
	} {
		_, got := decodeVisitor(t, text)
		assert.Equal(t, want, got, text)
	}
}

// The values around one of another type are read all the same.
func TestProblemsDontSpread(t *testing.T) {
	v, problems := decodeVisitor(t, `{"name":{"x":[1,{"y":null}]},"visits":2,"pages":[[],{"url":"u"}],"offset":{"a":1,"minutes":3,"b":2},
		"settings":{"a":1}, "friend":{"vip":[]},"vip":true, "extra":{"k":"v"},"tags":[ ],"unknown":[[{}]]}`)
	assert.Equal(t, visitor{
		visits: 2, pages: []page{{}, {url: "u"}}, offset: 3 * time.Minute, settings: `{"a":1}`, friend: &visitor{},
		vip: true, extra: map[string]any{"k": "v"},
	}, v)
	assert.Len(t, problems, 3)
}

func TestTheLastOfTwoMembersCounts(t *testing.T) {
	for text, want := range map[string]visitor{
		`{"name":"a","name":"b"}`:                                     {name: "b"},
		`{"name":5,"name":"b"}`:                                       {name: "b"},
		`{"friend":{"name":"a","vip":true},"friend":{"visits":1}}`:    {friend: &visitor{visits: 1}},
		`{"friend":{"name":5},"friend":{"pages":[]}}`:                 {friend: &visitor{}},
		`{"tags":["a",5],"vip":true,"tags":["c"]}`:                    {vip: true, tags: []string{"c"}},
		`{"friend":{"friend":{"tags":[5]},"tags":["x"]},"friend":{}}`: {friend: &visitor{}},
		`{"offset":{"minutes":"x","minutes":2}}`:                      {offset: 2 * time.Minute},
	} {
		v, problems := decodeVisitor(t, text)
		assert.Equal(t, want, v, text)
		assert.Empty(t, problems, text)
	}
	v, problems := decodeVisitor(t, `{"name":"b","vip":0,"name":5}`)
	assert.Empty(t, v.name)
	assert.Equal(t, []payload.Problem{{"vip", "boolean", "number"}, {"name", "string", "number"}}, problems)
}

func TestProblemsAreBounded(t *testing.T) {
	_, problems := decodeVisitor(t, `{"tags":[`+strings.Repeat("0,", 99)+`0]}`)
	require.Len(t, problems, 100)
	_, problems = decodeVisitor(t, `{"tags":[`+strings.Repeat("0,", 5_000)+`0]}`)
	require.Len(t, problems, 100)
	assert.Equal(t, "tags[98]", problems[98].Path)
	assert.Equal(t, "4902 more", problems[99].Got)
	_, problems = decodeVisitor(t, `{"tags":[`+strings.Repeat("0,", 5_000)+`0],"tags":[1]}`)
	assert.Equal(t, payload.Problem{"tags[0]", "string", "number"}, problems[0])
}

func TestSyntaxErrorsSayWhereAndDontQuote(t *testing.T) {
	for text, want := range map[string]string{
		``:                          "invalid JSON at byte 0: expected a value",
		`{"secret" "x"}`:            "invalid JSON at byte 10: expected a colon",
		`{"secret":"x"]`:            "invalid JSON at byte 13: expected a comma or the end of the object",
		`{"secret":"x`:              "invalid JSON at byte 12: expected the end of the string, and no control character before it",
		`{"secret":"\x"}`:           "invalid JSON at byte 11: expected an escape that JSON has",
		`{"a":1} secret`:            "invalid JSON at byte 8: expected the end of the data",
		`{"a":secret}`:              "invalid JSON at byte 5: expected a value",
		`{"a":nil}`:                 "invalid JSON at byte 5: expected null",
		`{"a":-x}`:                  "invalid JSON at byte 6: expected a digit",
		`{"a":1`:                    "invalid JSON at byte 6: expected a comma or the end of the object",
		`{"a":1,`:                   "invalid JSON at byte 7: expected more of the object",
		`[secret`:                   "invalid JSON at byte 1: expected a value",
		`{secret`:                   "invalid JSON at byte 1: expected a member's name in quotes",
		nested("[", "", "", 10_001): "invalid JSON at byte 10000: expected at most 10000 levels of nesting",
	} {
		d := payload.NewDecoder([]byte(text))
		d.Any()
		var syntax *payload.SyntaxError
		require.ErrorAs(t, d.End(), &syntax, "%.80s", text)
		assert.EqualError(t, syntax, want)
		assert.NotContains(t, syntax.Error(), "secret")
	}
}

func TestNothingIsReadBehindASyntaxError(t *testing.T) {
	d := payload.NewDecoder([]byte(`{"name":"a","vip":tru,"visits":5}`))
	var v visitor
	v.decode(d, payload.Required)
	require.Error(t, d.End())
	assert.Equal(t, visitor{name: "a"}, v)
	assert.Empty(t, d.Problems())
	assert.Empty(t, d.String(payload.Required))
	assert.Nil(t, d.Skip())
}

func TestResetForgetsEverything(t *testing.T) {
	d := payload.NewDecoder([]byte(`{"name":5,"pages":[`))
	new(visitor).decode(d, payload.Required)
	require.Error(t, d.End())
	require.NotEmpty(t, d.Problems())
	d.Reset([]byte(` {"name":"a"} `))
	var v visitor
	v.decode(d, payload.Required)
	require.NoError(t, d.End())
	assert.Empty(t, d.Problems())
	assert.Equal(t, visitor{name: "a"}, v)
}

// The cost of a payload in which everything is wrong must not grow faster than
// its size.
func TestProblemsOfHostileDataStayLinear(t *testing.T) {
	members := make([]string, 20_000)
	for i := range members {
		members[i] = fmt.Sprintf(`"k%d":0`, i)
	}
	text := `{"tags":[` + strings.Repeat("0,", 20_000) + `0],` + strings.Join(members, ",") + `}`
	allocs := testing.AllocsPerRun(1, func() { decodeVisitor(t, text) })
	assert.Less(t, allocs, 1000.0)
}

func TestPlacesAreReadLater(t *testing.T) {
	read := func(text string) (string, []payload.Problem, error) {
		d := payload.NewDecoder([]byte(text))
		var place payload.Place
		if d.Object(payload.Required) {
			for key, ok := d.Next(); ok; key, ok = d.Next() {
				if key == "page" {
					d.Later(&place)
				} else {
					d.Skip()
				}
			}
		}
		var p page
		if place.Found() {
			d.Revisit(&place, func(d *payload.Decoder) { p.decode(d, payload.Required) })
		}
		return p.url, d.Problems(), d.End()
	}
	url, problems, err := read(`{"page":{"url":"u"},"more":[1]} `)
	require.NoError(t, err)
	assert.Equal(t, "u", url)
	assert.Empty(t, problems)

	_, problems, err = read(`{"page":5,"page":{"url":{}},"more":[1]}`)
	require.NoError(t, err)
	assert.Equal(t, []payload.Problem{{"page.url", "string", "object"}}, problems)

	_, _, err = read(`{"page":{"url":"u"},"more":[1]} x`)
	require.Error(t, err)
	_, _, err = read(`{"page":{"url":"u"},"more":[1}`)
	require.Error(t, err)
	_, _, err = read(`{"more":[1]}`)
	require.NoError(t, err)
}

func TestDecodingAllocatesWhatItKeeps(t *testing.T) {
	data := []byte(`{"name":"a","avatar":null,"visits":3,"vip":true,"seen":1773569824159,"unknown":{"a":[1,2,"x"]}}`)
	var v visitor
	d := payload.NewDecoder(nil)
	allocs := testing.AllocsPerRun(100, func() {
		d.Reset(data)
		v.decode(d, payload.Required)
	})
	assert.Zero(t, allocs)
}
