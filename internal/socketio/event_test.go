package socketio

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseEvent(t *testing.T) {
	tests := []struct {
		data, name, args, arg string
	}{
		{`["a"]`, "a", "", ""},
		{` [ "a" ]`, "a", "", ""},
		{`[""]`, "", "", ""},
		{`["a",1]`, "a", "1", "1"},
		{"[\t\"a\" ,\n 1]", "a", "1", "1"},
		{`["message:send",{"a":[1,2],"b":{"c":"]},"}}]`, "message:send", `{"a":[1,2],"b":{"c":"]},"}}`, `{"a":[1,2],"b":{"c":"]},"}}`},
		{`["a",{"b":1},"offset"]`, "a", `{"b":1},"offset"`, `{"b":1}`},
		{`["a",{"b":"\"},\\"},{"c":2}]`, "a", `{"b":"\"},\\"},{"c":2}`, `{"b":"\"},\\"}`},
		{`["a",{"b":1},"}\"c"]`, "a", `{"b":1},"}\"c"`, `{"b":1}`},
		{`["a",{"b":1},"},\"c"]`, "a", `{"b":1},"},\"c"`, `{"b":1}`},
		{`["a",{"b":1} , "c" ]`, "a", `{"b":1} , "c"`, `{"b":1}`},
		{`["a",{"b":1} , {"c":2} ]`, "a", `{"b":1} , {"c":2}`, `{"b":1}`},
		{`["a",{"b":[{},{}]},"c","d"]`, "a", `{"b":[{},{}]},"c","d"`, `{"b":[{},{}]}`},
		{`["a",{"b":1},2]`, "a", `{"b":1},2`, `{"b":1}`},
		{`["a",null,{}]`, "a", `null,{}`, "null"},
		{`["a","x,y",1]`, "a", `"x,y",1`, `"x,y"`},
		{`["a",[],[]]`, "a", `[],[]`, `[]`},
		{`["caf\u00e9 \"x\"",1]`, `café "x"`, "1", "1"},
		{`["café",1]`, "café", "1", "1"},
		{"[\"a\xff\",1]", "a\ufffd", "1", "1"},
		{`["\ud800",1]`, "\ufffd", "1", "1"},
		// Errors within the payload are left to whoever decodes it.
		{`["a",{"b":"]`, "a", `{"b":"`, `{"b":"`},
		{`["a",{]`, "a", `{`, `{`},
		{`["a",}},1]`, "a", `}},1`, `}}`},
		{`["a",1 2]`, "a", `1 2`, `1 2`},
	}
	for _, test := range tests {
		t.Run(test.data, func(t *testing.T) {
			name, args, err := parseEvent([]byte(test.data))
			require.NoError(t, err)
			assert.Equal(t, test.name, string(name))
			assert.Equal(t, test.args, string(args))
			assert.Equal(t, test.arg, string(Event{Args: args}.Arg()))
			likely := Event{Args: args}.LikelyArg()
			assert.Equal(t, test.arg, string(FirstValue(likely)))
		})
	}
}

func TestParseEventRejects(t *testing.T) {
	tests := []struct {
		data string
		want error
	}{
		{``, errEventSyntax},
		{`[`, errEventSyntax},
		{`]`, errEventSyntax},
		{`{"a":1}`, errEventSyntax},
		{`"a"`, errEventSyntax},
		{`["a"`, errEventSyntax},
		{`["a"]x`, errEventSyntax},
		{`["a",]`, errEventSyntax},
		{`["a" 1]`, errEventSyntax},
		{`["a""b"]`, errEventSyntax},
		{`[]`, errEventName},
		{`[null]`, errEventName},
		{`[1,2]`, errEventName},
		{`[["a"]]`, errEventName},
		{`["a]`, errEventName},
		{`["a\"]`, errEventName},
		{"[\"a\nb\"]", errEventName},
		{`["\x"]`, errEventName},
		{`["\u12"]`, errEventName},
	}
	for _, test := range tests {
		t.Run(test.data, func(t *testing.T) {
			_, _, err := parseEvent([]byte(test.data))
			assert.ErrorIs(t, err, test.want)
		})
	}
}

func TestArgWithoutArguments(t *testing.T) {
	assert.Nil(t, Event{}.Arg())
}
