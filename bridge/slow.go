package bridge

import (
	"sync"
	"time"
)

// watch reports if the handlers of a message run for long, until stop is called. kind is the
// message's Type.
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

// slowWatch watches how long the handlers of one message run.
type slowWatch struct {
	began time.Time

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	due     time.Duration // how long they may run until the next report
	stopped bool
}

// look returns how long the handlers have run, and sets the timer for the next report; slow is
// false if they have returned.
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
