package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// declaration is a function, a method, a type, a constant or a variable of a
// package.
type declaration struct {
	file     string // its path
	code     string // of the whole file
	from, to int    // what is the declaration's, without its doc comment
}

// module is the code that mutants change, and the tests that are to notice. It
// reads each folder once.
type module struct {
	root         string
	declarations map[string]map[string][]declaration // by folder and name
	tests        map[string]string                   // their code, by folder
}

func newModule(root string) *module {
	return &module{
		root:         root,
		declarations: make(map[string]map[string][]declaration),
		tests:        make(map[string]string),
	}
}

// splitIn returns the folder and the name of a declaration: see mutant.in.
func splitIn(in string) (folder, name string) {
	folder, name, some := strings.Cut(in, " ")
	if !some {
		return ".", in
	}
	return folder, name
}

// find returns the declaration that a mutant is in.
func (m *module) find(in string) (declaration, error) {
	folder, name := splitIn(in)
	all, err := m.declarationsOf(folder)
	if err != nil {
		return declaration{}, err
	}
	switch found := all[name]; len(found) {
	case 0:
		return declaration{}, fmt.Errorf("no declaration of %s in %s; the nearest is %s", name, folder, nearest(name, all))
	case 1:
		return found[0], nil
	default:
		return declaration{}, fmt.Errorf("%s is declared %d times in %s, want 1", name, len(found), folder)
	}
}

func (m *module) declarationsOf(folder string) (map[string][]declaration, error) {
	if all, ok := m.declarations[folder]; ok {
		return all, nil
	}
	files, err := m.goFiles(folder)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]declaration)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if err := declare(all, file); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s declares nothing: a mutant's folder is relative to the module's", folder)
	}
	m.declarations[folder] = all
	return all, nil
}

// goFiles lists those files of a folder that go builds here. A folder that does
// not exist has none.
func (m *module) goFiles(folder string) ([]string, error) {
	dir := filepath.Join(m.root, filepath.FromSlash(folder))
	all, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var built []string
	for _, file := range all {
		ok, err := build.Default.MatchFile(dir, filepath.Base(file))
		if err != nil {
			return nil, err
		}
		if ok {
			built = append(built, file)
		}
	}
	return built, nil
}

// declare adds what a file declares.
func declare(all map[string][]declaration, path string) error {
	code, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, code, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	add := func(name string, node ast.Node) {
		from, to := fset.Position(node.Pos()).Offset, fset.Position(node.End()).Offset
		all[name] = append(all[name], declaration{path, string(code), from, to})
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add(nameOf(d), d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name.Name, spec)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						add(name.Name, spec)
					}
				}
			}
		}
	}
	return nil
}

// nameOf is the name of a function, behind that of its receiver's type.
func nameOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	return typeName(d.Recv.List[0].Type) + "." + d.Name.Name
}

// typeName is the name of a receiver's type, without pointer and parameters.
func typeName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.ParenExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.IndexListExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name
	default:
		return ""
	}
}

// nearest is what a name that is not declared may have become: a method of
// another type rather than another method of its type.
func nearest(name string, all map[string][]declaration) string {
	last := func(name string) string { return name[strings.LastIndex(name, ".")+1:] }
	return slices.MinFunc(slices.Sorted(maps.Keys(all)), func(a, b string) int {
		return cmp.Or(
			cmp.Compare(distance(last(a), last(name)), distance(last(b), last(name))),
			cmp.Compare(distance(a, name), distance(b, name)))
	})
}

// distance is how many bytes must be added, removed or replaced to make a name
// of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from what of a has been seen to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := before
			if a[i] != b[j] {
				replace++
			}
			before = row[j+1]
			row[j+1] = min(replace, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
