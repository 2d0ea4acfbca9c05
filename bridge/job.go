package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/seam"
)

// job is a message that was handed over, and what becomes of it.
type job struct {
	id      crisp.DeliveryKey
	key     string
	size    int
	message Message
	event   crisp.Event // nil if it is none
	control Control     // likewise
	broken  error       // why it can't be decoded

	// Guarded by serving.mu.
	delivery Delivery // the last
	state    jobState
	begun    bool
	told     time.Time // when the engine heard of it last

	// For the turns of its lane alone, which come one after the other.
	handled  bool // before it came again
	attempts int  // of handlers that failed
	failure  error
	failures int // of the engine that was to bury it
}

type jobState int

const (
	jobInHand jobState = iota
	jobDone
	jobForgotten // it comes again
)

func newJob(d Delivery) *job {
	m := d.Message()
	j := &job{id: m.digest(), key: m.Key(), size: m.size(), message: m, delivery: d, told: time.Now()}
	control, isControl, err := ParseControl(m)
	switch {
	case isControl:
		j.control, j.broken = control, err
	default:
		j.event, j.broken = m.Event()
	}
	return j
}

// outcome is how a turn has ended: the message is done, or there is another turn after a while.
type outcome struct {
	done   bool
	buried bool // and the engine knows that it is done
	delay  time.Duration
}

// state is that of a message that is done. Where one that was buried comes again, somebody may have asked
// for it.
func (o outcome) state() jobState {
	if o.buried {
		return jobForgotten
	}
	return jobDone
}

// work runs a message's handlers, or buries it.
func (s *serving) work(j *job) outcome {
	switch {
	case j.handled:
		s.counters.Duplicates.Add(1)
		s.done(j)
		return outcome{done: true}
	case j.broken != nil:
		return s.bury(j, j.broken)
	case j.attempts >= s.attempts: // its burial failed
		return s.bury(j, j.failure)
	}
	err := s.handle(j)
	switch {
	case err == nil:
		s.done(j)
		return outcome{done: true}
	case s.ended.Err() != nil: // it comes again, to whoever has the partition then
		return outcome{}
	}
	s.counters.Failed.Add(1)
	j.attempts++
	j.failure = err
	if j.attempts >= s.attempts {
		return s.bury(j, err)
	}
	return outcome{delay: delayOf(s.backoff, j.attempts)}
}

// handle runs a message's handlers once, unless it is known that they have succeeded.
func (s *serving) handle(j *job) error {
	ctx := context.WithValue(s.handling, messageKey{}, j.message)
	if s.knownAsDone(ctx, j) {
		s.counters.Duplicates.Add(1)
		return nil
	}
	if err := s.run(ctx, j); err != nil {
		return err
	}
	s.counters.Handled.Add(1)
	s.markDone(ctx, j)
	return nil
}

func (s *serving) run(ctx context.Context, j *job) error {
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	s.counters.Running.Add(1)
	defer s.counters.Running.Add(-1)
	defer s.watch(j.message.Type)()
	if j.event == nil {
		return s.runControl(ctx, j.control)
	}
	err := callUser(func() error { return seam.Crisp.Dispatch(ctx, s.router, j.event) })
	if errors.Is(err, errGoexit) { // of which the router knows nothing
		err = &crisp.HandlerError{Event: j.event, Err: err}
		s.reporter.report(ctx, err)
	}
	return err
}

func (s *serving) runControl(ctx context.Context, c Control) error {
	if s.control == nil {
		return nil
	}
	err := callUser(func() error { return s.control(ctx, c) })
	if err != nil {
		s.reporter.report(ctx, err)
	}
	return err
}

const storing = "the store of messages that are done"

// knownAsDone reports whether the store knows the message's handlers to have succeeded.
func (s *serving) knownAsDone(ctx context.Context, j *job) (done bool) {
	if s.dedupe == nil || j.attempts > 0 {
		return false
	}
	err := callUser(func() (err error) {
		done, err = s.dedupe.Done(ctx, dedupeKey(j.id))
		return err
	})
	if err != nil { // twice is better than never
		s.reporter.failed(ctx, storing, err)
		return false
	}
	return done
}

func (s *serving) markDone(ctx context.Context, j *job) {
	if s.dedupe == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	if err := callUser(func() error { return s.dedupe.MarkDone(ctx, dedupeKey(j.id)) }); err != nil {
		s.reporter.failed(ctx, storing, err)
	}
}

// dedupeKey is apart from those by which the same store may know deliveries of web hooks.
func dedupeKey(id crisp.DeliveryKey) crisp.DeliveryKey {
	return sha256.Sum256(append([]byte("crisp bridge\x00"), id[:]...))
}

const finishing = "the engine is not told of messages that are done"

// done tells the engine that the message is done, and reports whether it knows. If not, it comes again.
func (s *serving) done(j *job) bool {
	ctx, cancel := context.WithTimeout(s.ctx, attemptTimeout)
	defer cancel()
	s.mu.Lock()
	d := j.delivery
	s.mu.Unlock()
	if err := d.Done(ctx); err != nil {
		s.reporter.failed(ctx, finishing, err)
		return false
	}
	s.reporter.worked(finishing)
	return true
}

const burying = "a message can't be buried, and its conversation waits"

// bury gives a message up. If that fails, there is another turn.
func (s *serving) bury(j *job, failure error) outcome {
	ctx, cancel := context.WithTimeout(s.ctx, attemptTimeout)
	defer cancel()
	letter := DeadLetter{Message: j.message, Attempts: j.attempts, Error: cut(failure.Error(), maxErrorText), At: time.Now().UTC()}
	err := s.consumer.Bury(ctx, letter)
	if tooLarge := (*TooLargeError)(nil); errors.As(err, &tooLarge) && j.message.Stub == "" {
		letter.Message = newStub(j.message, tooLarge)
		err = s.consumer.Bury(ctx, letter)
	}
	if err != nil {
		j.failures++
		s.reporter.failed(ctx, burying, err)
		return outcome{delay: delayOf(s.backoff, j.failures)}
	}
	s.reporter.worked(burying)
	s.counters.Buried.Add(1)
	s.reporter.report(ctx, &BuriedError{Type: j.message.Type, Partition: s.partition.Number(), Attempts: j.attempts, Err: failure})
	return outcome{done: true, buried: s.done(j)}
}

// maxErrorText bounds the text of an error in a dead letter, in bytes.
const maxErrorText = 1024

// cut returns text that is at most so long, in bytes, and valid UTF-8.
func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

// watch tells the error handler if handlers run for long, until stop is called.
func (s *serving) watch(kind string) (stop func()) {
	if s.slow == 0 {
		return func() {}
	}
	w := &slowWatch{began: time.Now(), due: s.slow}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.due, func() {
		if running, slow := w.look(); slow {
			s.reporter.report(s.ctx, &SlowHandlerError{Type: kind, Partition: s.partition.Number(), Running: running})
		}
	})
	return w.stop
}

// slowWatch watches for how long handlers run.
type slowWatch struct {
	began time.Time

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	due     time.Duration
	stopped bool
}

// look returns for how long they have run, unless they have returned, and looks again later.
func (w *slowWatch) look() (running time.Duration, slow bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return 0, false
	}
	w.due *= 2
	running = time.Since(w.began)
	w.timer.Reset(w.due - running)
	return running, true
}

func (w *slowWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
