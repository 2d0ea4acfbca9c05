// Package serial runs code of users so that it can neither hold the library up nor
// end its goroutines.
package serial

import (
	"context"
	"runtime/debug"
	"sync"
)

// Go runs a loop on a goroutine of its own. If user code that the loop calls ends the goroutine
// (runtime.Goexit, which testing's FailNow calls), it calls exited, which may do the same, and
// runs the loop again on another goroutine. It is over when the loop returns.
//
// The loop must be able to go on where it was ended. A panic is not survived.
func Go(loop, exited func()) {
	go func() {
		returned := false
		defer func() {
			if returned {
				return
			}
			defer Go(loop, exited) // whatever exited does
			exited()
		}()
		loop()
		returned = true
	}()
}

// Death is how user code ended if it did not return.
type Death struct {
	Panic any    // the value of its panic; nil if it ended its goroutine instead
	Stack []byte // where it panicked
}

// Call runs user code on a goroutine of its own and waits for its end. It returns nil
// if the code has returned.
func Call(fn func()) *Death {
	ended := make(chan *Death, 1)
	go func() {
		death := new(Death)
		defer func() {
			if v := recover(); v != nil {
				death = &Death{Panic: v, Stack: debug.Stack()}
			}
			ended <- death
		}()
		fn()
		death = nil
	}()
	return <-ended
}

// Queue runs functions one at a time, in the order in which they were posted. Posting never
// waits. The queue's goroutine exists only while there is something to run.
type Queue struct {
	panicked func(value any)
	exited   func()

	mu      sync.Mutex // guards what follows
	posted  []func()
	running bool
}

// NewQueue makes an empty queue. panicked is called with the value of a function's panic, while
// the stack still shows where it was; exited when a function has ended its goroutine. The next
// functions run all the same.
func NewQueue(panicked func(value any), exited func()) *Queue {
	return &Queue{panicked: panicked, exited: exited}
}

// Post adds a function.
func (q *Queue) Post(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.push(fn)
}

// PostIfShort adds a function unless limit functions are waiting already.
func (q *Queue) PostIfShort(fn func(), limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.posted) < limit {
		q.push(fn)
	}
}

// push adds a function; q.mu is held.
func (q *Queue) push(fn func()) {
	q.posted = append(q.posted, fn)
	if !q.running {
		q.running = true
		Go(q.run, q.exited)
	}
}

func (q *Queue) run() {
	for fn := q.next(); fn != nil; fn = q.next() {
		q.call(fn)
	}
}

// next takes the oldest function. If there is none, it returns nil and the
// goroutine ends.
func (q *Queue) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.posted) == 0 {
		q.posted, q.running = nil, false
		return nil
	}
	fn := q.posted[0]
	q.posted = q.posted[1:]
	return fn
}

func (q *Queue) call(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			q.panicked(v)
		}
	}()
	fn()
}

// Flush returns when everything that was posted before has run, or the context
// ends.
func (q *Queue) Flush(ctx context.Context) {
	done := make(chan struct{})
	q.Post(func() { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}
