package jsontext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

func TestEdits(t *testing.T) {
	edits, err := jsontext.ParseEdits([]string{"a.b=<1>", "n=2", `o={"x":"="}`}, []string{"gone", "never"})
	require.NoError(t, err)
	changed, missing, err := edits.Apply([]byte(`{ "a": {"b": "\u00e9"}, "gone":1,  "s":"\/" }`))
	require.NoError(t, err)
	assertBytes(t, `{ "a": {"b": "<1>"}, "s":"\/" ,"n":2,"o":{"x":"="}}`, changed)
	assert.Equal(t, []jsontext.Path{{"n"}, {"o"}, {"never"}}, missing)

	assert.True(t, edits.Touches("a", "b"))
	assert.True(t, edits.Touches("gone", "x"))
	assert.False(t, edits.Touches("a"))
	inside, _, err := edits.Within("data").Apply([]byte(`{"data":{"a":{"b":1}},"n":1}`))
	require.NoError(t, err)
	assertBytes(t, `{"data":{"a":{"b":"<1>"},"n":2,"o":{"x":"="}},"n":1}`, inside)
}

// assertBytes asserts that two texts are the same, byte for byte.
func assertBytes(t *testing.T, want string, got []byte) {
	t.Helper()
	assert.Equal(t, []byte(want), got)
}

func TestEditsThatMakeNoSense(t *testing.T) {
	for set, want := range map[string]string{
		"content":      `--set is "content"; it must be PATH=VALUE`,
		"=1":           "--set: the path is empty",
		`content={"a"`: "--set: content: no JSON",
	} {
		_, err := jsontext.ParseEdits([]string{set}, nil)
		assert.ErrorContains(t, err, want)
	}
	_, err := jsontext.ParseEdits(nil, []string{"a..b"})
	assert.ErrorContains(t, err, "--unset: ")
	edits, err := jsontext.ParseEdits([]string{"a.b=1"}, nil)
	require.NoError(t, err)
	_, _, err = edits.Apply([]byte(`{"a":"text"}`))
	assert.ErrorContains(t, err, "there is no object")
}
