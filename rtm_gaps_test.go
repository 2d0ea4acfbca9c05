package crisp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/clock"
)

// What waits for a gap counts for itself once the gap is closed. It may be just then
// that somebody asks, who must find it in the one place or in the other.
func TestThePositionDoesNotPassWhatMovesOnMeanwhile(t *testing.T) {
	k := clock.New()
	p := newProgress(k)
	began := k.Now().Add(-time.Minute)
	gap := p.openGap(k.Stamp(began))
	p.lastLive = k.Stamp(began.Add(30 * time.Second))
	at := p.handledUpTo(func() int64 {
		gap.close() // right after the queue was found empty
		return 0
	})
	assert.Equal(t, began, at.Moment)
	at = p.handledUpTo(func() int64 { return 0 })
	assert.Equal(t, began.Add(30*time.Second), at.Moment)
}
