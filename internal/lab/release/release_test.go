package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repository makes a repository of files, all of them committed.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		at := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o750))
		require.NoError(t, os.WriteFile(at, []byte(text), 0o600))
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch", "main"},
		{"config", "user.name", "Test"},
		{"config", "user.email", "test@example.com"},
		{"add", "--all"},
		{"commit", "--quiet", "--message", "All of it"},
	} {
		_, err := git(t.Context(), root, args...)
		require.NoError(t, err)
	}
	return root
}

// small is a repository with a library, a store and a command that needs both.
func small() map[string]string {
	return map[string]string{
		"go.mod":         "module github.com/crisp-go/crisp\n\ngo 1.25.0\n",
		"client.go":      "package crisp\n\nconst Version = \"0.2.0\"\n",
		"LICENSE":        "Do as you like.\n",
		"CHANGELOG.md":   "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-01-01\n",
		"store/go.mod":   "module github.com/crisp-go/crisp/store\n\ngo 1.25.0\n\nrequire github.com/crisp-go/crisp v0.0.0\n\nreplace github.com/crisp-go/crisp => ..\n",
		"store/store.go": "package store\n\nimport \"github.com/crisp-go/crisp\"\n\nconst Of = crisp.Version\n",
		"cmd/tool/go.mod": "module github.com/crisp-go/crisp/cmd/tool\n\ngo 1.25.0\n\nrequire (\n\tgithub.com/crisp-go/crisp v0.0.0\n\tgithub.com/crisp-go/crisp/store v0.0.0\n)\n\n" +
			"replace github.com/crisp-go/crisp => ../..\n\nreplace github.com/crisp-go/crisp/store => ../../store\n",
		"cmd/tool/main.go":       "package main\n\nimport (\n\t\"fmt\"\n\n\t\"github.com/crisp-go/crisp\"\n\t\"github.com/crisp-go/crisp/store\"\n)\n\nfunc main() { fmt.Println(\"tool\", crisp.Version, store.Of) }\n",
		"examples/hello/main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"github.com/crisp-go/crisp\"\n)\n\nfunc main() { fmt.Println(crisp.Version) }\n",
		"internal/lab/go.mod":    "module github.com/crisp-go/crisp/internal/lab\n\ngo 1.25.0\n",
		"store/test/go.mod":      "module github.com/crisp-go/crisp/store/test\n\ngo 1.25.0\n",
		"store/test/test.go":     "package test\n",
		"internal/lab/lab.go":    "package lab\n",
	}
}

func TestModulesComeBehindThoseTheyRequire(t *testing.T) {
	modules, err := findModules(repository(t, small()))
	require.NoError(t, err)
	var paths []string
	for _, m := range modules.published() {
		paths = append(paths, m.path)
	}
	assert.Equal(t, []string{
		"github.com/crisp-go/crisp", "github.com/crisp-go/crisp/store", "github.com/crisp-go/crisp/cmd/tool",
	}, paths, "without those that are internal, or test others")
}

func TestARehearsalUsesAll(t *testing.T) {
	root := repository(t, small())
	modules, err := findModules(root)
	require.NoError(t, err)
	require.NoError(t, rehearse(t.Context(), root, modules, ""))
}

func TestARehearsalFindsWhatUsersWouldMeet(t *testing.T) {
	for name, change := range map[string]struct{ file, text, says string }{
		"an example that can't be copied": {
			"examples/hello/main.go",
			"package main\n\nimport _ \"github.com/crisp-go/crisp/internal/secret\"\n\nfunc main() {}\n",
			"examples/hello, copied",
		},
		"a command that does not build": {"cmd/tool/main.go", "package main\n\nfunc main() { nothing() }\n", "as a user of github.com/crisp-go/crisp/cmd/tool"},
		"somebody else's module that is replaced": {
			"store/go.mod",
			"module github.com/crisp-go/crisp/store\n\ngo 1.25.0\n\nrequire example.com/other v1.0.0\n\nreplace example.com/other => ../other\n",
			"replaces example.com/other",
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := small()
			files[change.file] = change.text
			files["internal/secret/secret.go"] = "package secret\n"
			root := repository(t, files)
			modules, err := findModules(root)
			require.NoError(t, err)
			assert.ErrorContains(t, rehearse(t.Context(), root, modules, ""), change.says)
		})
	}
}

func TestATagHasModulesWithoutReplacements(t *testing.T) {
	root := repository(t, small())
	modules, err := findModules(root)
	require.NoError(t, err)
	before, err := git(t.Context(), root, "rev-parse", "HEAD")
	require.NoError(t, err)
	require.NoError(t, tag(t.Context(), root, modules, "v0.2.0"))

	after, err := git(t.Context(), root, "rev-parse", "HEAD")
	require.NoError(t, err)
	assert.Equal(t, before, after, "the branch stays where it is")
	for _, name := range []string{"v0.2.0", "store/v0.2.0", "cmd/tool/v0.2.0"} {
		mod, err := git(t.Context(), root, "show", name+":cmd/tool/go.mod")
		require.NoError(t, err, name)
		assert.NotContains(t, mod, "replace")
		assert.Contains(t, mod, "github.com/crisp-go/crisp/store v0.2.0")
	}
	sum, err := git(t.Context(), root, "show", "cmd/tool/v0.2.0:cmd/tool/go.sum")
	require.NoError(t, err)
	assert.Contains(t, sum, "github.com/crisp-go/crisp/store v0.2.0 h1:")
	assert.ErrorContains(t, tag(t.Context(), root, modules, "v0.2.0"), "is there already")
}

func TestWhatKeepsAVersionFromBeingReleased(t *testing.T) {
	for name, tt := range map[string]struct {
		version, file, text, says string
	}{
		"no version":       {"0.2.0", "", "", "is not a version"},
		"half a version":   {"v0.2", "", "", "is not a version"},
		"another path":     {"v2.0.0", "", "", "/v2"},
		"another constant": {"v0.3.0", "", "", "another Version"},
		"nothing to tell":  {"v0.2.0", "CHANGELOG.md", "# Changelog\n", "CHANGELOG.md"},
	} {
		t.Run(name, func(t *testing.T) {
			files := small()
			if tt.file != "" {
				files[tt.file] = tt.text
			}
			root := repository(t, files)
			modules, err := findModules(root)
			require.NoError(t, err)
			assert.ErrorContains(t, tag(t.Context(), root, modules, tt.version), tt.says)
		})
	}
	t.Run("changes", func(t *testing.T) {
		root := repository(t, small())
		require.NoError(t, os.WriteFile(filepath.Join(root, "new.go"), []byte("package crisp\n"), 0o600))
		modules, err := findModules(root)
		require.NoError(t, err)
		assert.ErrorContains(t, tag(t.Context(), root, modules, "v0.2.0"), "not committed")
	})
}

func TestTheGuideListsTheModules(t *testing.T) {
	const root = "../../.."
	modules, err := findModules(root)
	require.NoError(t, err)
	guide, err := os.ReadFile(filepath.Join(root, "docs", "versions.md"))
	require.NoError(t, err)
	var listed, published []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(github\\.com/crisp-go/[^`]+)` \\|").FindAllSubmatch(guide, -1) {
		listed = append(listed, string(row[1]))
	}
	for _, m := range modules.published() {
		published = append(published, m.path)
	}
	assert.ElementsMatch(t, published, listed)
}
