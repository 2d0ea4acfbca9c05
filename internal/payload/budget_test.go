package payload_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

// everything is what hostile lists and objects are read as.
type everything struct {
	visitors []visitor
	texts    []string
	numbers  []int64
	visits   map[string]visitor
	object   map[string]any
}

func (v *everything) decode(d *payload.Decoder) {
	if !d.Object(payload.Required) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "visitors":
			v.visitors = payload.Slice(d, payload.Required, (*visitor).decode)
		case "texts":
			v.texts = d.Strings(payload.Required)
		case "numbers":
			v.numbers = d.Int64s(payload.Required)
		case "visits":
			v.visits = payload.Map(d, payload.Required, (*visitor).decode)
		case "object":
			v.object = d.AnyMap(payload.Required)
		default:
			d.Skip()
		}
	}
}

// members returns an object of so many members with the same value.
func members(n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%x":%s`, i, value)
	}
	return "{" + b.String()[1:] + "}"
}

// Whatever the data are made of, reading them takes no more than a small multiple
// of their size, and what was left out is told.
func TestHostileDataCostLittle(t *testing.T) {
	list := func(element string) string {
		return "[" + strings.Repeat(element+",", 1<<20/(len(element)+1)) + element + "]"
	}
	for name, text := range map[string]string{
		"empty structs":        `{"visitors":` + list(`{}`) + `}`,
		"other structs":        `{"visitors":` + list(`0`) + `}`,
		"lists in structs":     `{"visitors":` + list(`{"tags":[""]}`) + `}`,
		"empty texts":          `{"texts":` + list(`""`) + `}`,
		"digits":               `{"numbers":` + list(`1`) + `}`,
		"map":                  `{"visits":` + members(100_000, `{}`) + `}`,
		"objects":              `{"object":{"a":` + list(`{}`) + `}}`,
		"arrays":               `{"object":{"a":` + list(`[]`) + `}}`,
		"objects of one":       `{"object":{"a":` + list(`{"":0}`) + `}}`,
		"arrays of one":        `{"object":{"a":` + list(`[0]`) + `}}`,
		"objects of nine":      `{"object":{"a":` + list(members(9, `0`)) + `}}`,
		"object":               `{"object":` + members(100_000, `0`) + `}`,
		"numbers":              `{"object":{"a":` + list(`999`) + `}}`,
		"empty any texts":      `{"object":{"a":` + list(`""`) + `}}`,
		"the same drift again": `{"visitors":[{"pages":[{` + strings.Repeat(`"url":0,`, 130_000) + `"url":0}]}]}`,
		"the same list again":  `{` + strings.Repeat(`"visitors":[{},{},{},{},{},{},{},{}],`, 30_000) + `"a":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			data := []byte(text)
			var v everything
			d := payload.NewDecoder(data)
			cost := allocated(func() { v.decode(d) })
			require.NoError(t, d.End())
			assert.LessOrEqual(t, cost, uint64(10*len(data)), "%.1f bytes for each", float64(cost)/float64(len(data)))
			if name == "digits" {
				return // they are cheap enough
			}
			require.NotEmpty(t, d.Problems())
			assert.LessOrEqual(t, len(d.Problems()), 100)
			if name != "other structs" && !strings.HasSuffix(name, "again") {
				problem := d.Problems()[0]
				assert.Equal(t, [...]string{"less data", "too much"}, [...]string{problem.Wanted, problem.Got})
			}
		})
	}
}

// allocated returns how many bytes a function takes from the heap, whether it
// still has them or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestInvalidTextCostsLittle(t *testing.T) {
	for _, text := range []string{strings.Repeat("\xff", 1<<20), strings.Repeat(`\n`, 1<<19), strings.Repeat("\xff\\n", 1<<19)} {
		data := []byte(`"` + text + `"`)
		cost := allocated(func() { payload.NewDecoder(data).String(payload.Required) })
		assert.LessOrEqual(t, cost, uint64(4*len(data)))
	}
}

// What is cut off is skipped, not lost: the members after it are read.
func TestWhatIsCutOffDoesNotSpread(t *testing.T) {
	for _, list := range []string{
		`"visitors":[` + strings.Repeat(`{"name":"a"},`, 200_000) + `{}]`,
		`"visits":` + members(200_000, `{}`),
		`"object":{"a":` + members(200_000, `[{}]`) + `}`,
		`"object":{"a":[` + strings.Repeat(`[],`, 500_000) + `[]]}`,
	} {
		var v everything
		d := payload.NewDecoder([]byte(`{` + list + `,"numbers":[]}`))
		v.decode(d)
		require.NoError(t, d.End())
		assert.NotEmpty(t, d.Problems())
		assert.NotZero(t, len(v.visitors)+len(v.visits)+len(v.object))
	}
}

// A list that somebody means is read whole, however long it is.
func TestLongListsAreRead(t *testing.T) {
	const n = 20_000
	one := `{"name":"Camille Example","visits":12,"seen":1773569824159,"tags":["a customer","a friend"],"pages":[{"url":"https://example.com/"}],` +
		`"extra":{"plan":"large","seats":12,"trial":false},"offset":60}`
	for key, element := range map[string]string{"visitors": one, "texts": `"lamp"`, "numbers": `177356982415933`} {
		var v everything
		d := payload.NewDecoder([]byte(`{"` + key + `":[` + strings.Repeat(element+",", n-1) + element + `]}`))
		v.decode(d)
		require.NoError(t, d.End())
		assert.Empty(t, d.Problems(), key)
		assert.Equal(t, n, len(v.visitors)+len(v.texts)+len(v.numbers), key)
	}
	for key, value := range map[string]string{"visits": one, "object": `"a word or two"`} {
		var v everything
		d := payload.NewDecoder([]byte(`{"` + key + `":` + members(2_000, value) + `}`))
		v.decode(d)
		require.NoError(t, d.End())
		assert.Empty(t, d.Problems(), key)
		assert.Equal(t, 2_000, len(v.visits)+len(v.object), key)
	}
}
