package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDrift(t *testing.T) {
	for name, tt := range map[string]struct {
		add, remove func(lists)
		says        string
		err         error
	}{
		"the same lists":  {},
		"an event more":   {add: func(l lists) { l.events["message:pinned"] = true }, says: "a new event: message:pinned\n", err: errDrift},
		"a route more":    {add: func(l lists) { l.routes["POST website/{}/pins"] = true }, says: "a new route: POST website/{}/pins\n", err: errDrift},
		"another method":  {add: func(l lists) { l.routes["PUT website/{}"] = true }, says: "a new route: PUT website/{}\n", err: errDrift},
		"an event less":   {remove: func(l lists) { delete(l.events, "message:send") }, says: "only documented: message:send\n"},
		"a route less":    {remove: func(l lists) { delete(l.routes, "GET website/{}") }, says: "only documented: GET website/{}\n"},
		"events and less": {add: func(l lists) { l.events["a:b"] = true }, remove: func(l lists) { delete(l.events, "message:send") }, says: "a new event: a:b\n", err: errDrift},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := documented()
			for _, change := range []func(lists){tt.add, tt.remove} {
				if change != nil {
					change(theirs)
				}
			}
			var out bytes.Buffer
			err := run(t.Context(), []string{"-package", sdk(t, theirs)}, &out)
			assert.ErrorIs(t, err, tt.err)
			if tt.says == "" {
				assert.NotContains(t, out.String(), "new")
				assert.NotContains(t, out.String(), "only documented")
			}
			assert.Contains(t, out.String(), tt.says)
		})
	}
}

func TestAnSDKThatIsWrittenInAnotherWay(t *testing.T) {
	for name, without := range map[string]string{"events": "crisp.js", "routes": "resources/All.js"} {
		t.Run(name, func(t *testing.T) {
			folder := sdk(t, documented())
			require.NoError(t, os.WriteFile(filepath.Join(folder, "dist", without), []byte("export {}"), 0o600))
			assert.ErrorContains(t, run(t.Context(), []string{"-package", folder}, &bytes.Buffer{}), "written in another way")
		})
	}
}

func TestUnpackTakesOnlyWhatIsRead(t *testing.T) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, name := range []string{"package/package.json", "package/dist/crisp.js", "package/install.sh", "package/dist/../../../out.js"} {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: 2, Typeflag: tar.TypeReg}))
		_, err := archive.Write([]byte("{}"))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())

	above := t.TempDir()
	folder := filepath.Join(above, "in")
	require.NoError(t, unpack(folder, &packed))
	var found []string
	require.NoError(t, filepath.WalkDir(above, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, filepath.ToSlash(strings.TrimPrefix(path, above)))
		}
		return err
	}))
	assert.ElementsMatch(t, []string{"/in/package/package.json", "/in/package/dist/crisp.js"}, found)
}

// sdk writes lists in the form in which crisp-api has them.
func sdk(t *testing.T, l lists) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var events, routes strings.Builder
	for name := range l.events {
		fmt.Fprintf(&events, "    %q,\n", name)
	}
	for route := range l.routes {
		method, path, _ := strings.Cut(route, " ")
		var parts []string
		for i, part := range strings.Split(path, "/") {
			switch {
			case part != "{}":
				parts = append(parts, fmt.Sprintf("%q", part))
			case i%2 == 0:
				parts = append(parts, "String(pageNumber)")
			default:
				parts = append(parts, "websiteID")
			}
		}
		fmt.Fprintf(&routes, "return this.crisp.%s(this.crisp.prepareRestUrl([\n  %s\n]), null);\n", strings.ToLower(method), strings.Join(parts, ", "))
	}
	for name, text := range map[string]string{
		"package.json":          `{"name": "crisp-api", "version": "1.2.3"}`,
		"dist/crisp.js":         "const DEFAULT_RTM_EVENTS = [\n    // Session Events\n" + events.String() + "];\n",
		"dist/resources/All.js": routes.String(),
	} {
		to := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		require.NoError(t, os.WriteFile(to, []byte(text), 0o600))
	}
	return folder
}
