package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

// Backoff returns how long to wait after so many failures in a row: first grown
// by half from failure to failure, up to longest. Up to half of that is taken off,
// at random, so that programs that failed together don't come back together.
func Backoff(failures int, first, longest time.Duration) time.Duration {
	d := min(float64(first)*math.Pow(1.5, float64(failures-1)), float64(longest))
	return time.Duration(d - d/2*rand.Float64())
}
