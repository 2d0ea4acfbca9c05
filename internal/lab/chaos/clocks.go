package chaos

import (
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
)

// wallClock is this machine's: how far ahead of the true time it is set, and was.
type wallClock struct {
	mu      sync.Mutex // guards what follows
	ahead   time.Duration
	history []setting
}

// setting is where the clock stood, up to when.
type setting struct {
	ahead time.Duration
	until time.Time
}

// set sets the clock.
func (w *wallClock) set(ahead time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, setting{w.ahead, time.Now()})
	clock.Step(ahead - w.ahead)
	w.ahead = ahead
}

// showed reports whether the clock showed a date at about a time, give or take a
// tolerance.
func (w *wallClock) showed(date, at time.Time, tolerance time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(append(slices.Clone(w.history), setting{w.ahead, at}), func(s setting) bool {
		return s.until.After(at.Add(-tolerance)) && date.Sub(at.Add(s.ahead)).Abs() <= tolerance
	})
}

// aheads are where somebody may set a clock, or find it.
var aheads = []time.Duration{
	0, -48 * time.Hour, -time.Hour, -5 * time.Minute, -time.Minute, time.Minute, 10 * time.Minute, 3 * time.Hour, 48 * time.Hour,
}
