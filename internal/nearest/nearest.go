// Package nearest finds what was probably meant by a name that is none.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// most is how many names To returns.
const most = 3

// longest is how long a name may be to be compared: more than any is.
const longest = 200

// To returns the names that may have been meant by one that is none of them, the
// most similar first.
func To(name string, names []string) []string {
	if len(name) > longest {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var candidates []candidate
	wanted := strings.ToLower(name)
	for _, known := range names {
		d := Distance(wanted, strings.ToLower(known))
		if strings.Contains(known, wanted) && len(wanted) > 2 {
			d = min(d, 2)
		}
		if d <= max(2, len(name)/4) {
			candidates = append(candidates, candidate{known, d})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var nearest []string
	for _, c := range candidates[:min(len(candidates), most)] {
		nearest = append(nearest, c.name)
	}
	return nearest
}

// Distance is how many bytes have to be inserted, removed or replaced to make one
// string the other.
func Distance(a, b string) int {
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
