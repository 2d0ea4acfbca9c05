package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mutant is a change of the code that breaks one promise.
type mutant struct {
	promise string // the row or the promise of docs/reliability.md
	removed string // the behaviour that goes
	file    string // relative to the module
	old     string // occurs once in the file
	new     string // what to put in its place
	imports string // packages that new needs and the file lacks, separated by spaces
	tests   string // those that are to notice, separated by spaces; a slash and the beginning of a name picks subtests
	pkg     string // the folder of the tests, if it is not that of the file
}

// folder is where the package of the tests is, as go test wants it.
func (m mutant) folder() string {
	if m.pkg != "" {
		return m.pkg
	}
	return "./" + filepath.ToSlash(filepath.Dir(m.file))
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

// apply changes the code of the mutant's file.
func (m mutant) apply(code string) (string, error) {
	if n := strings.Count(code, m.old); n != 1 {
		return "", fmt.Errorf("%s has the snippet %d times, want 1:\n%s", m.file, n, m.old)
	}
	if m.old == m.new {
		return "", errors.New("the mutant changes nothing")
	}
	code = strings.Replace(code, m.old, m.new, 1)
	for _, path := range strings.Fields(m.imports) {
		code = strings.Replace(code, "\nimport (\n", fmt.Sprintf("\nimport (\n\t%q\n", path), 1)
	}
	return code, nil
}

// test runs the tests with the change. An error is one of the mutant or of the
// machine, not a verdict.
func (m mutant) test(ctx context.Context, root string) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the system's folder for such
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return verdict{}, err
	}
	// Without vet: it would refuse some changes that compile, and say nothing of
	// the tests.
	args := []string{"test", "-json", "-vet=off", "-overlay=" + overlay, "-count=1", "-timeout=120s", "-run=" + m.pattern(), m.folder()}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // what it runs is in the table
	cmd.Dir = root
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return verdict{}, err
	}
	return classify(output), ctx.Err()
}

// overlay writes the changed file, and the one that tells go of it, whose name
// it gives.
func (m mutant) overlay(root, dir string) (string, error) {
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	code, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	mutated, err := m.apply(string(code))
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(
		os.WriteFile(changed, []byte(mutated), 0o600), //nolint:gosec // the table names the file
		os.WriteFile(overlay, replace, 0o600),
	)
}
