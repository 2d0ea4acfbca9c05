package rest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/rest"
)

// secretKeys are the fields whose values nobody but the program may see.
var secretKeys = []string{"token", "browsing_token", "key", "secret", "password", "jwt_secret"}

func TestAnswersWithSecretsPrintWithoutThem(t *testing.T) {
	known := types(t)
	withSecrets := 0
	eachAnswer(t, func(t *testing.T, f fact, read reader) {
		if strings.Contains(f.path, "/suggest/data/") {
			return // its keys are names
		}
		known.breakEach(f.answer, known.value(f.answer, 0), func(path string, _, _ any) {
			if !slices.Contains(secretKeys, path[strings.LastIndex(path, ".")+1:]) {
				return
			}
			withSecrets++
			answer, err := read(withSecret(known.value(f.answer, 0), strings.Split(path, ".")))
			require.NoError(t, err)
			checkHidden(t, path, answer)
		})
	})
	assert.GreaterOrEqual(t, withSecrets, 9)
}

const hush = "hush-hush"

// withSecret puts a secret into a value, at a path without lists.
func withSecret(value any, path []string) any {
	if list, ok := value.([]any); ok {
		list[0] = withSecret(list[0], path)
		return list
	}
	object := value.(map[string]any)
	if len(path) == 1 {
		object[path[0]] = hush
		return object
	}
	object[path[0]] = withSecret(object[path[0]], path[1:])
	return object
}

func TestBodiesWithSecretsPrintWithoutThem(t *testing.T) {
	client, _ := crispAnswering(t, userToken)
	withSecrets := 0
	for _, r := range rest.Routes() {
		if r.Package != "rest" {
			continue
		}
		for call := range strings.SplitSeq(r.Call, ", ") {
			for _, arg := range arguments(method(client, call).Type()) {
				if hasSecret(arg.Type()) {
					withSecrets++
					setSecrets(arg)
					checkHidden(t, call, arg.Interface())
				}
			}
		}
	}
	assert.GreaterOrEqual(t, withSecrets, 5)
}

func secretField(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return slices.Contains(secretKeys, name)
}

func hasSecret(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		return hasSecret(t.Elem())
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if secretField(t.Field(i)) || hasSecret(t.Field(i).Type) {
			return true
		}
	}
	return false
}

func setSecrets(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		setSecrets(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if secretField(v.Type().Field(i)) {
				fill(v.Field(i), hush, 0)
				continue
			}
			setSecrets(v.Field(i))
		}
	default:
	}
}

// checkHidden prints a value, and a part of one, in every way. A list that is logged as
// JSON is JSON, and has everything.
func checkHidden(t *testing.T, what string, v any) {
	t.Helper()
	var out bytes.Buffer
	element := reflect.Indirect(reflect.ValueOf(v))
	if element.Kind() == reflect.Slice {
		fmt.Fprintf(&out, "%v%+v%#v", v, v, v)
		element = element.Index(0).Elem()
	}
	pointer := reflect.New(element.Type())
	pointer.Elem().Set(element)
	for _, v := range []any{element.Interface(), pointer.Interface()} {
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+verb, v, struct{ Part any }{v})
		}
	}
	assert.NotContains(t, out.String(), "hush", what)
	assert.NotContains(t, out.String(), strings.Trim(fmt.Sprintf("%d", []byte("hush")), "[]"), what+": in Raw")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "hush"), what+": in hexadecimal")
	assert.NotContains(t, out.String(), "0x68, 0x75, 0x73, 0x68", what+": in Raw")
	if element.Type().PkgPath() == reflect.TypeFor[rest.Answer]().PkgPath() {
		assert.Contains(t, out.String(), "[secret]", what+": that there is one is told")
	}
}
