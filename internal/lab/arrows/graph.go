package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
)

// pkg is a package of the module, and what is counted in it.
type pkg struct {
	name    string // its path in the module, or root
	program bool
	imports []string // names of packages of the module
	files   []string // that people have written
	arrows  arrows
	owners  map[string][]string // of each type, the files that declare it or a method of it
}

// arrows have the names that a file (the first key) uses of another.
type arrows map[string]map[string][]string

// source is the code of a package that people have written, with its types.
type source struct {
	fset *token.FileSet
	pkg  *types.Package
	uses map[*ast.Ident]types.Object
	code []*ast.File
}

func (s *source) file(pos token.Pos) string { return filepath.Base(s.fset.Position(pos).Filename) }

// shared reports whether other files can use an object. Methods and fields have
// no parent.
func (s *source) shared(obj types.Object) bool {
	return obj != nil && obj.Pkg() == s.pkg && (obj.Parent() == s.pkg.Scope() || obj.Parent() == nil)
}

func (p *pkg) count(s *source) {
	for _, file := range s.code {
		p.files = append(p.files, s.file(file.Package))
	}
	for i, file := range s.code {
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && s.shared(s.uses[id]) {
				p.use(p.files[i], s.file(s.uses[id].Pos()), id.Name)
			}
			return true
		})
	}
	for _, name := range s.pkg.Scope().Names() {
		t, ok := s.pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || t.IsAlias() {
			continue
		}
		p.owners[name] = append(p.owners[name], s.file(t.Pos()))
		for method := range t.Type().(*types.Named).Methods() {
			p.owners[name] = append(p.owners[name], s.file(method.Pos()))
		}
	}
}

func (p *pkg) use(from, to, name string) {
	if from == to || !slices.Contains(p.files, to) {
		return
	}
	if p.arrows[from] == nil {
		p.arrows[from] = make(map[string][]string)
	}
	if !slices.Contains(p.arrows[from][to], name) {
		p.arrows[from][to] = append(p.arrows[from][to], name)
	}
}

// size is how many arrows there are, and how many pairs point at each other.
func (a arrows) size() (all, pairs int) {
	for from, tos := range a {
		all += len(tos)
		for to := range tos {
			if a[to][from] != nil && from < to {
				pairs++
			}
		}
	}
	return all, pairs
}

// reach is what can be reached from a file, by one arrow or more.
func (a arrows) reach(from string) map[string]bool {
	seen := make(map[string]bool)
	for next := []string{from}; len(next) > 0; next = next[1:] {
		for to := range a[next[0]] {
			if !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	return seen
}

// knots are the sets of files that reach each other, the largest first.
func (p *pkg) knots() [][]string {
	byFirst := make(map[string][]string)
	for _, file := range p.files {
		reached := p.arrows.reach(file)
		for _, first := range p.files {
			if reached[first] && p.arrows.reach(first)[file] {
				byFirst[first] = append(byFirst[first], file)
				break
			}
		}
	}
	knots := slices.Collect(maps.Values(byFirst))
	slices.SortFunc(knots, func(a, b []string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return slices.Compare(a, b)
	})
	return knots
}

// owner is the type that each file of a knot declares, or has a method of; ""
// if there is none.
func (p *pkg) owner(knot []string) string {
	for _, name := range slices.Sorted(maps.Keys(p.owners)) {
		if !slices.ContainsFunc(knot, func(file string) bool { return !slices.Contains(p.owners[name], file) }) {
			return name
		}
	}
	return ""
}
