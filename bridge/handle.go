package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/seam"
)

// work is one turn of a message: it runs the handlers, or buries it.
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

// run runs the handlers of a message, within the limits of the options.
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
	if errors.Is(err, errGoexit) { // unlike other failures, the router could not report it
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

// What reporter.failed is called for, in words for people.
const (
	storing   = "the store of messages that are done"
	finishing = "the engine is not told of messages that are done"
	burying   = "a message can't be buried, and its conversation waits"
)

// knownAsDone reports whether the store has the message as done. It is asked before the first
// attempt only.
func (s *serving) knownAsDone(ctx context.Context, j *job) (done bool) {
	if s.dedupe == nil || j.attempts > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
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

// markDone marks the message as done in the store.
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

// dedupeKey returns a message's key in the store, where deliveries of web hooks may have theirs.
func dedupeKey(id crisp.DeliveryKey) crisp.DeliveryKey {
	return sha256.Sum256(append([]byte("crisp bridge\x00"), id[:]...))
}

// done tells the engine that the message is done. It returns false if that failed, so that the
// message comes again.
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

// bury gives a message up: it becomes a dead letter. If that fails, there is another turn.
func (s *serving) bury(j *job, failure error) outcome {
	ctx, cancel := context.WithTimeout(s.ctx, attemptTimeout)
	defer cancel()
	if j.givenUp.IsZero() {
		j.givenUp = time.Now().UTC()
	}
	letter := DeadLetter{Message: j.message, Attempts: j.attempts, Error: cut(failure.Error(), maxErrorText), At: j.givenUp}
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
