package reading

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Task is what a client that somebody else wrote is told to read: messages, and
// LastEvent behind them.
type Task struct {
	Stream string // its URL: /rtm/ below it is a session, /v1/ REST
	Load   struct{ Events int }
}

// LastEvent ends every stream.
const LastEvent = "session:removed"

// Run is the main function of such a client: it reads the stream that the last
// argument describes, and reports what that cost.
func Run(read func(ctx context.Context, t Task, seen *Log) error) {
	if err := run(read); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(read func(context.Context, Task, *Log) error) error {
	var t Task
	if err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &t); err != nil {
		return err
	}
	seen := NewLog(t.Load.Events)
	usage, err := Measure(func() error { return read(context.Background(), t, seen) })
	if err != nil {
		return err
	}
	usage.Disordered = seen.disordered
	return Report(usage)
}

// Log notes the events that reach a client's handlers, in whatever order and on
// however many goroutines.
type Log struct {
	mu          sync.Mutex // guards the rest
	left        int        // events that have not come yet
	disordered  int
	first, last int64
	done        chan struct{}
}

// NewLog is done after so many messages, and LastEvent.
func NewLog(messages int) *Log { return &Log{left: messages + 1, done: make(chan struct{})} }

// Message notes a message by its fingerprint. Fingerprints count up, and begin
// anew where the stream repeats itself.
func (l *Log) Message(fingerprint int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.last == 0:
		l.first = fingerprint
	case fingerprint != l.last+1 && fingerprint != l.first:
		l.disordered++
	}
	l.last = fingerprint
	l.count()
}

// Last notes that LastEvent has come.
func (l *Log) Last() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count()
}

// count is called with mu held.
func (l *Log) count() {
	l.left--
	if l.left == 0 {
		close(l.done)
	}
}

// Done is closed when all events have come.
func (l *Log) Done() <-chan struct{} { return l.done }
