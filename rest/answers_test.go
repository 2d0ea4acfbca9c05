package rest_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

func contextOfTests() context.Context { return context.Background() }

// answerTo is an answer to a route in which every field has a value, as JSON.
func answerTo(f fact, known forms) string {
	if f.answer == "" {
		return "{}"
	}
	return answerFor(f, known.value(f.answer, 0))
}

// value returns a value of a form.
func (known forms) value(form string, depth int) any {
	if fields, ok := known[form]; ok && fields[0].key != "(oneof)" {
		object := map[string]any{}
		for _, f := range fields {
			if depth <= 6 { // a type may have itself as a part
				object[f.key] = known.value(f.form, depth+1)
			}
		}
		return object
	}
	switch {
	case strings.HasPrefix(form, "[]"):
		return []any{known.value(form[2:], depth)}
	case strings.HasPrefix(form, "map[ConversationMessageIgnored"):
		return map[string]any{"user": known.value("ConversationMessageIgnored", depth)}
	case strings.HasPrefix(form, "map["):
		return map[string]any{"key": "text"}
	case form == "any":
		return map[string]any{"key": "text"}
	case strings.HasPrefix(form, "oneof:"), form == "ConversationMessageContent":
		return "text"
	default:
		return example(form)
	}
}

// misfit is a value that has not that form.
func misfit(form string) any {
	switch form {
	case "string":
		return []string{"text"}
	case "boolean":
		return "perhaps"
	case "integer", "number", "time_ms":
		return "soon"
	default:
		return 1
	}
}

func TestAnswersHaveAllFieldsThatCrispsLibrariesRead(t *testing.T) {
	known := types(t)
	eachAnswer(t, func(t *testing.T, f fact, read reader) {
		value, err := read(known.value(f.answer, 0))
		require.NoError(t, err)
		checkComplete(t, f.String(), reflect.ValueOf(value))
	})
}

func TestExamplesOfAnswersAreReadWhole(t *testing.T) {
	text, err := os.ReadFile("testdata/examples.json")
	require.NoError(t, err)
	var examples map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &examples))
	eachAnswer(t, func(t *testing.T, f fact, read reader) {
		example, ok := examples[f.String()]
		require.True(t, ok)
		value, err := read(example)
		require.NoError(t, err)
		checkComplete(t, f.String(), reflect.ValueOf(value))
	})
}

// reader makes a call, which gets an answer, and returns what the call returns: of a
// list, all or the first element.
type reader func(answer any) (any, error)

// eachAnswer runs a test for each route that has an answer with fields, with the call
// that makes it.
func eachAnswer(t *testing.T, test func(t *testing.T, f fact, read reader)) {
	t.Helper()
	routes := routesByFact(t)
	read := 0
	for _, f := range facts(t) {
		if f.answer == "" {
			continue
		}
		read++
		t.Run(f.String(), func(t *testing.T) { test(t, f, readerOf(t, f, routes[f.String()])) })
	}
	assert.Greater(t, read, 90)
}

func readerOf(t *testing.T, f fact, r rest.Route) reader {
	t.Helper()
	token := tokenFor(r)
	if r.Package == "crisp" {
		token = tokenForCrisp(f)
	}
	next := "[]"
	client, _ := crispServing(t, token, func() string {
		data := next
		next = "[]"
		return data
	})
	return func(answer any) (any, error) {
		next = answerFor(f, answer)
		if r.Package == "crisp" {
			return crispCalls[f.String()][0](t.Context(), client)
		}
		call, _, _ := strings.Cut(r.Call, ", ")
		m := method(client, call)
		return results(m, arguments(m.Type()))
	}
}

// answerFor is an answer as JSON. Package crisp trusts no endpoint that is no URL.
func answerFor(f fact, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	if strings.HasSuffix(f.path, "connect/endpoints") {
		return strings.ReplaceAll(string(text), `"text"`, `"https://stream.example.com/"`)
	}
	return string(text)
}

// checkComplete checks that nothing in an answer is zero, and that it has no problems.
func checkComplete(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	if meta, ok := v.Interface().(crisp.Meta); ok {
		assert.Empty(t, meta.Problems, at)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if assert.False(t, v.IsNil(), at) {
			checkComplete(t, at, v.Elem())
		}
	case reflect.Slice:
		if assert.Positive(t, v.Len(), at) {
			checkComplete(t, at, v.Index(0))
		}
	case reflect.Struct:
		checkFields(t, at, v)
	default:
		assert.False(t, v.IsZero(), "%s is zero", at)
	}
}

func checkFields(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	if !strings.HasPrefix(v.Type().PkgPath(), "github.com/crisp-go/crisp") {
		assert.False(t, v.IsZero(), "%s is zero", at) // a time
		return
	}
	for i := range v.NumField() {
		switch field := v.Type().Field(i); {
		case field.Name == "Problems":
			assert.Empty(t, v.Field(i).Interface(), at)
		case field.Name == "Children" && strings.HasSuffix(at, ".Children"): // a part of itself has to end somewhere
		case field.Name == "Raw" || !field.IsExported() || hasNoFact(at+"."+field.Name):
		default:
			checkComplete(t, at+"."+field.Name, v.Field(i))
		}
	}
}

// hasNoFact reports whether a field is of a type that events have, too, and is in no
// answer that Crisp's libraries know.
func hasNoFact(path string) bool {
	return slices.ContainsFunc([]string{
		"message/{fingerprint}.InboxID", "message/{fingerprint}.RoutingIDs", "messages.InboxID", "messages.RoutingIDs",
		"plugin/connect/endpoints.Socket.Stream", "plugin/connect/endpoints.Rescue.Socket.Stream", ".Plan.Price", ".Compose.Operator.User.Type", ".Compose.Visitor.User.Type",
	}, func(end string) bool { return strings.HasSuffix(path, end) })
}

// Each field of each answer, one after the other, is of another type. It is missing
// then, and is in the list of problems; nothing else is different.
func TestAFieldOfAnotherTypeCostsThatFieldAloneInEveryAnswer(t *testing.T) {
	known := types(t)
	broken := 0
	eachAnswer(t, func(t *testing.T, f fact, read reader) {
		known.breakEach(f.answer, known.value(f.answer, 0), func(path string, wrong, without any) {
			broken++
			got, err := read(wrong)
			switch got.(type) {
			case string, int64, crisp.SessionRef:
				assert.Zero(t, got)
				assert.Error(t, err, "the one field that counts")
				return
			case *crisp.Endpoints: // what can't be connected to is left out
				if path == "socket" || path == "socket.app" {
					assert.Error(t, err, "the one field that counts")
					return
				}
				require.NoError(t, err)
				want, err := read(without)
				require.NoError(t, err)
				assert.Equal(t, want, got)
				return
			}
			require.NoError(t, err, path)
			assert.Equal(t, []string{path}, problemsOf(got), path)
			want, err := read(without)
			require.NoError(t, err, path)
			forget(want)
			forget(got)
			assert.Equal(t, want, got, path)
		})
	})
	assert.Greater(t, broken, 1000)
}

// single is the answer, or the only element of the list that it is.
func single(answer any) reflect.Value {
	v := reflect.Indirect(reflect.ValueOf(answer))
	if v.Kind() == reflect.Slice {
		v = v.Index(0).Elem()
	}
	return v
}

func problemsOf(answer any) []string {
	var paths []string
	for _, p := range single(answer).FieldByName("Problems").Interface().([]crisp.FieldProblem) {
		paths = append(paths, p.Path)
	}
	return paths
}

// forget clears what is different wherever the JSON is.
func forget(answer any) {
	v := single(answer)
	for _, name := range []string{"Raw", "Problems", "Time", "Settings", "Schema"} {
		if field := v.FieldByName(name); field.IsValid() {
			field.SetZero()
		}
	}
}

// breakEach calls broken for each field of a value, and for each element of its lists:
// with its path, and the whole value with that field as something else, and without it.
func (known forms) breakEach(form string, value any, broken func(path string, wrong, without any)) {
	b := breaker{known, broken}
	if elements, ok := value.([]any); ok {
		b.inside("", form[2:], elements[0], func(v any) any { return []any{v} })
		return
	}
	b.inside("", form, value, func(v any) any { return v })
}

type breaker struct {
	known  forms
	broken func(path string, wrong, without any)
}

// inside breaks what is inside a value. The function puts another value in its place,
// and returns the whole.
func (b breaker) inside(path, form string, value any, put func(any) any) {
	switch {
	case strings.HasPrefix(form, "[]"):
		inner := func(v any) any { return put([]any{v}) }
		b.value(path+"[0]", form[2:], value.([]any)[0], inner, inner(zero(value.([]any)[0])))
	case strings.HasPrefix(form, "map[ConversationMessageIgnored"):
		inner := func(v any) any { return put(map[string]any{"user": v}) }
		b.value(path+".user", "ConversationMessageIgnored", value.(map[string]any)["user"], inner, inner(map[string]any{}))
	case len(b.known[form]) > 0 && b.known[form][0].key != "(oneof)":
		for _, f := range b.known[form] {
			if !anything[form+"."+f.key] {
				b.member(path, f.key, f.form, value.(map[string]any), put)
			}
		}
	}
}

// zero is a value like another in which there is nothing.
func zero(like any) any {
	switch like.(type) {
	case string:
		return ""
	case map[string]any:
		return map[string]any{}
	default:
		return 0
	}
}

func (b breaker) member(path, key, form string, object map[string]any, put func(any) any) {
	value, ok := object[key]
	if !ok || form == "any" {
		return // any value fits, or it is too deep
	}
	with := func(v any) any {
		changed := maps.Clone(object)
		changed[key] = v
		return put(changed)
	}
	without := maps.Clone(object)
	delete(without, key)
	if path != "" {
		path += "."
	}
	b.value(path+key, form, value, with, put(without))
}

func (b breaker) value(path, form string, value any, put func(any) any, without any) {
	b.broken(path, put(misfit(form)), without)
	b.inside(path, form, value, put)
}

// anything are fields that are not read, or may be of any type.
var anything = map[string]bool{
	"HelpdeskLocale.articles":             true, // of the older helpdesk
	"HelpdeskLocale.categories":           true,
	"PeopleFilter.query":                  true, // Crisp's libraries differ
	"WebsiteFilter.query":                 true, // likewise
	"ConversationMessageOriginal.type":    true, // are sent only
	"ConversationMessageOriginal.content": true,
	"ConversationMessage.content":         true, // its form is that of the message's type
}
