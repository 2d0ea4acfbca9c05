//go:build !race

package payload_test

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

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

// Room for a list is made by how long it is likely to become.
func TestLongListsLeaveLittleBehind(t *testing.T) {
	for _, n := range []int{1_000, 3_000, 10_000, 50_000} {
		data := []byte("[" + strings.Repeat(`"a lamp",`, n-1) + `"a lamp"]`)
		d := payload.NewDecoder(data)
		var texts []string
		cost := allocated(func() { texts = d.Strings(payload.Required) })
		require.Len(t, texts, n)
		assert.LessOrEqual(t, float64(cost), 1.8*float64(n)*float64(unsafe.Sizeof("")), n)
	}
}
