package crisp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// Each property of each event, nested ones too, takes on each JSON type in
// turn: the event decodes, tells the property whose type it did not expect, and
// has everything else.
func TestDriftOfEveryProperty(t *testing.T) {
	values := map[string]any{
		"null": nil, "boolean": true, "number": json.Number("45.5"), "string": "drifted",
		"array": []any{}, "object": map[string]any{},
	}
	for _, info := range crisp.Events() {
		t.Run(info.Name, func(t *testing.T) {
			typ := eventType(info.Name)
			for _, p := range propertiesOf(typ, parseAny(t, sampleOf(info.Name)), nil) {
				for got, value := range values {
					root := parseAny(t, sampleOf(info.Name))
					p.set(root, value)
					text, err := json.Marshal(root)
					require.NoError(t, err)
					checkDrift(t, info.Name, p, got, string(text))
				}
			}
		})
	}
}

func checkDrift(t *testing.T, name string, p property, got, payload string) {
	t.Helper()
	ev := decode(t, name, payload)
	accepted, sure := p.accepts(got)
	problems := ev.EventMeta().Problems
	if sure && !accepted {
		require.Len(t, problems, 1, payload)
		assert.Equal(t, p.path(), problems[0].Path)
		assert.Equal(t, got, problems[0].Got)
	}
	if sure && accepted {
		assert.Empty(t, problems, payload)
	}

	text, err := json.Marshal(ev)
	require.NoError(t, err)
	want, have := membersOf(t, payload), membersOf(t, string(text))
	for key := range want {
		if key != p.steps[0] {
			assert.JSONEq(t, string(want[key]), string(have[key]), "%s with another %s", key, p.path())
		}
	}
}

func membersOf(t *testing.T, object string) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	return members
}

func parseAny(t *testing.T, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	require.NoError(t, dec.Decode(&value))
	return value
}

func eventType(name string) reflect.Type {
	ev, err := crisp.Decode(name, []byte(`{}`))
	if err != nil {
		panic(err)
	}
	return reflect.TypeOf(ev).Elem()
}

// property is a place in a payload, with the Go type it decodes to.
type property struct {
	steps []any // keys and indices
	typ   reflect.Type
}

// path is the place as problems name it.
func (p property) path() string {
	var path strings.Builder
	for i, s := range p.steps {
		switch s := s.(type) {
		case int:
			fmt.Fprintf(&path, "[%d]", s)
		case string:
			if i > 0 {
				path.WriteByte('.')
			}
			path.WriteString(s)
		}
	}
	return path.String()
}

// set puts a value in the place of the property.
func (p property) set(root, value any) {
	for _, s := range p.steps[:len(p.steps)-1] {
		root = child(root, s)
	}
	switch s := p.steps[len(p.steps)-1].(type) {
	case int:
		root.([]any)[s] = value
	case string:
		root.(map[string]any)[s] = value
	}
}

func child(value, step any) any {
	switch s := step.(type) {
	case int:
		return value.([]any)[s]
	case string:
		return value.(map[string]any)[s]
	}
	panic("no step")
}

// accepts tells whether a value of a JSON type is right for the property. It
// is not sure about null, which depends on the spec and has a test of its own,
// about content, likewise, and about values that may come wrapped.
func (p property) accepts(jsonType string) (accepted, sure bool) {
	if jsonType == "null" {
		return false, false
	}
	if _, wrapped := wrapKeys[p.path()]; wrapped && jsonType == "object" {
		return true, true
	}
	switch p.typ {
	case reflect.TypeFor[crisp.Content]():
		return false, false
	case reflect.TypeFor[json.RawMessage]():
		return jsonType == "object" || p.path() != "settings", true
	case reflect.TypeFor[crisp.Receipt]():
		return jsonType == "string" || jsonType == "boolean", true
	case reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration]():
		return jsonType == "number", true
	}
	switch p.typ.Kind() {
	case reflect.String:
		return jsonType == "string", true
	case reflect.Bool:
		return jsonType == "boolean", true
	case reflect.Float64:
		return jsonType == "number", true
	case reflect.Slice:
		return jsonType == "array", true
	case reflect.Struct, reflect.Map:
		return jsonType == "object", true
	default: // integers, as the number has a fraction
		return false, true
	}
}

// wrapKeys are the properties whose value may stand in an object, under a key.
var wrapKeys = map[string]string{"capabilities": "capabilities", "timezone": "offset", "locales": "locales", "items": "skipped"}

// propertiesOf lists the properties that a payload has of a type.
func propertiesOf(typ reflect.Type, value any, steps []any) []property {
	if key, ok := wrapKeys[property{steps: steps}.path()]; ok {
		if object, ok := value.(map[string]any); ok {
			value, steps = object[key], append(steps[:len(steps):len(steps)], key)
		}
	}
	var all []property
	if len(steps) > 0 {
		all = append(all, property{steps, typ})
	}
	switch value := value.(type) {
	case map[string]any:
		for _, f := range fieldsOf(typ) {
			if member, ok := value[f.key]; ok {
				all = append(all, propertiesOf(f.Type, member, append(steps[:len(steps):len(steps)], f.key))...)
			}
		}
	case []any:
		if typ.Kind() == reflect.Slice && typ != reflect.TypeFor[json.RawMessage]() {
			all = append(all, propertiesOf(typ.Elem(), value[0], append(steps[:len(steps):len(steps)], 0))...)
		}
	}
	return all
}

// wireField is a field of a struct with its name on the wire.
type wireField struct {
	reflect.StructField
	key      string
	optional bool
}

// fieldsOf lists what a struct has of a payload; other types have nothing.
func fieldsOf(typ reflect.Type) []wireField {
	if typ.Kind() != reflect.Struct {
		return nil
	}
	var all []wireField
	for i := range typ.NumField() {
		key, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if key != "" && key != "-" {
			all = append(all, wireField{typ.Field(i), key, options == "omitzero"})
		}
	}
	return all
}

func TestNull(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		problems      []crisp.FieldProblem
	}{
		{"message:send", `{"inbox_id":null,"user":null,"mentions":null,"properties":null,"read":null,"edited":null}`, nil},
		{"message:send", `{"user":{"user_id":"u1","nickname":"Camille","avatar":null}}`, nil},
		{"session:set_email", `{"email":null}`, nil},
		{"session:set_routing", `{"routing_id":null,"previous_routing_id":null}`, nil},
		{"plan:subscription:updated", `{"plan":null}`, nil},
		{"plugin:event", `{"data":null}`, nil},
		{"session:sync:rating", `{"rating":{"stars":5,"comment":null}}`, nil},
		{"session:set_state", `{"state":null}`, nil},
		{"session:set_block", `{"is_blocked":null}`, nil},
		{"message:send", `{"fingerprint":null,"timestamp":null}`, nil},
		{"session:set_segments", `{"segments":null}`, nil},
		{"session:set_segments", `{"segments":["a",null]}`, nil},
		{"session:sync:timezone", `{"timezone":null}`, nil},
		{"session:sync:geolocation", `{"geolocation":null}`, nil},
		{"message:send", `{"content":null,"type":"text"}`, nil},
		{"message:send", `null`, []crisp.FieldProblem{{"", "object", "null"}}},
	} {
		assert.Equal(t, c.problems, decode(t, c.name, c.payload).EventMeta().Problems, c.payload)
	}
}

// The official SDKs disagree about the shape of four values.
func TestBothShapes(t *testing.T) {
	skipped := []crisp.ImportItem{{Identifier: "a@example.com", Reason: "invalid"}, {Reason: "empty"}}
	for _, c := range []struct {
		name, wire string
		field      string
		want       any
	}{
		{"session:sync:capabilities", `["browsing","call"]`, "Capabilities", []string{"browsing", "call"}},
		{"session:sync:capabilities", `{"capabilities":["browsing","call"]}`, "Capabilities", []string{"browsing", "call"}},
		{"session:sync:timezone", `-330`, "Timezone", -330 * time.Minute},
		{"session:sync:timezone", `{"offset":-330}`, "Timezone", -330 * time.Minute},
		{"session:sync:locales", `["fr","en"]`, "Locales", []string{"fr", "en"}},
		{"session:sync:locales", `{"locales":["fr","en"],"more":1}`, "Locales", []string{"fr", "en"}},
		{"people:import:progress", `[{"identifier":"a@example.com","reason":"invalid"},{"identifier":null,"reason":"empty"}]`, "Items", skipped},
		{"people:import:progress", `{"skipped":[{"identifier":"a@example.com","reason":"invalid"},{"reason":"empty"}]}`, "Items", skipped},
	} {
		key := c.name[strings.LastIndexByte(c.name, ':')+1:]
		if key == "progress" {
			key = "items"
		}
		ev := decode(t, c.name, `{"`+key+`":`+c.wire+`,"routing_ids":["r1"]}`)
		assert.Empty(t, ev.EventMeta().Problems, c.wire)
		v := reflect.ValueOf(ev).Elem()
		assert.Equal(t, c.want, v.FieldByName(c.field).Interface(), c.wire)
		assert.Equal(t, []string{"r1"}, v.FieldByName("RoutingIDs").Interface())
	}
	ev := decode(t, "session:sync:timezone", `{"timezone":{"offset":"x"}}`)
	assert.Equal(t, []crisp.FieldProblem{{"timezone.offset", "number", "string"}}, ev.EventMeta().Problems)
}

// Numbers are read as what they are on the wire.
func TestNumbersOfEveryKind(t *testing.T) {
	for _, info := range crisp.Events() {
		typ := eventType(info.Name)
		for _, p := range propertiesOf(typ, parseAny(t, sampleOf(info.Name)), nil) {
			accepted, _ := p.accepts("number")
			if !accepted && p.typ.Kind() != reflect.Int && p.typ.Kind() != reflect.Int64 {
				continue
			}
			for _, number := range []json.Number{"45.5", "-1", "70000", "45.0", "1e3"} {
				root := parseAny(t, sampleOf(info.Name))
				p.set(root, number)
				text, err := json.Marshal(root)
				require.NoError(t, err)
				problems := decode(t, info.Name, string(text)).EventMeta().Problems
				if number == "45.5" && !accepted {
					assert.Equal(t, []crisp.FieldProblem{{p.path(), "integer", "number"}}, problems)
					continue
				}
				assert.Empty(t, problems, "%s as %s", p.path(), number)
			}
		}
	}
	ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"fingerprint":9007199254740993}`)
	assert.Equal(t, int64(9007199254740993), ev.Fingerprint)
}

func TestTheLastOfTwoMembersCounts(t *testing.T) {
	ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"origin":5,"user":{"nickname":"Camille","type":5},"mentions":["a",5],"content":5,
		"origin":"chat","user":{"user_id":"u1"},"mentions":[],"type":"text","content":"Hello"}`)
	assert.Empty(t, ev.Problems)
	assert.Equal(t, "chat", ev.Origin)
	assert.Equal(t, crisp.User{UserID: "u1"}, ev.User)
	assert.Empty(t, ev.Mentions)
	assert.Equal(t, crisp.TextContent("Hello"), ev.Content)
}

func TestDeepNesting(t *testing.T) {
	nest := func(depth int) []byte {
		return []byte(`{"origin":"chat","unknown":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"properties":{"p":` +
			strings.Repeat(`{"a":`, depth-1) + `1` + strings.Repeat("}", depth-1) + `},"content":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`)
	}
	ev, err := crisp.Decode("message:send", nest(9_999))
	require.NoError(t, err)
	assert.Equal(t, "chat", ev.(*crisp.MessageSend).Origin)
	_, err = crisp.Decode("message:send", nest(10_000))
	require.Error(t, err)
}

func TestProblemsAreBounded(t *testing.T) {
	payload := []byte(`{"mentions":[` + string(bytes.Repeat([]byte("0,"), 50_000)) + `0],"origin":"chat"}`)
	ev, err := crisp.Decode("message:send", payload)
	require.NoError(t, err)
	assert.Len(t, ev.EventMeta().Problems, 100)
	assert.Equal(t, "chat", ev.(*crisp.MessageSend).Origin)
}
