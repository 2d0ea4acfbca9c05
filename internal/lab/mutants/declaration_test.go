package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moduleOf makes a module of files.
func moduleOf(t *testing.T, files map[string]string) *module {
	t.Helper()
	dir := t.TempDir()
	for name, code := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(code), 0o600))
	}
	return newModule(dir)
}

const declarationsForTests = `// Package p has a bit of everything.
package p

// plain is documented.
func plain() int {
	return 1 // one
}

type list struct{ next *list }

func (l *list) push() { l.next = new(list) }

func (l list) empty() bool { return l.next == nil }

func (list) push2() {}

type (
	pair[K comparable, V any] struct {
		key   K
		value V
	}

	// set is documented.
	set[T comparable] map[T]bool
)

func (p *pair[K, V]) swap() {}

func (s set[_]) len() int { return len(s) }

const single = "a"

const (
	// first is documented.
	first = iota // and commented
	second
)

var a, b = 1, 2

func init() { a++ }

func init() { b++ }
`

func TestFind(t *testing.T) {
	code := moduleOf(t, map[string]string{
		"p.go":         declarationsForTests,
		"q.go":         "package p\n\nfunc inAnotherFile() {}\n",
		"deep/in/r.go": "package r\n\nfunc plain() {}\n\ntype list int\n\nfunc (l list) pop() {}\n",
	})
	tests := map[string]struct{ in, want string }{
		"a function, without its comment":    {"plain", "func plain() int {\n\treturn 1 // one\n}"},
		"a method by pointer":                {"list.push", "func (l *list) push() { l.next = new(list) }"},
		"a method by value":                  {"list.empty", "func (l list) empty() bool { return l.next == nil }"},
		"a method that names no receiver":    {"list.push2", "func (list) push2() {}"},
		"a method of a generic type":         {"set.len", "func (s set[_]) len() int { return len(s) }"},
		"a method of a type of two":          {"pair.swap", "func (p *pair[K, V]) swap() {}"},
		"a type":                             {"list", "list struct{ next *list }"},
		"a generic type in a block":          {"pair", "pair[K comparable, V any] struct {\n\t\tkey   K\n\t\tvalue V\n\t}"},
		"a type in a block, not its comment": {"set", "set[T comparable] map[T]bool"},
		"a constant":                         {"single", `single = "a"`},
		"a constant in a block":              {"first", "first = iota"},
		"a constant without a value":         {"second", "second"},
		"a variable":                         {"a", "a, b = 1, 2"},
		"a variable beside another":          {"b", "a, b = 1, 2"},
		"in another file":                    {"inAnotherFile", "func inAnotherFile() {}"},
		"in another package":                 {"deep/in plain", "func plain() {}"},
		"a method in another package":        {"deep/in list.pop", "func (l list) pop() {}"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := code.find(tt.in)
			require.NoError(t, err)
			assert.Equal(t, tt.want, found.code[found.from:found.to])
			whole, err := os.ReadFile(found.file)
			require.NoError(t, err)
			assert.Equal(t, string(whole), found.code)
		})
	}
}

func TestFindTellsWhatIsMissing(t *testing.T) {
	code := moduleOf(t, map[string]string{
		"p.go":            declarationsForTests,
		"p_test.go":       "package p\n\nfunc helper() {}\n",
		"elsewhere.go":    "//go:build ignore\n\npackage main\n\nfunc ignored() {}\n",
		"broken/r.go":     "package r\n\nfunc {\n",
		"tests/s_test.go": "package s\n\nfunc helper() {}\n",
	})
	tests := map[string]struct{ in, want string }{
		"a letter is wrong":          {"plane", "no declaration of plane in .; the nearest is plain"},
		"a method of another type":   {"queue.push", "the nearest is list.push"},
		"a method that has moved":    {"pair.empty", "the nearest is list.empty"},
		"two of them":                {"init", "init is declared 2 times in ., want 1"},
		"a function of the tests":    {"helper", "no declaration of helper in ."},
		"a file that go leaves out":  {"ignored", "no declaration of ignored in ."},
		"another package":            {"deep/in plain", "deep/in declares nothing"},
		"a package of tests":         {"tests helper", "tests declares nothing"},
		"a package that is no Go":    {"broken plain", "r.go:3"},
		"a method without its type":  {"swap", "the nearest is pair.swap"},
		"a local variable, no other": {"l", "no declaration of l in ."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := code.find(tt.in)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abd", 1},
		{"abc", "ac", 1},
		{"ac", "abc", 1},
		{"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, distance(tt.a, tt.b), "%q and %q", tt.a, tt.b)
	}
}
