package delivery

import "sync/atomic"

// overhead is what an item costs besides its payload, in bytes, so that a flood of tiny items
// is bounded, too.
const overhead = 160

// Item is what is delivered.
type Item struct {
	Key     string // items of the same key are handled one at a time, in order
	Name    string
	Payload []byte
	Value   any // the owner's

	// Received is when the item came, in nanoseconds of steady time; more than 0. This
	// item, and all that come behind it, were sent after SentAfter, which is earlier than
	// Received if the item may have come late.
	Received, SentAfter int64

	// Extra marks an item that did not come by Put, but is new to Insert. It does not count
	// towards the bound: if it had to wait for room, only its own handling might make some.
	Extra bool
	apart bool // a Holder has it, and so it doesn't count towards the bound

	hash uint64 // of the key, for lanes; 0 = not known yet

	// Call, if set, is a function to run instead of handling an item: by the sequencer
	// if it comes through the queue (see Do), in its key's turn if it was inserted.
	Call func()
}

// Cost is what an item counts towards the queue's bound, in bytes.
func (it *Item) Cost() int64 { return int64(len(it.Payload)) + overhead }

// counts reports whether an item counts towards the queue's bound.
func (it *Item) counts() bool { return !it.Extra && it.Call == nil }

// oldest has the times of the oldest item in some place, for any goroutine to read.
type oldest struct{ sentAfter, received atomic.Int64 }

// set notes the oldest item; nil = none. It is for one goroutine at a time. Items of a burst
// have the same times, and comparing is cheaper than writing them again.
func (o *oldest) set(it *Item) {
	if at := sentAfter(it); o.sentAfter.Load() != at {
		o.sentAfter.Store(at)
	}
	if at := received(it); o.received.Load() != at {
		o.received.Store(at)
	}
}

// sentAfter returns an item's SentAfter, or 0 for nil.
func sentAfter(it *Item) int64 {
	if it == nil {
		return 0
	}
	return it.SentAfter
}

// received returns an item's Received, or 0 for nil.
func received(it *Item) int64 {
	if it == nil {
		return 0
	}
	return it.Received
}

// moved returns the item and clears its place, which may stay in memory for long.
func (it *Item) moved() Item {
	moved := *it
	*it = Item{}
	return moved
}

// earlier is the earlier of two times, of which 0 means none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
