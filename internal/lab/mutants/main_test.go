package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the module's folder, seen from that of this package.
const root = "../../.."

// The table must not rot: a change of the code shows here, in no time, not when
// somebody runs the mutants.
func TestMutantsApply(t *testing.T) {
	code, seen := newModule(root), make(map[string]bool)
	for _, m := range mutants {
		t.Run(m.removed, func(t *testing.T) {
			found, err := code.find(m.in)
			require.NoError(t, err)
			mutated, err := m.apply(found)
			require.NoError(t, err)
			for _, path := range strings.Fields(m.imports) {
				assert.Contains(t, mutated, `"`+path+`"`)
				assert.NotContains(t, mutated, `_ "`+path+`"`, "what is imported is used")
			}
			assert.NotEmpty(t, m.promise)
			assert.False(t, seen[m.removed], "each has a name of its own")
			seen[m.removed] = true
		})
	}
}

func TestMutantsNameTestsThatExist(t *testing.T) {
	code := newModule(root)
	for _, m := range mutants {
		require.NotEmpty(t, m.tests, m.removed)
		for _, name := range strings.Fields(m.tests) {
			m.tests = name
			folders, err := code.withTests(m)
			require.NoError(t, err)
			assert.NotEmpty(t, folders, "%s: %s", m.removed, name)
		}
	}
}

// Each row of the table of faults has a mutant of its name, and so has each of
// the promises.
func TestEveryRowHasAMutant(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs/reliability.md"))
	require.NoError(t, err)
	promises := make(map[string]bool)
	for _, m := range mutants {
		promises[strings.ToLower(m.promise)] = true
	}
	rows := namesIn(string(doc), "## Faults", `(?m)^\| ([^|]+) \|`)
	require.Greater(t, len(rows), 20)
	for _, row := range rows {
		assert.True(t, row == "fault" || promises[row], "no mutant for the row %q", row)
	}
	bullets := namesIn(string(doc), "## Promises", `(?m)^\* \*\*([^*]+)\.\*\*`)
	require.NotEmpty(t, bullets)
	for _, bullet := range bullets {
		assert.True(t, promises[bullet], "no mutant for the promise %q", bullet)
	}
}

// namesIn lists what a pattern finds in a section of a document, in lower case.
func namesIn(doc, heading, pattern string) []string {
	_, section, _ := strings.Cut(doc, heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var names []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(section, -1) {
		names = append(names, strings.ToLower(match[1]))
	}
	return names
}

func TestClassify(t *testing.T) {
	const (
		start = `{"Action":"start","Package":"p"}` + "\n"
		run   = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n"
	)
	tests := map[string]struct {
		output string
		want   outcome
		cell   string
	}{
		"all tests pass": {
			start + run + `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n",
			survived, "SURVIVED",
		},
		"two tests fail, one by a subtest": {
			start + run +
				`{"Action":"run","Package":"p","Test":"TestB"}` + "\n" +
				`{"Action":"run","Package":"p","Test":"TestB/sub"}` + "\n" +
				`{"Action":"fail","Package":"p","Test":"TestB/sub"}` + "\n" +
				`{"Action":"fail","Package":"p","Test":"TestB"}` + "\n" +
				`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" +
				`{"Action":"fail","Package":"p"}` + "\n",
			killed, "`TestA`, `TestB`",
		},
		"tests of one name fail in two packages": {
			start + run +
				`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" +
				`{"Action":"fail","Package":"p"}` + "\n" +
				`{"Action":"run","Package":"q","Test":"TestA"}` + "\n" +
				`{"Action":"fail","Package":"q","Test":"TestA"}` + "\n" +
				`{"Action":"fail","Package":"q"}` + "\n",
			killed, "`TestA`",
		},
		"the process ends in a test": {
			start + run +
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}` + "\n" +
				`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" +
				`{"Action":"fail","Package":"p"}` + "\n",
			killed, "`TestA`",
		},
		"the process ends in a test, of which go test says no more": {
			start + run + `{"Action":"run","Package":"p","Test":"TestA/sub"}` + "\n" +
				`{"Action":"output","Package":"p","Test":"TestA/sub","Output":"panic: boom\n"}` + "\n" +
				`{"Action":"fail","Package":"p"}` + "\n",
			killed, "`TestA`",
		},
		"a goroutine is left behind": {
			start + run + `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			killed, "`TestMain`",
		},
		"the change is no Go": {
			`{"ImportPath":"p","Action":"build-output","Output":"a.go:1:1: undefined: x\n"}` + "\n" +
				`{"ImportPath":"p","Action":"build-fail"}` + "\n" +
				start + `{"Action":"fail","Package":"p","FailedBuild":"p"}` + "\n",
			uncompiled, "DOES NOT COMPILE",
		},
		"no test of that name": {
			start + `{"Action":"output","Package":"p","Output":"ok p 0.1s [no tests to run]\n"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n",
			noTests, "NO SUCH TEST",
		},
		"go test itself fails": {"go: no such package\n", noTests, "NO SUCH TEST"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := classify([]byte(tt.output))
			assert.Equal(t, tt.want, v.outcome)
			assert.Equal(t, tt.cell, v.String())
		})
	}
}

func TestPatterns(t *testing.T) {
	m := mutant{tests: "TestA TestB/a_case"}
	assert.Equal(t, "^TestA$|^TestB$/^a_case", m.pattern())
}
