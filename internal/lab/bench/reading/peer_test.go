package reading

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLogIsDoneWhenAllEventsHaveCome(t *testing.T) {
	for name, c := range map[string]struct {
		fingerprints []int64
		disordered   int
	}{
		"in order":     {fingerprints: []int64{7, 8, 9}},
		"repeated":     {fingerprints: []int64{7, 8, 9, 7, 8, 9}},
		"out of order": {fingerprints: []int64{7, 9, 8}, disordered: 2},
		"one missing":  {fingerprints: []int64{7, 9}, disordered: 1},
	} {
		t.Run(name, func(t *testing.T) {
			log := NewLog(len(c.fingerprints))
			log.Last() // need not come last
			for _, fingerprint := range c.fingerprints {
				assert.False(t, done(log))
				log.Message(fingerprint)
			}
			assert.True(t, done(log))
			assert.Equal(t, c.disordered, log.disordered)
		})
	}
}

func TestLogWaitsForTheLastEvent(t *testing.T) {
	log := NewLog(1)
	log.Message(7)
	assert.False(t, done(log))
	log.Last()
	assert.True(t, done(log))
}

func done(l *Log) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

func TestMeasureCounts(t *testing.T) {
	var kept []byte
	u, err := Measure(func() error {
		kept = make([]byte, 1<<20)
		return nil
	})
	assert.NoError(t, err)
	assert.Len(t, kept, 1<<20)
	assert.GreaterOrEqual(t, u.Bytes, uint64(1<<20))
	assert.Positive(t, u.Allocs)
	assert.Positive(t, u.Wall)

	_, err = Measure(func() error { return assert.AnError })
	assert.ErrorIs(t, err, assert.AnError)
}
