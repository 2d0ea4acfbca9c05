package guides

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/rest"
)

const migrate = "../../docs/migrate.md"

func TestEachRouteOfTheOfficialSDKsHasItsCall(t *testing.T) {
	calls := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ [^`]+)` \\|.*\\| `([^`]+)` \\|$").FindAllStringSubmatch(unindented(t, migrate), -1) {
		assert.NotContains(t, calls, row[1], "two rows")
		calls[row[1]] = row[2]
	}
	routes := rest.Routes()
	assert.Len(t, calls, len(routes))
	for _, route := range routes {
		assert.Equal(t, route.Call, calls[route.Method+" "+route.Path], route.Path)
	}
}

var called = regexp.MustCompile(`\b(crisp|client|rtm|router)\.([A-Z]\w*)`)

// What the tables recommend is there: the last column of each, where it is code.
func TestWhatTheMigrationGuideRecommendsExists(t *testing.T) {
	known := exported(t, "../..")
	receivers := map[string]string{"crisp": "", "client": "Client.", "rtm": "RTM.", "router": "Router."}
	checked := 0
	for line := range strings.Lines(unindented(t, migrate)) {
		if strings.Contains(line, "site.") || strings.Contains(line, "rest.") { // those of package rest: above
			continue
		}
		for _, name := range called.FindAllStringSubmatch(recommended(line), -1) {
			if name[1] == "client" && !strings.HasPrefix(line, "|") {
				continue
			}
			assert.Contains(t, known, receivers[name[1]]+name[2], line)
			checked++
		}
	}
	assert.Greater(t, checked, 30)
}

// recommended is the last column of a table's row, and all of any other line.
func recommended(line string) string {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
	return cells[len(cells)-1]
}

// What they show with arguments is called with such arguments.
func TestWhatTheMigrationGuideCallsCompiles(t *testing.T) {
	source := unindented(t, "guides_test.go")
	calls := regexp.MustCompile("`((?:crisp|client|rtm|router|rest)\\.[A-Z]\\w*\\([^`]*)\\)`")
	checked := 0
	for line := range strings.Lines(unindented(t, migrate)) {
		for _, call := range calls.FindAllStringSubmatch(recommended(line), -1) {
			checked++
			assert.Contains(t, source, strings.TrimSuffix(call[1], "…"), line)
		}
	}
	assert.Greater(t, checked, 8)
}

// exported returns what a package exports: names, and methods as Type.Method.
func exported(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			addExported(names, decl)
		}
	}
	return names
}

func addExported(names map[string]bool, decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name := decl.Name.Name
		if decl.Recv != nil {
			of := decl.Recv.List[0].Type
			if pointer, ok := of.(*ast.StarExpr); ok {
				of = pointer.X
			}
			if of, ok := of.(*ast.Ident); ok {
				name = of.Name + "." + name
			}
		}
		names[name] = true
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names[name.Name] = true
				}
			}
		}
	}
}
