package payload_test

import (
	"fmt"
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
