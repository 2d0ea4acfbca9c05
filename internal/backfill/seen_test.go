package backfill_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
)

func TestAMessageRepeatsOneThatCameTheOtherWay(t *testing.T) {
	for _, tt := range []struct{ before, now, repeats bool }{
		{before: false, now: false, repeats: false}, // Crisp has sent it twice: that is not the backfill's business
		{before: false, now: true, repeats: true},
		{before: true, now: false, repeats: true},
		{before: true, now: true, repeats: true},
	} {
		t.Run(fmt.Sprintf("recovered %t, then %t", tt.before, tt.now), func(t *testing.T) {
			seen := backfill.NewSeen(clock.New())
			assert.False(t, seen.Repeats(7, tt.now))
			seen.Add(7, tt.before)
			assert.Equal(t, tt.repeats, seen.Repeats(7, tt.now))
			assert.False(t, seen.Repeats(8, tt.now))
		})
	}
}

func TestTheFirstWayOfAMessageCounts(t *testing.T) {
	seen := backfill.NewSeen(clock.New())
	seen.Add(7, false)
	seen.Add(7, true)
	assert.False(t, seen.Repeats(7, false))
	assert.EqualValues(t, 1, seen.Added())
}

func TestWhatWasRestoredRepeatsEitherWay(t *testing.T) {
	seen := backfill.NewSeen(clock.New())
	seen.Restore([]uint64{7, 8})
	for _, recovered := range []bool{false, true} {
		assert.True(t, seen.Repeats(7, recovered))
		assert.True(t, seen.Repeats(8, recovered))
		assert.False(t, seen.Repeats(9, recovered))
	}
	assert.EqualValues(t, 2, seen.Added())
}

func TestSinceListsTheOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		seen := backfill.NewSeen(c)
		var times []clock.Moment
		for key := range uint64(5) {
			times = append(times, c.Now())
			seen.Add(key, key%2 == 0)
			time.Sleep(time.Second) // virtual
		}
		seen.Add(0, false) // again: it was handled when it was first
		assert.Equal(t, []uint64{0, 1, 2, 3, 4}, seen.Since(0))
		assert.Equal(t, []uint64{2, 3, 4}, seen.Since(times[2]), "that time included")
		assert.Equal(t, []uint64{3, 4}, seen.Since(times[2].Add(1)))
		assert.Empty(t, seen.Since(c.Now()))
	})
}

func TestWhatSinceListsIsRestoredInItsOrder(t *testing.T) {
	before, after := backfill.NewSeen(clock.New()), backfill.NewSeen(clock.New())
	for _, key := range []uint64{3, 1, 2} {
		before.Add(key, false)
	}
	after.Restore(before.Since(0))
	assert.Equal(t, []uint64{3, 1, 2}, after.Since(0))
}

func TestTheOldestAreForgotten(t *testing.T) {
	const remembered = 1 << 15
	seen := backfill.NewSeen(clock.New())
	for key := range uint64(remembered + 2) {
		seen.Add(key, true)
	}
	assert.False(t, seen.Repeats(0, true))
	assert.False(t, seen.Repeats(1, true))
	assert.True(t, seen.Repeats(2, true))
	assert.True(t, seen.Repeats(remembered+1, true))
	assert.Len(t, seen.Since(0), remembered)
	assert.EqualValues(t, remembered+2, seen.Added(), "counts those that were forgotten, too")
}
