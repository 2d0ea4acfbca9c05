package delivery

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestChunkQueue(t *testing.T) {
	const items = 5*chunkItems + 7
	for _, atOnce := range []int{1, 3, chunkItems, 2*chunkItems + 1, items} {
		var q chunkQueue
		for first := 1; first <= items; first += atOnce {
			var some []Item
			for i := first; i < min(first+atOnce, items+1); i++ {
				some = append(some, Item{SentAfter: int64(i)})
			}
			q.put(some)
		}
		next := int64(1)
		for !q.empty() {
			assert.Equal(t, next, sentAfter(q.oldest()))
			c := q.take()
			for _, it := range c.items() {
				assert.Equal(t, next, it.SentAfter)
				next++
			}
			c.free()
		}
		assert.EqualValues(t, items+1, next, "%d at once", atOnce)
		assert.Nil(t, q.oldest())
	}
}

func TestChunkQueueOldestIsAnItem(t *testing.T) {
	var q chunkQueue
	for range chunkItems + 3 {
		q.put([]Item{{Call: func() {}}})
	}
	assert.Nil(t, q.oldest())
	q.put([]Item{{SentAfter: 7}, {SentAfter: 8}})
	assert.EqualValues(t, 7, sentAfter(q.oldest()))
}

// Chunks are used again: an item must not stay in memory until its place is
// needed.
func TestChunkQueueForgets(t *testing.T) {
	var q chunkQueue
	q.put([]Item{{Payload: []byte("{}")}})
	c := q.take()
	c.free()
	assert.Zero(t, c.array)
}
