package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func restFixture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/rest.yaml")
	require.NoError(t, err)
	return string(text)
}

func TestGenerateRESTFixture(t *testing.T) {
	files, err := generateREST([]byte(restFixture(t)), []byte(fixture(t)))
	require.NoError(t, err)
	assert.Len(t, files, 7)
	for name, text := range files {
		golden := filepath.Join("testdata", "golden", filepath.Base(name)+".golden")
		if *update {
			require.NoError(t, os.WriteFile(golden, text, 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(text), name)
	}
}

func TestRESTOutputIsTheSameEachTime(t *testing.T) {
	spec, events := []byte(restFixture(t)), []byte(fixture(t))
	first, err := generateREST(spec, events)
	require.NoError(t, err)
	for range 10 {
		again, err := generateREST(spec, events)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestGeneratedFilesOfRESTAreUpToDate(t *testing.T) {
	root := filepath.Join("..", "..")
	spec, err := os.ReadFile(filepath.Join(root, restSpecFile))
	require.NoError(t, err)
	events, err := os.ReadFile(filepath.Join(root, specFile))
	require.NoError(t, err)
	files, err := generateREST(spec, events)
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s is out of date: run go generate ./... in the root folder", name)
	}
	made, err := filepath.Glob(filepath.Join(root, restFolder, "*_gen.go"))
	require.NoError(t, err)
	assert.Len(t, made, len(files)-3, "files of services that are no more")
}

// Each case makes one mistake in the fixture.
func TestMistakesInTheRESTSpecAreToldWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"no YAML":              {"openapi: 3.1.0", "openapi: [", "spec/openapi.yaml: "},
		"no tags":              {"tags:\n", "others:\n", "tags is missing"},
		"no paths":             {"\npaths:", "\nothers:", "paths is missing"},
		"no components":        {"\ncomponents:", "\nothers:", "components is missing"},
		"no reach":             {", x-go-reach: site.Shop", "", "tags[0]: x-go-reach is missing"},
		"unknown in operation": {"      description: The newest come first.", "      deprecated: true", "get.deprecated: not understood here"},
		"unknown method":       {"    head:\n", "    trace:\n", "trace: not understood here"},
		"another tag":          {"operationId: Shop.HasOrders", "operationId: Store.HasOrders", "operationId is the tag, a dot and a Go name, not Store.HasOrders"},
		"unknown tag":          {"tags: [Account]", "tags: [Store]", "wanted one tag, which is described"},
		"no Go name":           {"operationId: Shop.HasOrders", "operationId: Shop.hasOrders", "not Shop.hasOrders"},
		"same Go name":         {"operationId: Shop.HasOrders", "operationId: Shop.CreateOrder", "are both Shop.CreateOrder"},
		"no summary":           {"summary: lists tags.", "description: tags", "summary is missing"},
		"no tiers":             {"      x-crisp-tiers: [plugin]\n", "", "x-crisp-tiers is missing"},
		"paged":                {"      x-crisp-paged: true\n", "", "go together"},
		"bound":                {"operationId: Account.Tags\n      tags: [Account]", "operationId: Shop.Tags\n      tags: [Shop]", "the path does not begin with the identifiers of Shop"},
		"parameter":            {"- {name: kind, in: path", "- {name: sort, in: path", "the parameter kind is not described"},
		"no such parameter":    {"      - {$ref: '#/components/parameters/website_id'}\n      - {name: fingerprint", "      - {$ref: '#/components/parameters/website'}\n      - {name: fingerprint", "parameters: website is missing"},
		"parameter elsewhere":  {"- {name: per_page, in: query", "- {name: per_page, in: header", "is in query, not header"},
		"no name of the query": {"      x-go-query: OrdersQuery\n", "", "x-go-query is missing"},
		"no schema":            {"description: Where., schema: {type: number}}", "description: Where.}", "schema or content is missing"},
		"optional member":      {"required: [orders, note]", "required: [orders]", "has required members only"},
		"alternatives":         {"[ChangeOrders, ChangeLines]", "[ChangeOrders]", "wanted as many as x-go-names"},
		"no alternatives":      {"      requestBody:\n        x-go-name: settings", "      x-go-names: [A, B]\n      requestBody:\n        x-go-name: settings", "x-go-names needs anyOf"},
		"no name of the body":  {"        x-go-name: settings\n", "", "requestBody: needs x-go-name"},
		"no envelope":          {"                  - {$ref: '#/components/schemas/Envelope'}\n                  - {properties: {data: {x-crisp-type: raw}}}", "                  - {$ref: '#/components/schemas/Envelope'}", "wanted the envelope and its data"},
		"answer of two":        {"{order_id: {type: string}}", "{order_id: {type: string}, n: {type: string}}", "has one text, which counts"},
		"answer of numbers":    {"data: {type: array, items: {type: string}}", "data: {type: integer}", "answers of int are not supported"},
		"taken name":           {"{name: kind, in: path, required: true,", "{name: kind, x-go-name: q, in: path, required: true,", "an argument of Shop.Orders can't be named q"},
		"events in a body":     {"place: {$ref: 'asyncapi.yaml#/components/schemas/Place', readOnly: true}", "place: {$ref: 'asyncapi.yaml#/components/schemas/Place'}", "Place.latitude can't be in a body"},
		"date in an answer":    {"paid: {type: boolean}", "paid: {type: string, format: date-time}", "Order.paid: dates in answers are not supported"},
		"dangling events":      {"asyncapi.yaml#/components/schemas/Place", "asyncapi.yaml#/components/schemas/None", "there is no schema None"},
		"no type of crisp's":   {"      x-go-crisp: CartPart\n", "", "BasketPart: x-go-crisp is missing"},
		"member of a text":     {"x-go-member: name", "x-go-member: age", "x-go-member: Buyer has no text age"},
		"no example":           {"\n              example: {error: false, reason: listed, data: [new]}", "", "example is missing"},
		"no data":              {"reason: listed, data: [new]}", "reason: listed}", "data is missing"},
		"field of an example":  {", count: 2", "", "lines[0]: count is missing"},
		"zero in an example":   {"paid: true,", "paid: false,", "a sample shows no zero values"},
		"empty example":        {"data: [{order_id: o1, lines", "data: [], more: [{order_id: o1, lines", "wanted at least one element"},
		"dangling":             {"schema: {$ref: '#/components/schemas/Order'}", "schema: {$ref: '#/components/schemas/None'}", "there is no schema None"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := restFixture(t)
			require.Contains(t, spec, c.old)
			_, err := generateREST([]byte(strings.Replace(spec, c.old, c.new, 1)), []byte(fixture(t)))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestArgumentsAreNamedAsInGo(t *testing.T) {
	for name, want := range map[string]string{
		"PeopleID": "peopleID", "ID": "id", "URL": "url", "URLRequest": "urlRequest", "IDs": "ids", "Card": "card", "Type": "kind",
	} {
		assert.Equal(t, want, goArgument(name))
	}
}
