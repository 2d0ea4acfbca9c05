package crisp

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/crisp-go/crisp/internal/seam"
	"github.com/crisp-go/crisp/internal/serial"
)

// Hooks are callbacks that learn what happens to an RTM client besides events.
// All are optional; more may be added, so name the fields when you set them.
//
// They run one at a time, in the order of what they tell of, on a goroutine
// that is neither the reader's nor a handler's: a slow callback delays other
// callbacks, and the first events after a connection or a gap, but no heartbeat.
type Hooks struct {
	// Connected: a connection is authenticated. It returns before the connection's
	// first event reaches a handler.
	Connected func(Connected)
	// Disconnected: a connection that was authenticated has ended.
	Disconnected func(Disconnected)
	// Retrying: the next connection attempt waits for Delay.
	Retrying func(Retrying)
	// RoomsRefused: Crisp refuses websites of [Filter].Rooms, such as those that have
	// removed the plugin. Connections are made without them. One after an hour tries
	// them again, which is not told if they are still refused; sooner if
	// plugin:subscription:updated tells that they are back, or [RTM.Bind] names them.
	RoomsRefused func(RoomsRefused)
	// Gap: events may have been missed. It is called once for each gap, and
	// returns before the first event after the gap reaches a handler.
	Gap func(Gap)
	// Backfilled: what was missed in a gap has been fetched, as far as it can
	// be; only with [WithBackfill].
	Backfilled func(Backfilled)
	// Dropped: events that had been received will not be handled, or not to the
	// end: one whose handler was running when the client was closed counts too.
	Dropped func(Dropped)
	// Skipped: a packet from the server made no sense and was skipped; the
	// connection goes on. The error quotes nothing of the packet. In a flood of such
	// packets it is not called for each.
	Skipped func(error)
	// Heartbeat: the connection is alive; called once per ping interval of the
	// server (25 s by default). A website on which nothing happens looks the same
	// as a server that no longer sends events: programs that know how long a silence
	// is normal for them can watch SinceEvent.
	Heartbeat func(Heartbeat)

	// gapSettles is called for each gap, before Gap; see [seam.SettlingGap].
	gapSettles func(seam.SettlingGap)
}

// and returns Hooks that call the callbacks of both, h's first.
func (h Hooks) and(other Hooks) Hooks {
	return Hooks{
		Connected:    both(h.Connected, other.Connected),
		Disconnected: both(h.Disconnected, other.Disconnected),
		Retrying:     both(h.Retrying, other.Retrying),
		RoomsRefused: both(h.RoomsRefused, other.RoomsRefused),
		Gap:          both(h.Gap, other.Gap),
		Backfilled:   both(h.Backfilled, other.Backfilled),
		Dropped:      both(h.Dropped, other.Dropped),
		Skipped:      both(h.Skipped, other.Skipped),
		Heartbeat:    both(h.Heartbeat, other.Heartbeat),
		gapSettles:   both(h.gapSettles, other.gapSettles),
	}
}

func both[T any](first, second func(T)) func(T) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(arg T) {
		defer second(arg) // also if the first panics
		first(arg)
	}
}

// Connected is a new authenticated connection.
type Connected struct {
	Endpoint string        // host of the RTM endpoint
	Attempt  int           // how many attempts it took since the last connection, from 1
	Took     time.Duration // from the start of the successful attempt
}

// Disconnected is the end of an authenticated connection.
type Disconnected struct {
	Err   error         // why; [ErrClosed] if this program ended it
	Lived time.Duration // since it was authenticated
}

// Retrying is a connection attempt to come.
type Retrying struct {
	Attempt int           // its number since the last connection, from 1
	Delay   time.Duration // how long it waits
	Err     error         // what ended the connection or the attempt before
}

// RoomsRefused are websites of Filter.Rooms that Crisp refuses.
type RoomsRefused struct {
	Rooms []string // website IDs
	Left  int      // how many others the filter has
	Err   error    // matches [ErrRoom]
}

// Backfilled is what became of a gap. Gaps that come while one is being filled are
// filled as one: the first of them has the Messages and Conversations of all.
type Backfilled struct {
	Gap           Gap
	Complete      bool // every message of the gap has reached its handlers
	Messages      int  // fetched, those not needed left out
	Conversations int  // that had changed since the gap began
	Requests      int  // sent to the REST API, repetitions included
	// Err is why it is not complete; [ErrClosed] if the client was stopped: with
	// a position, the next run goes on with it. If it has another error with it, REST
	// failed in the end, and live events were handled before what the next run recovers.
	Err error
}

// Dropped are events that were received but not handled.
type Dropped struct {
	Count int
	Err   error // [ErrSlowConsumer]; at the end of a run [ErrClosed], or the cause of its context's end
}

// Heartbeat says how long a live connection has been quiet.
type Heartbeat struct {
	SinceEvent time.Duration // since the last event, or since the connection if none came yet
	SinceFrame time.Duration // since anything came, heartbeats included
}

// maxPosted is how many callbacks may wait before notifyIfShort leaves some out.
const maxPosted = 1000

// errHookGoexit is reported when a callback ended its goroutine.
var errHookGoexit = errors.New("crisp: a hook called runtime.Goexit (testing's FailNow does)")

// newCallbacks makes the queue that callbacks run in. Those that panic or end their goroutine
// are reported.
func newCallbacks(report func(error)) *serial.Queue {
	return serial.NewQueue(
		func(v any) { report(fmt.Errorf("crisp: a hook panicked: %w\n%s", panicError(v), debug.Stack())) },
		func() { report(errHookGoexit) },
	)
}

// notify posts a callback, if there is one.
func notify[T any](callbacks *serial.Queue, callback func(T), arg T) {
	if callback != nil {
		callbacks.Post(func() { callback(arg) })
	}
}

// notifyIfShort is notify for what a server can cause as often as it likes: if callbacks can't
// keep up, some are left out.
func notifyIfShort[T any](callbacks *serial.Queue, callback func(T), arg T) {
	if callback != nil {
		callbacks.PostIfShort(func() { callback(arg) }, maxPosted)
	}
}
