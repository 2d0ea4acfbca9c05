package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

// Backoff returns how long to wait after a number of failures in a row, from 1: first, then one
// and a half times as long after each further failure, up to longest. A random part of that, up
// to half, is taken off, so that programs that failed together don't come back together.
func Backoff(failures int, first, longest time.Duration) time.Duration {
	d := min(float64(first)*math.Pow(1.5, float64(failures-1)), float64(longest))
	return time.Duration(d - d/2*rand.Float64())
}
