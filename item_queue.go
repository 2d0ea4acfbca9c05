package crisp

import (
	"slices"
	"sync"
)

// itemQueue is a queue of items, in chunks that are used again: it grows without
// copying, and leaves no garbage. The zero value is empty.
type itemQueue struct {
	head, tail *chunk
}

// chunkItems is how many items a chunk holds.
const chunkItems = 64

type chunk struct {
	array [chunkItems]item
	n     int // of the array, in use
	next  *chunk
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

func (c *chunk) items() []item { return c.array[:c.n] }

// free gives a chunk back for use by any queue. Nil is fine.
func (c *chunk) free() {
	if c == nil {
		return
	}
	clear(c.items())
	c.n, c.next = 0, nil
	chunks.Put(c)
}

func (q *itemQueue) empty() bool { return q.head == nil }

func (q *itemQueue) put(items []item) {
	for len(items) > 0 {
		if q.tail == nil || q.tail.n == chunkItems {
			q.grow()
		}
		n := copy(q.tail.array[q.tail.n:], items)
		q.tail.n += n
		items = items[n:]
	}
}

func (q *itemQueue) grow() {
	c := chunks.Get().(*chunk)
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// take gives out the oldest chunk of a queue that is not empty.
func (q *itemQueue) take() *chunk {
	c := q.head
	q.head = c.next
	if q.head == nil {
		q.tail = nil
	}
	return c
}

// oldest is when the oldest event was received, UNIX ns; 0 if there is none.
func (q *itemQueue) oldest() int64 {
	for c := q.head; c != nil; c = c.next {
		if at := oldestOf(c.items()); at != 0 {
			return at
		}
	}
	return 0
}

// oldestOf gives when the first event of a list was received, UNIX ns; 0 if
// there is none.
func oldestOf(items []item) int64 {
	i := slices.IndexFunc(items, func(it item) bool { return it.signal == noSignal })
	if i < 0 {
		return 0
	}
	return items[i].received
}
