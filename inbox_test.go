package crisp

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInbox(t *testing.T) {
	const items = 5*chunkItems + 7
	for _, atOnce := range []int{1, 3, chunkItems, 2*chunkItems + 1, items} {
		var in inbox
		for first := 1; first <= items; first += atOnce {
			var some []item
			for i := first; i < min(first+atOnce, items+1); i++ {
				some = append(some, item{received: int64(i)})
			}
			in.put(some)
		}
		next := int64(1)
		for !in.empty() {
			assert.Equal(t, next, in.oldest())
			c := in.take()
			for _, it := range c.items() {
				assert.Equal(t, next, it.received)
				next++
			}
			c.free()
		}
		assert.EqualValues(t, items+1, next, "%d at once", atOnce)
		assert.Zero(t, in.oldest())
	}
}

func TestInboxOldestIsAnEvent(t *testing.T) {
	var in inbox
	for range chunkItems + 3 {
		in.put([]item{{signal: signalLift}})
	}
	assert.Zero(t, in.oldest())
	in.put([]item{{received: 7}, {received: 8}})
	assert.EqualValues(t, 7, in.oldest())
}

// Chunks are used again: an event must not stay in memory until its place is
// needed.
func TestInboxForgets(t *testing.T) {
	var in inbox
	in.put([]item{{payload: []byte("{}")}})
	c := in.take()
	c.free()
	assert.Zero(t, c.array)
}
