// Package tangled has two knots, and layers the wrong way round.
package tangled

import _ "example.test/tangled/internal/words"

func ping(n int) {
	if n > 0 {
		pong(n - 1)
	}
}
