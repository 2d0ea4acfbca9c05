package crisp

import (
	"slices"
	"sync"
)

// inbox is a queue of items, in chunks that are used again: it grows without
// copying, and leaves no garbage. The zero value is empty.
type inbox struct {
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

// free gives a chunk back for use by any lane. Nil is fine.
func (c *chunk) free() {
	if c == nil {
		return
	}
	clear(c.items())
	c.n, c.next = 0, nil
	chunks.Put(c)
}

func (in *inbox) empty() bool { return in.head == nil }

func (in *inbox) put(items []item) {
	for len(items) > 0 {
		if in.tail == nil || in.tail.n == chunkItems {
			in.grow()
		}
		n := copy(in.tail.array[in.tail.n:], items)
		in.tail.n += n
		items = items[n:]
	}
}

func (in *inbox) grow() {
	c := chunks.Get().(*chunk)
	if in.tail == nil {
		in.head = c
	} else {
		in.tail.next = c
	}
	in.tail = c
}

// take gives out the oldest chunk of an inbox that is not empty.
func (in *inbox) take() *chunk {
	c := in.head
	in.head = c.next
	if in.head == nil {
		in.tail = nil
	}
	return c
}

// oldest is when the oldest event was received, UNIX ns; 0 if there is none.
func (in *inbox) oldest() int64 {
	for c := in.head; c != nil; c = c.next {
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
