package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
	"github.com/crisp-go/crisp/internal/seam"
)

// ErrRevoked is the cause of the end of a handler's context when its partition is to be
// another member's, or when Consume is to end, and [WithDrainTimeout] is over.
var ErrRevoked = errors.New("bridge: the partition is given up")

// consuming is what all partitions of a Consume share.
type consuming struct {
	consumeConfig
	ctx      context.Context // has the values of Consume's context, but no end
	consumer Consumer
	router   *crisp.Router
	reporter *reporter
	turns    *turns
}

// serving handles the messages of a partition while that is this member's. The pump, on the
// consumer's goroutine, takes messages from the engine and puts each into the lane of its
// key. Turns, on goroutines of their own, handle the first message of a lane. One more
// goroutine tells the engine what is in hand (working.go).
type serving struct {
	*consuming
	partition Partition
	ended     context.Context // ends when the partition is to be given up
	handling  context.Context // the handlers'; ends later, with ErrRevoked
	revoke    context.CancelCauseFunc
	telling   sync.WaitGroup // the goroutine of tellWorking
	room      chan struct{}  // capacity 1; see trim
	idle      chan struct{}  // capacity 1; nothing runs any more, while closing

	// For the pump alone.
	rewound  bool          // messages come again that were handed over before
	patience time.Duration // the engine's, see Delivery.Patience; 0 = not known yet, or forever

	mu      sync.Mutex // guards what follows
	lanes   map[string]*lane
	order   []*job                             // all that were handed over, from the oldest that is in hand
	inHand  int                                // how many are in hand
	bytes   int                                // their size
	running int                                // turns
	seen    *fifo.Map[crisp.DeliveryKey, *job] // the last that were handed over, by their IDs
	closing bool                               // nothing more is begun
}

// lane has the messages of a key that are in hand, in order. One without jobs is out of use.
type lane struct {
	key   string
	jobs  []*job
	retry *time.Timer // runs while the first job waits for its next turn; nil = it doesn't
}

// serve handles the messages of a partition until it is to be given up, and returns when nothing
// of it runs any more.
func (c *consuming) serve(ctx context.Context, p Partition) {
	s := &serving{
		consuming: c,
		partition: p,
		ended:     ctx,
		lanes:     make(map[string]*lane),
		seen:      fifo.New[crisp.DeliveryKey, *job](maxSpan),
		room:      make(chan struct{}, 1),
		idle:      make(chan struct{}, 1),
	}
	s.handling, s.revoke = context.WithCancelCause(c.ctx)
	c.counters.Partitions.Add(1)
	defer c.counters.Partitions.Add(-1)
	unlink := context.AfterFunc(ctx, func() {
		_ = sleep(s.handling, c.drain)
		s.revoke(ErrRevoked)
	})
	defer unlink()
	defer s.revoke(nil)
	defer s.telling.Wait()
	told, stopTelling := context.WithCancel(c.ctx)
	defer stopTelling()
	s.pump(ctx, told)
	s.drain()
}

const fetching = "the engine does not hand over messages"

// pump takes messages from the engine, whenever there is room for them, until ctx ends. The engine
// is told of what is in hand until told ends.
func (s *serving) pump(ctx, told context.Context) {
	for failures := 0; s.awaitRoom(ctx) == nil; {
		d, err := s.partition.Next(ctx)
		switch {
		case errors.Is(err, ErrRewound):
			s.rewind()
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			s.reporter.failed(ctx, fetching, err)
			if sleep(ctx, delayOf(s.backoff, failures)) != nil {
				return
			}
		default:
			failures = 0
			s.reporter.worked(fetching)
			s.take(d)
			if s.patience == 0 {
				s.tellWorking(told, d.Patience())
			}
		}
	}
}

// awaitRoom returns when there is room for another message, or ctx's error when that ends.
func (s *serving) awaitRoom(ctx context.Context) error {
	for !s.hasRoom() {
		select {
		case <-s.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (s *serving) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inHand < maxMessages && s.bytes < s.consumeConfig.bytes && len(s.order) < maxSpan
}

// take puts a message into its lane.
func (s *serving) take(d Delivery) {
	j := newJob(d)
	if j.event != nil {
		seam.Crisp.Arrived(s.router, j.event)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again(j) {
		return
	}
	s.seen.Put(j.id, j)
	s.order = append(s.order, j)
	s.inHand++
	s.bytes += j.size
	s.counters.InHand.Add(1)
	l := s.lanes[j.key]
	if l == nil {
		l = &lane{key: j.key}
		s.lanes[j.key] = l
	}
	l.jobs = append(l.jobs, j)
	if len(l.jobs) == 1 {
		s.ready(l)
	}
}

// again looks at a message that may come again after a rewind; s.mu is held. It reports whether
// nothing more is to be done, because the message is still in hand: then its handlers have begun,
// and go on. A message that was done is marked as handled.
func (s *serving) again(j *job) bool {
	if !s.rewound {
		return false
	}
	before, known := s.seen.Get(j.id)
	switch {
	case !known: // this one is new, and so are all that follow
		s.rewound = false
		return false
	case before.state == jobInHand:
		before.delivery = j.delivery
		return true
	case before.state == jobDone:
		j.handled = true
	}
	return false
}

// rewind forgets the messages whose handlers have not begun: they come again.
func (s *serving) rewind() {
	s.counters.Rewound.Add(1)
	s.rewound = true
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		kept := l.jobs[:0]
		for i, j := range l.jobs {
			if i == 0 && j.begun {
				kept = append(kept, j)
				continue
			}
			s.drop(j, jobForgotten)
		}
		clear(l.jobs[len(kept):])
		if l.jobs = kept; len(kept) == 0 {
			delete(s.lanes, l.key)
		}
	}
	s.trim()
}

// drop takes a message out of hand; s.mu is held.
func (s *serving) drop(j *job, state jobState) {
	s.inHand--
	s.bytes -= j.size
	s.counters.InHand.Add(-1)
	s.seen.Put(j.id, outOfHand[state])
	*j = job{state: state} // it stays in s.order for a while, and must not keep the message in memory
}

// outOfHand has the jobs that stand in serving.seen for all messages no longer in hand.
var outOfHand = map[jobState]*job{jobDone: {state: jobDone}, jobForgotten: {state: jobForgotten}}

// trim removes what is no longer in hand from the beginning of order, and wakes awaitRoom; s.mu is
// held.
func (s *serving) trim() {
	n := 0
	for n < len(s.order) && s.order[n].state != jobInHand {
		s.order[n] = nil
		n++
	}
	s.order = s.order[n:]
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// drain begins nothing more, waits for what runs, and forgets the rest.
func (s *serving) drain() {
	s.mu.Lock()
	s.closing = true
	for _, l := range s.lanes {
		if l.retry != nil {
			l.retry.Stop()
		}
	}
	running := s.running
	s.mu.Unlock()
	if running > 0 {
		<-s.idle
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		for _, j := range l.jobs {
			if j.begun {
				s.counters.Lost.Add(1)
			}
			s.drop(j, jobForgotten)
		}
		l.jobs = nil
	}
	clear(s.lanes)
}

// ready lines up a lane for a turn; s.mu is held.
func (s *serving) ready(l *lane) {
	l.retry = nil
	s.turns.put(func() { s.turn(l) })
}

// turn works on the first message of a lane once.
func (s *serving) turn(l *lane) {
	j := s.begin(l)
	if j == nil {
		return
	}
	outcome := s.work(j)
	s.finish(l, j, outcome)
}

// begin returns the first message of a lane, or nil if nothing more may begin.
func (s *serving) begin(l *lane) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.ended.Err() != nil || len(l.jobs) == 0 {
		return nil
	}
	s.running++
	j := l.jobs[0]
	j.begun = true
	return j
}

// finish notes how a turn has ended, and prepares the next.
func (s *serving) finish(l *lane, j *job, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if o.done {
		l.jobs[0] = nil
		l.jobs = l.jobs[1:]
		s.drop(j, o.state())
		s.trim()
	}
	switch {
	case s.closing:
		if s.running == 0 {
			s.idle <- struct{}{}
		}
	case !o.done:
		l.retry = time.AfterFunc(o.delay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ready(l)
		})
	case len(l.jobs) > 0:
		s.ready(l)
	default:
		delete(s.lanes, l.key)
	}
}
