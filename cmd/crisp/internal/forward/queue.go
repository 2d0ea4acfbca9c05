package forward

import (
	"context"
	"sync"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// queue holds the jobs of one target, in a lane for each conversation.
type queue struct {
	target Target
	cfg    Config
	ctx    context.Context // of all attempts

	workers sync.WaitGroup

	mu      sync.Mutex       // guards the fields below
	lanes   map[string]*lane // by conversation
	ready   []*lane          // lanes with jobs, but without a worker
	running int              // workers
	bytes   int64            // size of all jobs, including those under way
	jobs    int              // waiting or under way
	stalled bool             // Stalled was called, and more than half of MaxBytes is still taken
	changed chan struct{}    // closed and replaced when a job ends
	counts  Counts
}

// lane holds one conversation's jobs, oldest first. The first may be under way.
type lane struct {
	key  string
	jobs []job
}

type job struct {
	Job
	done func()
	put  time.Time
}

// overhead is roughly the memory that a waiting event takes besides its body.
const overhead = 512

func (j job) size() int64 { return int64(len(j.Event.Body)) + overhead }

func newQueue(ctx context.Context, target Target, cfg Config) *queue {
	return &queue{target: target, cfg: cfg, ctx: ctx, lanes: make(map[string]*lane), changed: make(chan struct{})}
}

// put adds a job, once there is room for it. An empty queue has room for any event.
func (q *queue) put(ctx context.Context, what Job, done func()) error {
	j := job{what, done, time.Now()}
	for {
		changed := q.tryPut(j)
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tryPut adds a job if there is room and returns nil, or else a channel to wait for
// before the next try.
func (q *queue) tryPut(j job) (changed <-chan struct{}) {
	q.mu.Lock()
	isFull := q.bytes > 0 && q.bytes+j.size() > q.cfg.MaxBytes
	tell, waiting := isFull && !q.stalled, q.jobs
	changed = q.changed
	if isFull {
		q.stalled = true
	} else {
		changed = nil
		q.add(j)
	}
	q.mu.Unlock()
	if tell && q.cfg.Stalled != nil {
		q.cfg.Stalled(q.target.Name(), waiting)
	}
	return changed
}

// add appends a job to its lane, and gives a new lane a worker if one may start;
// q.mu is held.
func (q *queue) add(j job) {
	q.bytes += j.size()
	q.jobs++
	key := j.Event.Conversation()
	if l, ok := q.lanes[key]; ok {
		l.jobs = append(l.jobs, j)
		return
	}
	l := &lane{key: key, jobs: []job{j}}
	q.lanes[key] = l
	if q.running == q.cfg.Concurrency {
		q.ready = append(q.ready, l)
		return
	}
	q.running++
	q.workers.Go(func() { q.work(l) })
}

// work is a worker: it delivers a job of a lane, then one of the next lane in turn,
// until no lane waits.
func (q *queue) work(l *lane) {
	for l != nil {
		j := q.first(l)
		outcome := q.deliver(j)
		l = q.finish(l, outcome)
		if outcome != "" {
			j.done()
		}
	}
}

// first returns a lane's next job.
func (q *queue) first(l *lane) job {
	q.mu.Lock()
	defer q.mu.Unlock()
	return l.jobs[0]
}

// finish removes a lane's first job and returns the lane to go on with; nil if none waits.
func (q *queue) finish(l *lane, outcome record.Outcome) (next *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch outcome {
	case record.Accepted:
		q.counts.Accepted++
	case record.GivenUp:
		q.counts.GivenUp++
	default:
		q.counts.Left++
	}
	q.bytes -= l.jobs[0].size()
	q.jobs--
	q.stalled = q.stalled && q.bytes > q.cfg.MaxBytes/2
	l.jobs[0] = job{} // frees its memory
	l.jobs = l.jobs[1:]
	if len(l.jobs) > 0 {
		q.ready = append(q.ready, l)
	} else {
		delete(q.lanes, l.key)
	}
	close(q.changed)
	q.changed = make(chan struct{})
	if len(q.ready) == 0 {
		q.running--
		return nil
	}
	next = q.ready[0]
	q.ready = q.ready[1:]
	return next
}

// deliver makes attempts until one is accepted or the last one has failed. The outcome
// is empty if the forwarder was closed before that.
func (q *queue) deliver(j job) record.Outcome {
	for number := 1; q.ctx.Err() == nil; number++ {
		answer := q.target.Send(q.ctx, Attempt{
			Event:    j.Event.Name(),
			Body:     j.Event.Body,
			Number:   number,
			Limit:    q.target.Attempts,
			SignedAt: j.SignedAt,
		})
		if !answer.Accepted && q.ctx.Err() != nil {
			return ""
		}
		report := answer.Record(q.target.Name(), j.Event.Name(), number, q.target.Attempts)
		report.Of = j.N
		q.cfg.Report(report)
		if report.Outcome != record.Refused {
			return report.Outcome
		}
		select {
		case <-q.ctx.Done():
		case <-time.After(q.cfg.Backoff(number)):
		}
	}
	return ""
}

// Record returns the record of an attempt with this answer.
func (a Answer) Record(target, event string, number, limit int) record.Delivery {
	d := record.Delivery{
		Event:   event,
		Target:  target,
		Attempt: number,
		Limit:   limit,
		Outcome: record.Refused,
		Status:  a.Status,
		TookMS:  a.Took.Milliseconds(),
		Answer:  a.Excerpt,
	}
	switch {
	case a.Accepted:
		d.Outcome = record.Accepted
	case number >= limit:
		d.Outcome = record.GivenUp
	}
	if a.Err != nil {
		d.Error = a.Err.Error()
	}
	return d
}

// waiting returns what waits.
func (q *queue) waiting() Waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := Waiting{Deliveries: q.jobs, Bytes: q.bytes}
	for _, l := range q.lanes {
		if put := l.jobs[0].put; w.Oldest.IsZero() || put.Before(w.Oldest) {
			w.Oldest = put
		}
	}
	return w
}

// awaitEmpty waits until nothing is left to deliver.
func (q *queue) awaitEmpty(ctx context.Context) {
	for {
		q.mu.Lock()
		isEmpty, changed := q.jobs == 0, q.changed
		q.mu.Unlock()
		if isEmpty {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// end waits for the workers, whose context must have ended, and returns the counts.
func (q *queue) end() Counts {
	q.workers.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}
