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
	// Name says which target it is, without what may be secret in it.
	Name() string
	// Send makes one attempt. It ends with the context.
	Send(ctx context.Context, a Attempt) Answer
}

// Attempt is one attempt to deliver a body.
type Attempt struct {
	Event  string // name of the event
	Body   []byte
	Number int // from 1
	Limit  int
	// SignedAt is the time to sign with; zero for now.
	SignedAt time.Time
}

// Answer is what a target has answered.
type Answer struct {
	Accepted bool
	Status   int    // of HTTP, or with which a command has exited; 0 if there was none
	Excerpt  string // how the body begins, if it was not accepted; it may hold anything
	Err      error  // why there was no answer, or what is wrong with it
	Took     time.Duration
}

// Target is where events go.
type Target struct {
	Sender
	Attempts int // to make for each event
}

// Config says how to deliver.
type Config struct {
	Targets     []Target
	Concurrency int // conversations side by side, for each target
	// MaxBytes bounds what waits for a target; default 16 MiB.
	MaxBytes int64
	// Backoff is how long to wait behind an attempt, which is counted from 1;
	// default Backoff.
	Backoff func(attempt int) time.Duration
	// Report hears of each attempt. It is called from several goroutines.
	Report func(record.Delivery)
	// Stalled hears that a target's events take up MaxBytes, once until they don't.
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

// Counts are what became of events, once for each target.
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

// Put takes an event, to be delivered behind those of the same conversation. It
// waits while there is no room for it. done is closed when each target has accepted
// it, or given it up; if the error is not nil, it never is.
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

// Waiting is what waits to be delivered, or is under way.
type Waiting struct {
	Deliveries int
	Bytes      int64
	Oldest     time.Time // when the one that has waited longest was put; zero if none waits
}

// Waiting returns what waits.
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

// Close waits until all that was put is delivered or given up, or the context ends:
// what is left then is not delivered. Nothing may be put any more.
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
