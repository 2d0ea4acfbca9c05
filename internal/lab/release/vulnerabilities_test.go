package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACallOfWhatIsVulnerableIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		calls string
		fails bool
	}{
		"called":     {"strings.Repeat(`a`, 2)", true},
		"not called": {"strings.ToUpper(`a`)", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := repository(t, map[string]string{
				"go.mod":      "module github.com/crisp-go/crisp\n\ngo 1.25.0\n",
				"main.go":     "package main\n\nimport \"strings\"\n\nvar _ = strings.ToLower\n\nfunc main() { println(" + tt.calls + ") }\n",
				"lab/go.mod":  "module github.com/crisp-go/crisp/lab\n\ngo 1.25.0\n",
				"lab/none.go": "package lab\n",
			})
			modules, err := findModules(root)
			require.NoError(t, err)
			var out bytes.Buffer
			err = checkVulnerabilities(t.Context(), &out, root, modules, vulnerableRepeat(t))
			if tt.fails {
				assert.ErrorContains(t, err, "github.com/crisp-go/crisp: ")
				assert.Contains(t, out.String(), "GO-2026-0001")
				assert.Contains(t, out.String(), "strings.Repeat")
				return
			}
			require.NoError(t, err)
			for _, m := range modules {
				assert.Contains(t, out.String(), "-- "+m.path+"\n")
			}
		})
	}
}

func TestADatabaseThatIsOutOfReachIsNoFailure(t *testing.T) {
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // not when it is asked whether it is a database
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(failing.Close)
	root := repository(t, small())
	modules, err := findModules(root)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, checkVulnerabilities(t.Context(), &out, root, modules, failing.URL))
	assert.Contains(t, out.String(), "not checked: the database of vulnerabilities is out of reach\n")
	assert.NotContains(t, out.String(), "No vulnerabilities found")
}

func TestAModuleThatCannotBeScannedIsAFailure(t *testing.T) {
	files := small()
	files["client.go"] = "package crisp\n\nconst Version = nothing\n"
	root := repository(t, files)
	modules, err := findModules(root)
	require.NoError(t, err)
	assert.Error(t, checkVulnerabilities(t.Context(), &bytes.Buffer{}, root, modules, vulnerableRepeat(t)))
}

// vulnerableRepeat is a database that knows strings.Repeat to be vulnerable.
func vulnerableRepeat(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"index/db.json":      `{"modified": "2026-01-01T00:00:00Z"}`,
		"index/modules.json": `[{"path": "stdlib", "vulns": [{"id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z"}]}]`,
		"ID/GO-2026-0001.json": `{
			"schema_version": "1.3.1", "id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
			"summary": "Repeats too often", "details": "Repeats too often.",
			"affected": [{
				"package": {"name": "stdlib", "ecosystem": "Go"},
				"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
				"ecosystem_specific": {"imports": [{"path": "strings", "symbols": ["Repeat"]}]}
			}],
			"database_specific": {"url": "https://pkg.go.dev/vuln/GO-2026-0001", "review_status": "REVIEWED"}
		}`,
	} {
		at := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o750))
		require.NoError(t, os.WriteFile(at, []byte(text), 0o600))
	}
	return fileURL(folder)
}
