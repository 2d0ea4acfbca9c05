package crisp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Hooks are told what happens to an RTM client besides events. All are
// optional; more may be added, so name the fields when you set them.
//
// They run one at a time, in the order of what they tell of, on a goroutine
// that is neither the reader's nor a handler's: a slow hook delays other hooks,
// and the first events after a connection or a gap, but no heartbeat.
type Hooks struct {
	// Connected: a session is authenticated. It returns before the session's
	// first event reaches a handler.
	Connected func(Connected)
	// Disconnected: a session that was authenticated has ended.
	Disconnected func(Disconnected)
	// Retrying: the next connection attempt waits for Delay.
	Retrying func(Retrying)
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
	// session goes on. The error quotes nothing of the packet's payload. Of a
	// flood of them not every one is told.
	Skipped func(error)
	// Heartbeat: the session is alive, told once per ping interval of the
	// server (25 s by default). A website on which nothing happens looks the
	// same as a server that has ceased to send events: SinceEvent is there for
	// programs that know what silence is normal for them.
	Heartbeat func(Heartbeat)
}

// Connected tells of a new authenticated session.
type Connected struct {
	Endpoint string        // host of the RTM endpoint
	Attempt  int           // how many attempts it took since the last session, from 1
	Took     time.Duration // from the start of the successful attempt
}

// Disconnected tells of the end of an authenticated session.
type Disconnected struct {
	Err   error         // why; [ErrClosed] if this program ended it
	Lived time.Duration // since it was authenticated
}

// Retrying tells of a connection attempt to come.
type Retrying struct {
	Attempt int           // its number since the last session, from 1
	Delay   time.Duration // how long it waits
	Err     error         // what ended the session or the attempt before
}

// Dropped tells of events that were received but not handled.
type Dropped struct {
	Count int
	Err   error // [ErrSlowConsumer]; at the end of a run [ErrClosed], or the cause of its context's end
}

// Heartbeat tells how long a live session has been quiet.
type Heartbeat struct {
	SinceEvent time.Duration // since the last event, or since the connection if none came yet
	SinceFrame time.Duration // since anything came, heartbeats included
}

// maxPosted is how many calls of hooks may wait while more are posted that a
// server can cause at will.
const maxPosted = 1000

// notifier runs hooks in order without making anybody wait. Its goroutine
// exists only while there is something to tell.
type notifier struct {
	report func(error) // hears of hooks that panic

	mu      sync.Mutex
	queue   []func()
	running bool
}

func (n *notifier) post(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.push(fn)
}

// postSome posts unless too much is waiting already.
func (n *notifier) postSome(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) < maxPosted {
		n.push(fn)
	}
}

func (n *notifier) push(fn func()) {
	n.queue = append(n.queue, fn)
	if !n.running {
		n.running = true
		go n.run()
	}
}

func (n *notifier) run() {
	for fn := n.next(); fn != nil; fn = n.next() {
		if !n.call(fn) {
			return
		}
	}
}

// next takes the oldest call; nil if there is none, and the goroutine ends.
func (n *notifier) next() func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		n.queue, n.running = nil, false
		return nil
	}
	fn := n.queue[0]
	n.queue = n.queue[1:]
	return fn
}

// call runs a hook and outlives what it does.
func (n *notifier) call(fn func()) (returned bool) {
	defer func() {
		switch v := recover(); {
		case v != nil:
			n.report(fmt.Errorf("crisp: a hook panicked: %w\n%s", panicError(v), debug.Stack()))
			returned = true
		case !returned:
			n.report(errHookGoexit)
			go n.run() // the hook has ended this goroutine
		}
	}()
	fn()
	return true
}

// errHookGoexit is reported when a hook ended its goroutine.
var errHookGoexit = errors.New("crisp: a hook called runtime.Goexit (testing's FailNow does)")

// notify posts a call of a hook, if there is one.
func notify[T any](n *notifier, hook func(T), arg T) {
	if hook != nil {
		n.post(func() { hook(arg) })
	}
}

// notifySome is notify for what a server can cause at will: if hooks are too
// slow for it, some calls are left out.
func notifySome[T any](n *notifier, hook func(T), arg T) {
	if hook != nil {
		n.postSome(func() { hook(arg) })
	}
}

// flush returns when everything posted so far has run, or the context ends.
func (n *notifier) flush(ctx context.Context) {
	done := make(chan struct{})
	n.post(func() { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}
