package delivery

import "sync"

// chunkQueue is a queue of items, in chunks from a pool: it grows without copying, and leaves
// no garbage. The zero value is empty.
type chunkQueue struct {
	head, tail *chunk
}

// chunkItems is how many items a chunk holds.
const chunkItems = 64

type chunk struct {
	array [chunkItems]Item
	n     int // of the array, in use
	next  *chunk
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

func newChunk() *chunk { return chunks.Get().(*chunk) }

func (c *chunk) items() []Item { return c.array[:c.n] }

func (c *chunk) full() bool { return c.n == chunkItems }

func (c *chunk) add(it *Item) {
	c.array[c.n] = *it
	c.n++
}

// free returns a chunk to the pool. Nil is fine.
func (c *chunk) free() {
	if c == nil {
		return
	}
	clear(c.items()) // the pool must not keep payloads alive
	c.n, c.next = 0, nil
	chunks.Put(c)
}

func (q *chunkQueue) empty() bool { return q.head == nil }

func (q *chunkQueue) put(items []Item) {
	for len(items) > 0 {
		if q.tail == nil || q.tail.full() {
			q.append(newChunk())
		}
		n := copy(q.tail.array[q.tail.n:], items)
		q.tail.n += n
		items = items[n:]
	}
}

// putChunk puts a chunk's items: the chunk as it is, unless the last one has room for them. So
// of two neighbours, at least one is half full.
func (q *chunkQueue) putChunk(c *chunk) {
	if q.tail != nil && q.tail.n+c.n <= chunkItems {
		q.put(c.items())
		c.free()
		return
	}
	q.append(c)
}

func (q *chunkQueue) append(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// take removes the oldest chunk of a queue that is not empty.
func (q *chunkQueue) take() *chunk {
	c := q.head
	q.head = c.next
	if q.head == nil {
		q.tail = nil
	}
	return c
}

// oldest returns the oldest item that counts; nil if there is none.
func (q *chunkQueue) oldest() *Item {
	for c := q.head; c != nil; c = c.next {
		if it := oldestOf(c.items()); it != nil {
			return it
		}
	}
	return nil
}

// oldestOf returns the first item that counts; nil if there is none.
func oldestOf(items []Item) *Item {
	for i := range items {
		if items[i].counts() {
			return &items[i]
		}
	}
	return nil
}
