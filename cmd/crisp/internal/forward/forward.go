// Package forward delivers events to programs as Crisp delivers web hooks: signed,
// attempted again, and those of a conversation in order.
package forward

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Sender makes single attempts to deliver to one target.
type Sender interface {
	// Name returns the target's name for people, without secrets.
	Name() string
	// Send makes one attempt. It returns when ctx ends.
	Send(ctx context.Context, a Attempt) Answer
}

// Attempt is one attempt to deliver a body.
type Attempt struct {
	Event    string // the event's name
	Body     []byte
	Number   int       // counted from 1
	Limit    int       // attempts that are made at most
	SignedAt time.Time // the time to sign with; zero for now
}

// Answer is a target's answer to an attempt.
type Answer struct {
	Accepted bool
	Status   int    // the HTTP status or the command's exit code; 0 without one
	Excerpt  string // the beginning of the answer's body if the event was not accepted; untrusted text
	Err      error  // why there was no answer, or what is wrong with it
	Took     time.Duration
}

// Target is a place to which events are delivered.
type Target struct {
	Sender
	Attempts int // per event, at most
}

// Config says how to deliver.
type Config struct {
	Targets     []Target
	Concurrency int // conversations per target that are delivered at the same time
	// MaxBytes bounds the events that wait for a target; default 16 MiB.
	MaxBytes int64
	// Backoff returns how long to wait after an attempt, counted from 1; default [Backoff].
	Backoff func(attempt int) time.Duration
	// Report is called after each attempt, from several goroutines.
	Report func(record.Delivery)
	// Stalled is called when a target's queue is full, and not again until half of it
	// is free. It may be nil.
	Stalled func(target string, events int)
}

const defaultMaxBytes = 16 << 20

// Backoff is the wait before the next attempt: 1 s, 2 s, 4 s and so on up to a
// minute. Crisp's own waits are not documented.
func Backoff(attempt int) time.Duration {
	const longest = time.Minute
	if attempt > 6 {
		return longest
	}
	return min(time.Second<<(attempt-1), longest)
}

// Counts says what became of events; each counts once per target.
type Counts struct {
	Accepted int
	GivenUp  int
	Left     int // not delivered when the forwarder was closed
}

// Forwarder delivers events to targets, which are independent of each other until
// one has MaxBytes waiting.
type Forwarder struct {
	queues []*queue
	stop   context.CancelFunc
}

// New makes a forwarder. The caller closes it.
func New(cfg Config) *Forwarder {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Backoff == nil {
		cfg.Backoff = Backoff
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Forwarder{stop: stop}
	for _, target := range cfg.Targets {
		f.queues = append(f.queues, newQueue(ctx, target, cfg))
	}
	return f
}

// Job is an event to deliver.
type Job struct {
	N        uint64 // of the event's record
	Event    *record.Event
	SignedAt time.Time // zero for the time of each attempt
}

// Put queues an event behind those of the same conversation, and waits while there is
// no room for it. done is closed when each target has accepted the event or given it up.
// It stays open if the forwarder is closed first.
func (f *Forwarder) Put(ctx context.Context, job Job) (done <-chan struct{}, err error) {
	closed := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(len(f.queues)))
	if len(f.queues) == 0 {
		close(closed)
	}
	for _, q := range f.queues {
		err := q.put(ctx, job, func() {
			if left.Add(-1) == 0 {
				close(closed)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return closed, nil
}

// Waiting sums up the deliveries that wait or are under way.
type Waiting struct {
	Deliveries int
	Bytes      int64
	Oldest     time.Time // when the oldest was put; zero if nothing waits
}

// Waiting returns what waits for all targets.
func (f *Forwarder) Waiting() (sum Waiting) {
	for _, q := range f.queues {
		w := q.waiting()
		sum.Deliveries += w.Deliveries
		sum.Bytes += w.Bytes
		if sum.Oldest.IsZero() || !w.Oldest.IsZero() && w.Oldest.Before(sum.Oldest) {
			sum.Oldest = w.Oldest
		}
	}
	return sum
}

// Close waits until everything is delivered or given up, or ctx ends; what is left then
// is not delivered. Put can't be called afterwards.
func (f *Forwarder) Close(ctx context.Context) Counts {
	for _, q := range f.queues {
		q.awaitEmpty(ctx)
	}
	f.stop()
	var sum Counts
	for _, q := range f.queues {
		counts := q.end()
		sum.Accepted += counts.Accepted
		sum.GivenUp += counts.GivenUp
		sum.Left += counts.Left
	}
	return sum
}
