package rest_test

import (
	"context"
	"encoding/json"
	"reflect"
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
	text, err := json.Marshal(known.value(f.answer, false, 0))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// value returns a value of a form; if it is to be wrong, then one whose fields all
// are of other types.
func (known forms) value(form string, wrong bool, depth int) any {
	if fields, ok := known[form]; ok && fields[0].key != "(oneof)" {
		object := map[string]any{}
		for _, f := range fields {
			switch {
			case depth > 6: // a type that has itself as a part
			case wrong:
				object[f.key] = misfit(f.form)
			default:
				object[f.key] = known.value(f.form, false, depth+1)
			}
		}
		return object
	}
	switch {
	case strings.HasPrefix(form, "[]"):
		return []any{known.value(form[2:], wrong, depth)}
	case strings.HasPrefix(form, "map[ConversationMessageIgnored"):
		return map[string]any{"user": known.value("ConversationMessageIgnored", wrong, depth)}
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
	eachAnswer(t, func(t *testing.T, f fact, r rest.Route, call string) {
		client, _ := crispAnswering(t, tokenFor(r), answerTo(f, known))
		m := method(client, call)
		value, err := results(m, arguments(m.Type()))
		require.NoError(t, err)
		checkComplete(t, call, reflect.ValueOf(value))
	})
}

// eachAnswer runs a test for each call of package rest that has an answer with fields.
func eachAnswer(t *testing.T, test func(t *testing.T, f fact, r rest.Route, call string)) {
	t.Helper()
	routes := routesByFact(t)
	for _, f := range facts(t) {
		r := routes[f.String()]
		if r.Package != "rest" || f.answer == "" {
			continue
		}
		call, _, _ := strings.Cut(r.Call, ", ")
		t.Run(call, func(t *testing.T) { test(t, f, r, call) })
	}
}

// checkComplete checks that nothing in an answer is zero, and that it has no problems.
func checkComplete(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	if answer, ok := v.Interface().(rest.Answer); ok {
		assert.Empty(t, answer.Problems, at)
		return
	}
	if _, ok := v.Interface().(crisp.Meta); ok {
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

// eventsOnly are fields of a message that only events have.
var eventsOnly = map[string]bool{"InboxID": true, "RoutingIDs": true}

// parts are types that have themselves as a part: the innermost has none.
var parts = map[string]bool{"HelpdeskEntry": true}

func checkFields(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	if v.Type().PkgPath() != "github.com/crisp-go/crisp" && !strings.HasPrefix(v.Type().PkgPath(), "github.com/crisp-go/crisp/rest") {
		assert.False(t, v.IsZero(), "%s is zero", at) // a time
		return
	}
	if parts[v.Type().Name()] && strings.Count(at, ".Children") > 2 {
		return
	}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() && !eventsOnly[field.Name] {
			checkComplete(t, at+"."+field.Name, v.Field(i))
		}
	}
}

func TestAFieldOfAnotherTypeIsAProblemInEveryAnswer(t *testing.T) {
	known := types(t)
	eachAnswer(t, func(t *testing.T, f fact, r rest.Route, call string) {
		form := strings.TrimPrefix(f.answer, "[]")
		if _, ok := known[form]; !ok {
			return // it has no fields
		}
		text, err := json.Marshal(known.value(f.answer, true, 0))
		require.NoError(t, err)
		client, _ := crispAnswering(t, tokenFor(r), string(text))
		m := method(client, call)
		value, err := results(m, arguments(m.Type()))
		if s, ok := value.(string); ok {
			assert.Empty(t, s)
			assert.Error(t, err, "the one field that counts")
			return
		}
		require.NoError(t, err)
		v := reflect.Indirect(reflect.ValueOf(value))
		if v.Kind() == reflect.Slice {
			v = v.Index(0).Elem()
		}
		got, ok := v.FieldByName("Problems").Interface().([]crisp.FieldProblem)
		require.True(t, ok)
		var problems, fields []string
		for _, p := range got {
			problems = append(problems, p.Path)
		}
		for _, f := range known[form] {
			if !anything[form+"."+f.key] && f.form != "any" {
				fields = append(fields, f.key)
			}
		}
		assert.ElementsMatch(t, fields, problems)
		assert.JSONEq(t, strings.TrimSuffix(strings.TrimPrefix(string(text), "["), "]"), string(v.FieldByName("Raw").Bytes()))
	})
}

// anything are fields that are not read, or may be of any type.
var anything = map[string]bool{
	"HelpdeskLocale.articles":     true, // of the older helpdesk
	"HelpdeskLocale.categories":   true,
	"ConversationMessage.content": true, // by the type, which is not known then
}
