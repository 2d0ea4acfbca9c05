package payload_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/payload"
)

// Special characters are searched for eight bytes at a time: each of them has to
// be found at every position of such a word, and in the bytes after the last.
func TestStringsOfEveryLength(t *testing.T) {
	for _, special := range []string{``, `\n`, `\"`, `\\`, `\u0041`, `\ud83d\ude00`, `\ud83d`, "é", "\u2028", "\xff", "\x7f", "!", "#", "[", "]", " "} {
		for before := range 20 {
			for after := range 20 {
				text := `"` + strings.Repeat("a", before) + special + strings.Repeat("z", after) + `"`
				checkString(t, []byte(text))
				checkString(t, []byte(text+`,"next"`)) // the string ends before the data
			}
		}
	}
}

func TestControlCharactersInStringsAreInvalid(t *testing.T) {
	for c := range byte(' ') {
		for before := range 20 {
			text := []byte(`"` + strings.Repeat("a", before) + string(rune(c)) + `the rest"`)
			d := payload.NewDecoder(text)
			assert.Empty(t, d.String(payload.Required))
			assert.Error(t, d.End(), "%q", text)
		}
	}
}

func FuzzString(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(`"` + text + `"`))
	}
	f.Fuzz(checkString)
}

func checkString(t *testing.T, text []byte) {
	var want string
	err := json.Unmarshal(text, &want)
	d := payload.NewDecoder(text)
	got := d.String(payload.Optional)
	if json.Valid(text) {
		require.NoError(t, d.End())
		require.Equal(t, want, got, "%q", text)
		require.Equal(t, err == nil, len(d.Problems()) == 0)
	} else {
		require.Error(t, d.End(), "%q", text)
	}
}

func TestPlainStringsShareTheData(t *testing.T) {
	data := []byte(`["plain", "caf\u00e9", "café"]`)
	list := payload.NewDecoder(data).Strings(payload.Required)
	require.Equal(t, []string{"plain", "café", "café"}, list)
	inData := func(s string) bool {
		offset := uintptr(unsafe.Pointer(unsafe.StringData(s))) - uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		return offset < uintptr(len(data))
	}
	assert.True(t, inData(list[0]))
	assert.False(t, inData(list[1]), "escapes need memory of their own")
	assert.True(t, inData(list[2]))
}
