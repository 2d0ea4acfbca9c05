package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fixImports adds the imports that a change needs and blanks those that it
// leaves without use, so that the change compiles in whatever file the
// declaration is.
func fixImports(code string, needed []string) (string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", code, parser.SkipObjectResolution)
	if err != nil {
		return "", fmt.Errorf("the change is no Go: %w", err)
	}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	used, imported := qualifiers(file), make(map[string]bool)
	for _, spec := range slices.Backward(file.Imports) { // so that the offsets of the others hold
		pkg, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return "", err
		}
		imported[pkg] = true
		if !used[localName(spec, pkg)] {
			code = code[:offset(spec.Pos())] + "_ " + code[offset(spec.Path.Pos()):]
		}
	}
	for _, pkg := range needed {
		if !imported[pkg] {
			at := offset(file.Name.End())
			code = code[:at] + fmt.Sprintf("\n\nimport %q", pkg) + code[at:]
		}
	}
	return code, nil
}

// qualifiers are the names in front of a dot, among them those of the packages
// that a file uses.
func qualifiers(file *ast.File) map[string]bool {
	used := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	return used
}

var majorVersion = regexp.MustCompile(`/v\d+$`)

// localName is what a file calls a package that it imports.
func localName(spec *ast.ImportSpec, pkg string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return strings.TrimSuffix(path.Base(majorVersion.ReplaceAllString(pkg, "")), ".go")
}
