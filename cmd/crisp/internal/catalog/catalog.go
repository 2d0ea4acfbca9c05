// Package catalog finds events by what people type.
package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
)

// Match returns the names of the events that match any of the globs, such as
// "message:*", and that a token of the tier may receive. A glob that matches none is an
// error, which says what may have been meant.
func Match(globs []string, tier crisp.Tier) ([]string, error) {
	matched := make(map[string]bool)
	for _, glob := range globs {
		infos, err := matching(glob)
		if err != nil {
			return nil, err
		}
		var others []string
		for _, info := range infos {
			if slices.Contains(info.Tiers, tier) {
				matched[info.Name] = true
			} else {
				others = append(others, info.Name)
			}
		}
		if len(others) == len(infos) {
			return nil, fmt.Errorf("%s is not for tokens of tier %s, but for %s", others[0], tier, words(infos[0].Tiers))
		}
	}
	var names []string
	for _, info := range crisp.Events() {
		if matched[info.Name] {
			names = append(names, info.Name)
		}
	}
	return names, nil
}

func matching(glob string) (infos []crisp.EventInfo, err error) {
	for _, info := range crisp.Events() {
		isMatch, err := path.Match(glob, info.Name)
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern: *, ? and [a-z] stand for characters", glob)
		}
		if isMatch {
			infos = append(infos, info)
		}
	}
	if len(infos) == 0 {
		return nil, Unknown(glob)
	}
	return infos, nil
}

// Unknown returns the error that says that no event has a name, and which one may have
// been meant.
func Unknown(name string) error {
	if nearest := Nearest(name); nearest != "" {
		return fmt.Errorf("no event is called %q; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("no event is called %q: crisp events list shows them all", name)
}

// Names returns the names of all events.
func Names() []string {
	var names []string
	for _, info := range crisp.Events() {
		names = append(names, info.Name)
	}
	return names
}

// Nearest returns the name that was probably meant, which may have been typed as that
// of the Go type; empty if none is likely.
func Nearest(name string) string {
	const longest = 100
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	nearest, least := "", max(2, len(name)/4)+1
	for _, info := range crisp.Events() {
		for _, spelling := range []string{info.Name, strings.ToLower(info.GoType)} {
			if d := distance(name, spelling); d < least {
				nearest, least = info.Name, d
			}
		}
	}
	return nearest
}

// distance is how many bytes have to be inserted, removed or replaced to make one text
// the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

func words(tiers []crisp.Tier) string {
	var names []string
	for _, tier := range tiers {
		names = append(names, string(tier))
	}
	return strings.Join(names, " and ")
}
