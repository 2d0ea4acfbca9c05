package output

import "fmt"

// Count says how many there are of something. Its plural is formed with an s.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
