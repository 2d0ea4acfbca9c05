package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a change of the code that breaks one promise.
type mutant struct {
	promise string // the row or the promise of docs/reliability.md
	removed string // the behaviour that goes
	in      string // the declaration that changes: "RTM.read", or "internal/socketio Conn.Next" outside the root
	old     string // occurs once in the declaration
	new     string // what to put in its place
	and     string // declarations that new needs
	imports string // packages that new needs, separated by spaces
	tests   string // those that are to notice, separated by spaces; a slash and the beginning of a name picks subtests
	pkg     string // the folder of the package's own tests, if it is not that of the declaration; it may be a module of its own
}

// folders are where the tests may be: beside the declaration, or where the whole
// library is tested.
func (m mutant) folders() []string {
	own, _ := splitIn(m.in)
	if m.pkg != "" {
		own = path.Clean(m.pkg)
	}
	all := []string{own, ".", "test"}
	slices.Sort(all)
	return slices.Compact(all)
}

// pattern selects the tests by go test's -run.
func (m mutant) pattern() string {
	var patterns []string
	for _, name := range strings.Fields(m.tests) {
		test, sub, some := strings.Cut(name, "/")
		pattern := "^" + test + "$"
		if some {
			pattern += "/^" + sub
		}
		patterns = append(patterns, pattern)
	}
	return strings.Join(patterns, "|")
}

// apply returns the code of the declaration's file with the change.
func (m mutant) apply(d declaration) (string, error) {
	text := d.code[d.from:d.to]
	if n := strings.Count(text, m.old); n != 1 {
		return "", fmt.Errorf("%s has the snippet %d times, want 1:\n%s", m.in, n, m.old)
	}
	if m.old == m.new {
		return "", errors.New("the mutant changes nothing")
	}
	code := d.code[:d.from] + strings.Replace(text, m.old, m.new, 1) + d.code[d.to:]
	if m.and != "" {
		code += "\n" + m.and + "\n"
	}
	return fixImports(code, strings.Fields(m.imports))
}

// test runs the tests with the change. An error is one of the mutant or of the
// machine, not a verdict.
func (m mutant) test(ctx context.Context, code *module) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the system's folder for such
	overlay, err := m.overlay(code, dir)
	if err != nil {
		return verdict{}, err
	}
	folders, err := code.withTests(m)
	if err != nil {
		return verdict{}, err
	}
	if len(folders) == 0 {
		return verdict{outcome: noTests}, nil
	}
	// Without vet: it would refuse some changes that compile, and say nothing of
	// the tests. One package at a time, for the tests that measure.
	args := []string{"test", "-json", "-vet=off", "-overlay=" + overlay, "-count=1", "-p=1", "-timeout=120s", "-run=" + m.pattern()}
	where := code.root
	if code.nested(folders[0]) { // which has no other tests than its own
		where, folders = filepath.Join(where, folders[0]), []string{"."}
	}
	for _, folder := range folders {
		args = append(args, "./"+folder)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // what it runs is in the table
	cmd.Dir = where
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return verdict{}, err
	}
	return classify(output), ctx.Err()
}

// overlay writes the changed file, and the one that tells go of it, whose name
// it returns.
func (m mutant) overlay(code *module, dir string) (string, error) {
	found, err := code.find(m.in)
	if err != nil {
		return "", err
	}
	mutated, err := m.apply(found)
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(found.file)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(dir, filepath.Base(original)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(
		os.WriteFile(changed, []byte(mutated), 0o600),
		os.WriteFile(overlay, replace, 0o600),
	)
}
