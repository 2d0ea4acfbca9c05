package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestApply(t *testing.T) {
	const (
		before = "package p\n\nfunc other() int { return 1 }\n\n"
		text   = "func f() int { return 1 }"
		after  = "\n\nfunc another() int { return 1 + 1 }\n"
	)
	d := declaration{"p.go", before + text + after, len(before), len(before + text)}
	tests := map[string]struct {
		mutant mutant
		want   string
	}{
		"only the declaration changes": {
			mutant{old: "1", new: "2"},
			before + "func f() int { return 2 }" + after,
		},
		"what the change needs is declared behind all else": {
			mutant{old: "1", new: "one", and: "const one = 2"},
			before + "func f() int { return one }" + after + "\nconst one = 2\n",
		},
		"what the change needs is imported": {
			mutant{old: "1", new: "os.Getpid()", imports: "os"},
			strings.Replace(before, "package p\n", "package p\n\nimport \"os\"\n", 1) + "func f() int { return os.Getpid() }" + after,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mutated, err := tt.mutant.apply(d)
			require.NoError(t, err)
			assert.Equal(t, tt.want, mutated)
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	const code = "package p\n\nfunc f() int { return 1 + 1 }\n"
	d := declaration{"p.go", code, strings.Index(code, "func"), len(code) - 1}
	tests := map[string]struct {
		mutant mutant
		want   string
	}{
		"a snippet that is not there":     {mutant{in: "f", old: "2", new: "3"}, "f has the snippet 0 times, want 1:\n2"},
		"a snippet that is there twice":   {mutant{in: "f", old: "1", new: "3"}, "f has the snippet 2 times, want 1:\n1"},
		"one from beside the declaration": {mutant{in: "f", old: "package", new: "p"}, "f has the snippet 0 times"},
		"no snippet":                      {mutant{in: "f", new: "3"}, "f has the snippet"},
		"no change":                       {mutant{in: "f", old: "1 + 1", new: "1 + 1"}, "changes nothing"},
		"what is no Go":                   {mutant{in: "f", old: "1 + 1", new: "1 +"}, "no Go"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tt.mutant.apply(d)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestFolders(t *testing.T) {
	tests := map[string]struct {
		mutant mutant
		want   []string
	}{
		"the root":           {mutant{in: "RTM.read"}, []string{".", "test"}},
		"another package":    {mutant{in: "internal/socketio Conn.Next"}, []string{".", "internal/socketio", "test"}},
		"tests elsewhere":    {mutant{in: "internal/socketio Conn.Next", pkg: "./crisptest"}, []string{".", "crisptest", "test"}},
		"tests of the whole": {mutant{in: "RTM.read", pkg: "./test"}, []string{".", "test"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, tt.mutant.folders())
		})
	}
}
