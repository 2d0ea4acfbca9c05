package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatBreaksProgramsIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		last, now  string
		file, text string
		says       string
		fails      bool
	}{
		"nothing": {"1.0.0", "1.0.1", "README.md", "Read me.\n", "compared with v1.0.0: 0 changes break programs\n", false},
		"something new": {
			"1.0.0", "1.1.0", "new.go", "package crisp\n\nfunc New() {}\n",
			"compared with v1.0.0: 0 changes break programs\n", false,
		},
		"something that is removed": {
			"1.0.0", "1.1.0", "answer.go", "package crisp\n",
			"github.com/crisp-go/crisp: Answer: removed\ncompared with v1.0.0: 1 changes break programs\n", true,
		},
		"something of another type": {
			"1.2.0", "1.2.1", "answer.go", "package crisp\n\nfunc Answer(text []byte) {}\n",
			"github.com/crisp-go/crisp: Answer: changed from func(string) to func([]byte)\ncompared with v1.2.0: 1 changes break programs\n", true,
		},
		"something in a nested module": {
			"1.0.0", "1.1.0", "store/open.go", "package store\n",
			"github.com/crisp-go/crisp/store: Open: removed\ncompared with v1.0.0: 1 changes break programs\n", true,
		},
		"a package": {
			"1.0.0", "1.1.0", "sub/sub.go", "package main\n\nfunc main() {}\n",
			"github.com/crisp-go/crisp/sub: removed\ncompared with v1.0.0: 1 changes break programs\n", true,
		},
		"something internal": {
			"1.0.0", "1.1.0", "internal/secret/secret.go", "package secret\n",
			"compared with v1.0.0: 0 changes break programs\n", false,
		},
		"before 1.0.0": {
			"0.1.0", "0.2.0", "answer.go", "package crisp\n",
			"github.com/crisp-go/crisp: Answer: removed\ncompared with v0.1.0: 1 changes break programs\n", false,
		},
		"between 0 and 1": {
			"0.9.0", "1.0.0", "answer.go", "package crisp\n",
			"github.com/crisp-go/crisp: Answer: removed\ncompared with v0.9.0: 1 changes break programs\n", false,
		},
		"a candidate of 1.0.0": {
			"1.0.0-rc.1", "1.0.0", "answer.go", "package crisp\n",
			"github.com/crisp-go/crisp: Answer: removed\ncompared with v1.0.0-rc.1: 1 changes break programs\n", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := small()
			files["answer.go"] = "package crisp\n\nfunc Answer(text string) {}\n"
			files["store/store.go"] = "package store\n\nconst Of = \"store\"\n"
			files["store/open.go"] = "package store\n\nfunc Open() {}\n"
			files["sub/sub.go"] = "package sub\n"
			files["internal/secret/secret.go"] = "package secret\n\nfunc Tell() {}\n"
			root := releasedRepository(t, files, tt.last)
			write(t, root, "client.go", versioned(tt.now))
			write(t, root, tt.file, tt.text)
			modules, err := findModules(root)
			require.NoError(t, err)
			var out bytes.Buffer
			err = compareAPI(t.Context(), &out, root, modules)
			if tt.fails {
				assert.EqualError(t, err, "breaks programs that use v"+tt.last)
			} else {
				assert.NoError(t, err)
			}
			assert.Equal(t, tt.says, out.String())
		})
	}
}

func TestTheLastReleaseIsThatBeforeTheVersionOfTheCode(t *testing.T) {
	root := releasedRepository(t, small(), "0.2.0")
	for _, tag := range []string{"v0.9.0", "v0.10.0", "v1.0.0", "vague", "store/v0.11.0"} {
		_, err := git(t.Context(), root, "tag", tag)
		require.NoError(t, err)
	}
	for version, last := range map[string]string{
		"0.1.0": "", "0.2.0": "v0.2.0", "0.9.3": "v0.9.0", "0.11.0": "v0.10.0", "1.0.0": "v1.0.0", "1.3.0": "v1.0.0",
	} {
		write(t, root, "client.go", versioned(version))
		found, err := lastRelease(t.Context(), root)
		require.NoError(t, err)
		assert.Equal(t, last, found, version)
	}
}

func TestNothingIsComparedBeforeTheFirstRelease(t *testing.T) {
	root := repository(t, small())
	modules, err := findModules(root)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, compareAPI(t.Context(), &out, root, modules))
	assert.Equal(t, "not compared: there is no release yet\n", out.String())
}

// releasedRepository is a repository of files with the tags of a release.
func releasedRepository(t *testing.T, files map[string]string, version string) string {
	t.Helper()
	files["client.go"] = versioned(version)
	files["CHANGELOG.md"] = "# Changelog\n\n## [" + version + "] - 2026-01-01\n"
	root := repository(t, files)
	modules, err := findModules(root)
	require.NoError(t, err)
	require.NoError(t, tag(t.Context(), root, modules, "v"+version))
	return root
}

// versioned is the file of the library that says its version.
func versioned(version string) string {
	return "package crisp\n\nconst Version = \"" + version + "\"\n"
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(text), 0o600))
}
