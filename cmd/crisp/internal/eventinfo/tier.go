package eventinfo

import (
	"fmt"
	"slices"
	"strings"
)

// ForTier returns the names of the events that match patterns and that a token of the
// tier may receive. A pattern without any is an error.
func ForTier(patterns []string, tier string) ([]string, error) {
	var names []string
	for _, pattern := range patterns {
		matching, err := expand(pattern)
		if err != nil {
			return nil, err
		}
		isForTier := false
		for _, name := range matching {
			info, found := Find(name)
			if !found {
				return nil, Unknown(name)
			}
			if !slices.Contains(info.Tiers, tier) {
				continue
			}
			isForTier = true
			if !slices.Contains(names, info.Name) {
				names = append(names, info.Name)
			}
		}
		if !isForTier {
			info, _ := Find(matching[0]) // the loop has found it
			return nil, fmt.Errorf("%s is not for tokens of tier %s, but for %s", info.Name, tier, strings.Join(info.Tiers, " and "))
		}
	}
	return names, nil
}
