package rest_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/rest"
)

// What Crisp's examples send can be said with the types of bodies.
func TestBodiesHaveWhatCrispsExamplesSend(t *testing.T) {
	text, err := os.ReadFile("testdata/bodies.json")
	require.NoError(t, err)
	var examples []struct {
		Method, Path string
		Body         any
	}
	require.NoError(t, json.Unmarshal(text, &examples))
	routes := routesByFact(t)
	client, _ := crispAnswering(t, userToken)
	checked := 0
	for _, example := range examples {
		r := routes[example.Method+" "+example.Path]
		if r.Package != "rest" {
			continue
		}
		checked++
		members := map[string]reflect.Type{}
		for call := range strings.SplitSeq(r.Call, ", ") {
			m := method(client, call).Type()
			sent := m.In(m.NumIn() - 1)
			if sent.Kind() == reflect.Struct && sent != reflect.TypeFor[rest.Proof]() { // that is a member itself
				addMembers(members, sent)
			}
		}
		if len(members) > 0 { // others are checked by what they send
			checkKnown(t, r.Path, members, example.Body)
		}
	}
	assert.Greater(t, checked, 50)
}

func addMembers(members map[string]reflect.Type, body reflect.Type) {
	for i := range body.NumField() {
		name, _, _ := strings.Cut(body.Field(i).Tag.Get("json"), ",")
		members[name] = body.Field(i).Type
	}
}

func checkKnown(t *testing.T, at string, members map[string]reflect.Type, value any) {
	t.Helper()
	object, ok := value.(map[string]any)
	if !ok {
		return // null
	}
	for key, inner := range object {
		at := at + "." + key
		typ, ok := members[key]
		if !assert.True(t, ok, "%s can't be sent", at) {
			continue
		}
		list, isList := inner.([]any)
		if typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ.NumField() == 0 || typ.Field(0).Tag == "" {
			continue
		}
		parts := map[string]reflect.Type{}
		addMembers(parts, typ)
		if !isList {
			list = []any{inner}
		}
		for _, element := range list {
			checkKnown(t, at, parts, element)
		}
	}
}

// A struct that embeds an answer must not lose its own fields.
func TestAnswersDecodeNothingByThemselves(t *testing.T) {
	client, _ := crispAnswering(t, userToken)
	unmarshaler := reflect.TypeFor[json.Unmarshaler]()
	for _, r := range rest.Routes() {
		if r.Package != "rest" {
			continue
		}
		call, _, _ := strings.Cut(r.Call, ", ")
		answer := method(client, call).Type().Out(0)
		if answer.Kind() == reflect.Func { // an iterator
			answer = answer.In(0).In(0)
		}
		if answer.Kind() == reflect.Slice {
			answer = answer.Elem()
		}
		if answer.Kind() == reflect.Pointer && strings.HasSuffix(answer.Elem().PkgPath(), "/rest") {
			assert.False(t, answer.Implements(unmarshaler), answer)
		}
	}
}
