package delivery

import "sync/atomic"

// overhead is what an item in the queue counts besides its payload, so that a
// flood of tiny ones can't exceed the bound.
const overhead = 160

// Item is what is delivered.
type Item struct {
	Key     string // items of the same key are handled one at a time, in order
	Name    string
	Payload []byte
	Value   any // what else is known of it

	// Received is when, in nanoseconds of a time that never jumps; more than 0. SentAfter
	// is a moment such that this item, and all that come behind it, were sent after it:
	// earlier than Received if that was late.
	Received, SentAfter int64

	// Extra marks an item that came in by Insert alone. It does not count towards the
	// bound: it could wait for room that only its own handling makes.
	Extra bool
	apart bool // a Holder has it, and it doesn't count towards the bound meanwhile

	hash uint64 // of the key, for lanes; 0 = not known yet

	// Call, if set, is a function to run instead of handling an item: by the sequencer
	// if it comes through the queue (see Do), in its key's turn if it was inserted.
	Call func()
}

// Cost is what an item counts towards the queue's bound, in bytes.
func (it *Item) Cost() int64 { return int64(len(it.Payload)) + overhead }

// counts reports whether an item counts towards the queue's bound.
func (it *Item) counts() bool { return !it.Extra && it.Call == nil }

// oldest is what is told of the oldest item in some place, from any goroutine.
type oldest struct{ sentAfter, received atomic.Int64 }

// set takes note of an item; nil is none. It is for one goroutine at a time. Items of a
// burst have the same times: to write them again would cost more than to look.
func (o *oldest) set(it *Item) {
	if at := sentAfter(it); o.sentAfter.Load() != at {
		o.sentAfter.Store(at)
	}
	if at := received(it); o.received.Load() != at {
		o.received.Store(at)
	}
}

// sentAfter is SentAfter of an item; 0 of nil.
func sentAfter(it *Item) int64 {
	if it == nil {
		return 0
	}
	return it.SentAfter
}

// received is Received of an item; 0 of nil.
func received(it *Item) int64 {
	if it == nil {
		return 0
	}
	return it.Received
}

// moved returns the item and clears its place, which may be kept for long.
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
