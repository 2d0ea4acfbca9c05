//go:build browser && unix

package browser

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// names returns the names of an object's members, in order.
func names(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// leaves returns the strings in JSON by where they are.
func leaves(path string, value any) map[string]string {
	found := map[string]string{}
	switch v := value.(type) {
	case string:
		found[path] = v
	case []any:
		for i := range v {
			maps.Copy(found, leaves(fmt.Sprintf("%s/%d", path, i), v[i]))
		}
	case map[string]any:
		for _, name := range names(v) {
			maps.Copy(found, leaves(path+"/"+name, v[name]))
		}
	}
	return found
}

// resolve returns the path that a link leads to.
func resolve(t *testing.T, from, link string) string {
	t.Helper()
	base, err := url.Parse(from)
	require.NoError(t, err)
	to, err := base.Parse(link)
	require.NoError(t, err)
	return to.Path
}
