package chaos

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// A message is said, is not handled, and its gap is told of, by a clock that is
// wrong, with an outcome of its backfill.
func TestWhatIsMissingMustHaveBeenTold(t *testing.T) {
	for name, tt := range map[string]struct {
		length   time.Duration // of the gap
		outcome  crisp.Backfilled
		violated string // empty = nothing is
	}{
		"in a gap that is not complete": {time.Minute, crisp.Backfilled{Err: errors.New("REST failed")}, ""},
		"in a complete gap":             {time.Minute, crisp.Backfilled{Complete: true}, "backfill was not complete"},
		"left out by the end of a run":  {time.Minute, crisp.Backfilled{Err: crisp.ErrClosed}, "backfill was not complete"},
		"before the gap":                {time.Second, crisp.Backfilled{Err: errors.New("REST failed")}, "lies in no gap that was told of"},
		"a gap that ends too early":     {-time.Second, crisp.Backfilled{Complete: true}, "before it begins"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				l.wall.set(-time.Hour)
				defer l.wall.set(0)
				l.next("s")
				time.Sleep(30 * time.Second) // virtual
				to := time.Now().Add(-time.Hour)
				tt.outcome.Gap = crisp.Gap{From: to.Add(-tt.length), To: to, Reason: crisp.GapDisconnected}
				l.gap(tt.outcome.Gap)
				l.hooks().Backfilled(tt.outcome)
				violations := l.audit(rules{backfill: true, concurrency: 1, slack: time.Second}).Violations
				if tt.violated == "" {
					assert.Empty(t, violations)
					return
				}
				require.NotEmpty(t, violations)
				assert.Contains(t, violations[0]+violations[len(violations)-1], tt.violated)
			})
		})
	}
}

func TestGapsAreDatedByTheClockAsItIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.wall.set(time.Hour)
		defer l.wall.set(0)
		l.gap(crisp.Gap{From: time.Now(), To: time.Now()})
		assert.Empty(t, l.notes, "it was right until now")
		time.Sleep(time.Minute) // virtual
		l.gap(crisp.Gap{From: time.Now(), To: time.Now()})
		assert.Len(t, l.notes, 1)
		l.gap(crisp.Gap{From: time.Now(), To: time.Now().Add(time.Hour)})
		assert.Len(t, l.notes, 1)
	})
}

func TestRESTIsAskedNoMoreThanNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		first, second, third := l.asks("/v1/website/w/conversations/1"), l.asks("/v1/website/w/conversations/2"), l.asks("/v1/plugin/connect/endpoints")
		assert.Empty(t, l.notes)
		l.asks("/v1/website/w/conversations/1")()
		assert.Len(t, l.notes, 1, "three lists at a time")
		first()
		second()
		third()
		for range 3000 {
			l.asks("/v1/plugin/connect/endpoints")()
		}
		violations := l.audit(rules{}).Violations
		require.Len(t, violations, 2)
		assert.Contains(t, violations[1], "3004 REST requests within an hour, 2000 at most")
	})
}

func TestBusiestHour(t *testing.T) {
	began := time.Now()
	var times []time.Time
	for _, minute := range []int{0, 10, 59, 61, 65, 200} {
		times = append(times, began.Add(time.Duration(minute)*time.Minute))
	}
	assert.Equal(t, 4, busiestHour(times))
	assert.Zero(t, busiestHour(nil))
}
