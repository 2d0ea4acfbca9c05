package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// withTests returns those folders that have some of a mutant's tests.
func (m *module) withTests(broken mutant) ([]string, error) {
	var some []string
	for _, folder := range broken.folders() {
		code, err := m.testsOf(folder)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(strings.Fields(broken.tests), func(name string) bool { return hasTest(code, name) }) {
			some = append(some, folder)
		}
	}
	return some, nil
}

// nested reports whether a folder is a module of its own.
func (m *module) nested(folder string) bool {
	_, err := os.Stat(filepath.Join(m.root, folder, "go.mod"))
	return err == nil && folder != "."
}

// testsOf is the code of those of a folder's tests that go builds here.
func (m *module) testsOf(folder string) (string, error) {
	if all, ok := m.tests[folder]; ok {
		return all, nil
	}
	files, err := m.goFiles(folder)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		all.Write(code)
	}
	m.tests[folder] = all.String()
	return all.String(), nil
}

// hasTest reports whether there is the test of a name as in mutant.tests.
func hasTest(code, name string) bool {
	test, sub, _ := strings.Cut(name, "/")
	return strings.Contains(code, "func "+test+"(t *testing.T)") && strings.Contains(code, strings.ReplaceAll(sub, "_", " "))
}
