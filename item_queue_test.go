package crisp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestItemQueue(t *testing.T) {
	const items = 5*chunkItems + 7
	for _, atOnce := range []int{1, 3, chunkItems, 2*chunkItems + 1, items} {
		var q itemQueue
		for first := 1; first <= items; first += atOnce {
			var some []item
			for i := first; i < min(first+atOnce, items+1); i++ {
				some = append(some, item{received: int64(i)})
			}
			q.put(some)
		}
		next := int64(1)
		for !q.empty() {
			assert.Equal(t, next, q.oldest())
			c := q.take()
			for _, it := range c.items() {
				assert.Equal(t, next, it.received)
				next++
			}
			c.free()
		}
		assert.EqualValues(t, items+1, next, "%d at once", atOnce)
		assert.Zero(t, q.oldest())
	}
}

func TestItemQueueOldestIsAnEvent(t *testing.T) {
	var q itemQueue
	for range chunkItems + 3 {
		q.put([]item{{signal: signalLift}})
	}
	assert.Zero(t, q.oldest())
	q.put([]item{{received: 7}, {received: 8}})
	assert.EqualValues(t, 7, q.oldest())
}

// Chunks are used again: an event must not stay in memory until its place is
// needed.
func TestItemQueueForgets(t *testing.T) {
	var q itemQueue
	q.put([]item{{payload: []byte("{}")}})
	c := q.take()
	c.free()
	assert.Zero(t, c.array)
}

// The stored position must not pass by an event that the reader has taken in
// and the sequencer has not seen yet. The reader does not stop there: only a look from
// inside finds it so.
func TestDeliveryKnowsWhatItHasNotHandedOver(t *testing.T) {
	handle := func(context.Context, *item) {}
	d := newDelivery(t.Context(), 2, defaultQueueBytes, handle, func(error) {})
	assert.Zero(t, d.oldest())
	d.enqueue(item{received: 7})
	d.enqueue(item{received: 8})
	assert.Equal(t, time.Unix(0, 7), d.oldest())
	d.flush()
	d.finish()
	<-d.done()
	assert.Zero(t, d.oldest())
}
