package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/crisptest"
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

// clockSteps set the wall clock at different moments.
var clockSteps = []fault{
	// During a connection, if there is one.
	func(r *round, _ context.Context, rng *rand.Rand) { r.wall.set(pick(rng, aheads...)) },
	// During a gap.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.network.setDown(true)
		r.network.each((*link).close)
		_ = sleep(ctx, r.upTo(rng, 20))
		r.wall.set(pick(rng, aheads...))
		_ = sleep(ctx, r.upTo(rng, 20))
		r.network.setDown(false)
	},
	// During a backfill, if there is one.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.server.SlowREST(r.upTo(rng, 3))
		r.server.DropConnections(crisptest.DropCut)
		for range 30 {
			if r.ledger.filling() || sleep(ctx, r.unit) != nil {
				break
			}
		}
		_ = sleep(ctx, r.upTo(rng, 3))
		r.wall.set(pick(rng, aheads...))
		_ = sleep(ctx, r.upTo(rng, 10))
		r.server.SlowREST(0)
	},
	// While the program does not run.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		if !r.restarts {
			return
		}
		r.stopAnd(ctx, rng.IntN(2) == 0, func() {
			_ = sleep(ctx, r.upTo(rng, 30))
			r.wall.set(pick(rng, aheads...))
			_ = sleep(ctx, r.upTo(rng, 30))
		})
	},
}
