package jsontext_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

func path(t testing.TB, text string) jsontext.Path {
	p, err := jsontext.ParsePath(text)
	require.NoError(t, err)
	return p
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		doc, path, value, want string
		added                  bool
		err                    string
	}{
		{doc: `{"a":1,"b":2}`, path: "a", value: `3`, want: `{"a":3,"b":2}`},
		{doc: "{ \"a\" : 1.0e2 ,\n \"b\":\"\\u00e9\\/\"}", path: "a", value: `"x"`, want: "{ \"a\" : \"x\" ,\n \"b\":\"\\u00e9\\/\"}"},
		{doc: `{}`, path: "a.b", value: `1`, want: `{"a":{"b":1}}`, added: true},
		{doc: `{"a":1 }`, path: "b", value: `null`, want: `{"a":1 ,"b":null}`, added: true},
		{doc: `{"a":null}`, path: "a.b", value: `1`, want: `{"a":{"b":1}}`, added: true},
		{doc: `{"a":[{"b":1},{"b":2}]}`, path: "a.1.b", value: `[]`, want: `{"a":[{"b":1},{"b":[]}]}`},
		{doc: `{"a":[1]}`, path: "a.1", value: `2`, want: `{"a":[1,2]}`, added: true},
		{doc: `{"a":[]}`, path: "a.0.b", value: `2`, want: `{"a":[{"b":2}]}`, added: true},
		{doc: `{"a":[1]}`, path: "a.2", value: `2`, err: "a.2: the list has 1 elements, the next is .1"},
		{doc: `{"a":[1]}`, path: "a.b", value: `2`, err: "a.b: the list has 1 elements"},
		{doc: `{"a":"x"}`, path: "a.b", value: `2`, err: "a: there is no object, but a string"},
		{doc: `{"a.b":1}`, path: `a\.b`, value: `2`, want: `{"a.b":2}`},
		{doc: `{"\u0061":"}],\"","b":1}`, path: `a`, value: `2`, want: `{"\u0061":2,"b":1}`},
	} {
		got, added, err := jsontext.Set([]byte(c.doc), path(t, c.path), json.RawMessage(c.value))
		if c.err != "" {
			assert.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err, c.doc)
		assert.Equal(t, c.want, string(got))
		assert.Equal(t, c.added, added, c.doc)
	}
}

func TestUnset(t *testing.T) {
	for _, c := range []struct {
		doc, path, want string
		found           bool
	}{
		{`{"a":1,"b":2}`, "a", `{"b":2}`, true},
		{`{"a":1, "b":2 }`, "b", `{"a":1 }`, true},
		{`{"a":1 , "b":2, "c":3}`, "b", `{"a":1 , "c":3}`, true},
		{`{ "a" : 1 }`, "a", `{ }`, true},
		{`{"a":[1,2,3]}`, "a.1", `{"a":[1,3]}`, true},
		{`{"a":[1]}`, "a.0", `{"a":[]}`, true},
		{`{"a":1}`, "b", `{"a":1}`, false},
		{`{"a":1}`, "a.b", `{"a":1}`, false},
	} {
		got, found, err := jsontext.Unset([]byte(c.doc), path(t, c.path))
		require.NoError(t, err)
		assert.Equal(t, c.want, string(got))
		assert.Equal(t, c.found, found, c.doc)
	}
}

func TestParsePath(t *testing.T) {
	for _, bad := range []string{"", ".", "a..b", "a."} {
		_, err := jsontext.ParsePath(bad)
		assert.Error(t, err, bad)
	}
	assert.Equal(t, jsontext.Path{"a.b", `c\`, "0"}, path(t, `a\.b.c\\.0`))
	assert.Equal(t, `a\.b.c\\.0`, path(t, `a\.b.c\\.0`).String())
}

func TestParseValue(t *testing.T) {
	for text, want := range map[string]string{
		`1`: `1`, `true`: `true`, ` {"a": 1} `: `{"a": 1}`, `"x"`: `"x"`,
		`Hello & <you>`: `"Hello & <you>"`, ``: `""`, `007`: `"007"`, "a\nb": `"a\nb"`,
	} {
		got, err := jsontext.ParseValue(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, string(got))
	}
	for text, want := range map[string]string{
		`{"a":}`: "at byte 6", `[1,`: "at byte 3", `"x`: "at byte 2",
	} {
		_, err := jsontext.ParseValue(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}],"c":true}`), "a.2.b")
	f.Add([]byte(` [ -1.5e3 , "\"]" , [] ] `), "1")
	f.Fuzz(func(t *testing.T, doc []byte, at string) {
		if !json.Valid(doc) {
			return // such input is for json.Valid to refuse
		}
		same := jsontext.Rewrite(doc, func(jsontext.Path, []byte) []byte { return nil })
		assert.Equal(t, string(doc), string(same))
		zeros := jsontext.Rewrite(doc, func(jsontext.Path, []byte) []byte { return []byte("0") })
		assert.True(t, json.Valid(zeros), "%s", zeros)
		p, err := jsontext.ParsePath(at)
		if err != nil {
			return
		}
		set, _, err := jsontext.Set(doc, p, json.RawMessage(`"here"`))
		if err != nil {
			return
		}
		assert.True(t, json.Valid(set), "%s", set)
		got, found := jsontext.Get(set, p)
		assert.True(t, found)
		assert.Equal(t, `"here"`, string(got))
		unset, found, err := jsontext.Unset(set, p)
		assert.NoError(t, err)
		assert.True(t, found)
		assert.True(t, json.Valid(unset), "%s", unset)
	})
}
