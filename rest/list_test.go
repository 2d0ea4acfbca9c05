package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAListIsSplitIntoItsElements(t *testing.T) {
	for list, want := range map[string][]string{
		`[]`:                          nil,
		` [ 1 , "a,]" , {"b":[2]} ] `: {`1`, `"a,]"`, `{"b":[2]}`},
		`[null,[[]]]`:                 {`null`, `[[]]`},
	} {
		raws, ok := elements(json.RawMessage(list))
		require.True(t, ok, list)
		require.Len(t, raws, len(want))
		for i, raw := range raws {
			assert.Equal(t, want[i], string(raw))
		}
	}
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, none := range []string{``, `null`, `{}`, `"[]"`, `7`, `[1,` + deep + `,2]`} {
		_, ok := elements(json.RawMessage(none))
		assert.False(t, ok, "%.20s", none)
	}
}
