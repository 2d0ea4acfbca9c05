package crisp_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	marshaler   = reflect.TypeFor[json.Marshaler]()
)

// collect finds a value of each of the package's types of struct within a value.
func collect(v reflect.Value, found map[reflect.Type]reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collect(v.MapIndex(key), found)
		}
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[crisp.Event]().PkgPath() {
			return
		}
		if _, known := found[v.Type()]; !known {
			found[v.Type()] = v
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				collect(v.Field(i), found)
			}
		}
	default:
	}
}

// A struct that embeds a type of data keeps its own fields, unless the type says that
// it takes all.
func TestTypesOfDataMayBeEmbedded(t *testing.T) {
	found := make(map[reflect.Type]reflect.Value)
	for _, info := range crisp.Events() {
		collect(reflect.ValueOf(crisptest.Sample(info.Name)), found)
	}
	for _, content := range []crisp.Content{
		&crisp.FileContent{Name: "a", URL: "b", Type: "c"}, &crisp.AnimationContent{URL: "a", Type: "b"}, &crisp.EventContent{Namespace: "a"},
		&crisp.FieldContent{ID: "a", Text: "b", Explain: "c", Value: "d"},
		&crisp.PickerContent{Choices: []crisp.PickerChoice{{Value: "a", Label: "b", Action: crisp.PickerAction{Type: "link", Target: "c"}}}},
		&crisp.CarouselContent{Targets: []crisp.CarouselTarget{{Actions: []crisp.CarouselAction{{Label: "a", URL: "b"}}}}},
	} {
		collect(reflect.ValueOf(content), found)
	}
	embedded := 0
	for typ, value := range found {
		if reflect.PointerTo(typ).Implements(unmarshaler) || typ.Implements(marshaler) || typ == reflect.TypeFor[crisp.Meta]() {
			continue // see TestTypesThatTakeAllSaySo
		}
		embedded++
		t.Run(typ.Name(), func(t *testing.T) {
			outer := reflect.StructOf([]reflect.StructField{
				{Name: "PeopleID", Type: reflect.TypeFor[string](), Tag: `json:"people_id"`},
				{Name: typ.Name(), Type: typ, Anonymous: true},
			})
			inner, err := json.Marshal(value.Interface())
			require.NoError(t, err)
			var members map[string]any
			require.NoError(t, json.Unmarshal(inner, &members))
			members["people_id"] = "p1"
			text, err := json.Marshal(members)
			require.NoError(t, err)

			got := reflect.New(outer)
			require.NoError(t, json.Unmarshal(text, got.Interface()))
			assert.Equal(t, "p1", got.Elem().Field(0).String())
			assert.Equal(t, value.Interface(), got.Elem().Field(1).Interface())
			again, err := json.Marshal(got.Interface())
			require.NoError(t, err)
			assert.JSONEq(t, string(text), string(again))
		})
	}
	assert.Greater(t, embedded, 30)
}

// The others have forms on the wire that encoding/json can't read by itself.
func TestTypesThatTakeAllSaySo(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	methods := 0
	visit := func(n ast.Node) bool {
		fn, ok := n.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "UnmarshalJSON" && fn.Name.Name != "MarshalJSON" {
			return true
		}
		receiver := fn.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		name := receiver.(*ast.Ident).Name
		if ast.IsExported(name) {
			methods++
			assert.Contains(t, fn.Doc.Text(), "embeds", "%s.%s", name, fn.Name.Name)
			assert.Contains(t, strings.Join(strings.Fields(fn.Doc.Text()), " "), "give the field a name", "%s.%s", name, fn.Name.Name)
		}
		return true
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, visit)
	}
	assert.Greater(t, methods, 2*len(crisp.Events()))
}
