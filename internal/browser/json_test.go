//go:build browser && unix

package browser

import (
	"fmt"
	"maps"
	"slices"
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
