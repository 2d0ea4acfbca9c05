package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithTests(t *testing.T) {
	code := moduleOf(t, map[string]string{
		"p.go":               "package p\n\nfunc f() {}\n\nfunc TestInTheCode(t *testing.T) {}\n",
		"p_test.go":          "package p\n\nfunc TestRoot(t *testing.T) {}\n",
		"tagged_test.go":     "//go:build ignore\n\npackage p\n\nfunc TestTagged(t *testing.T) {}\n",
		"inner/q.go":         "package q\n\nfunc f() {}\n",
		"inner/q_test.go":    "package q\n\nfunc TestInner(t *testing.T) {}\n\nfunc TestBoth(t *testing.T) {}\n",
		"other/r_test.go":    "package r\n\nfunc TestOther(t *testing.T) {}\n",
		"test/whole_test.go": "package test\n\nfunc TestWhole(t *testing.T) { t.Run(\"a case\", nil) }\n\nfunc TestBoth(t *testing.T) {}\n",
	})
	tests := map[string]struct {
		mutant mutant
		want   []string
	}{
		"beside the declaration":    {mutant{in: "inner f", tests: "TestInner"}, []string{"inner"}},
		"in the root":               {mutant{in: "inner f", tests: "TestRoot"}, []string{"."}},
		"of the whole library":      {mutant{in: "f", tests: "TestWhole"}, []string{"test"}},
		"here and there":            {mutant{in: "inner f", tests: "TestRoot TestInner TestWhole"}, []string{".", "inner", "test"}},
		"the same name twice":       {mutant{in: "inner f", tests: "TestBoth"}, []string{"inner", "test"}},
		"a subtest":                 {mutant{in: "f", tests: "TestWhole/a_case"}, []string{"test"}},
		"elsewhere":                 {mutant{in: "inner f", tests: "TestOther", pkg: "other"}, []string{"other"}},
		"in a package beside":       {mutant{in: "f", tests: "TestInner"}, nil},
		"a subtest that is not":     {mutant{in: "f", tests: "TestWhole/another_case"}, nil},
		"a part of a name":          {mutant{in: "f", tests: "TestRoo"}, nil},
		"with a tag":                {mutant{in: "f", tests: "TestTagged"}, nil},
		"in a file that is no test": {mutant{in: "f", tests: "TestInTheCode"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			folders, err := code.withTests(tt.mutant)
			require.NoError(t, err)
			assert.Equal(t, tt.want, folders)
		})
	}
}

func TestNoFolderOfTests(t *testing.T) {
	code := moduleOf(t, map[string]string{
		"p.go":      "package p\n\nfunc f() {}\n",
		"p_test.go": "package p\n\nfunc TestRoot(t *testing.T) {}\n",
	})
	folders, err := code.withTests(mutant{in: "f", tests: "TestRoot"})
	require.NoError(t, err)
	assert.Equal(t, []string{"."}, folders)
}
