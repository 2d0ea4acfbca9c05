package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/serial"
)

// Counters count what [Consume] does. The zero value is ready.
type Counters struct {
	Handled    atomic.Uint64 // messages whose handlers have succeeded
	Failed     atomic.Uint64 // attempts of handlers that failed
	Duplicates atomic.Uint64 // messages that came again, and were known to be handled
	Buried     atomic.Uint64 // messages
	Rewound    atomic.Uint64 // times that the engine handed over again what was not done
	Lost       atomic.Uint64 // messages that come again, though their handlers had begun when the partition moved
	Running    atomic.Int64  // messages in the hands of handlers, now
	InHand     atomic.Int64  // messages in memory, now
	Partitions atomic.Int64  // that are this member's, now
}

// SlowHandlerError is what the error handler hears of handlers that have not returned for
// long.
type SlowHandlerError struct {
	Type      string // of the message
	Partition int
	Running   time.Duration
}

func (e *SlowHandlerError) Error() string {
	return fmt.Sprintf("bridge: a handler of %q in partition %d has not returned for %s, and its conversation waits: does it hang?",
		cut(e.Type, 100), e.Partition, e.Running.Round(time.Second))
}

// BuriedError is what the error handler hears of a message that was buried.
type BuriedError struct {
	Type      string // of the message
	Partition int
	Attempts  int
	Err       error // of the last attempt
}

func (e *BuriedError) Error() string {
	return fmt.Sprintf("bridge: a message of type %q in partition %d was buried after %d attempts: %v", cut(e.Type, 100), e.Partition, e.Attempts, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *BuriedError) Unwrap() error { return e.Err }

// logError is the default error handler.
func logError(ctx context.Context, err error) {
	level := slog.LevelWarn
	if buried := (*BuriedError)(nil); errors.As(err, &buried) {
		level = slog.LevelError
	}
	slog.Default().LogAttrs(ctx, level, err.Error())
}

// reporter calls the error handler, which may panic or end its goroutine.
type reporter struct {
	onError func(context.Context, error)

	mu     sync.Mutex           // guards outage
	outage map[string]time.Time // when each was last reported, by what fails
}

// outageInterval is how often an outage is reported while it lasts.
const outageInterval = time.Minute

func newReporter(onError func(context.Context, error)) *reporter {
	return &reporter{onError: onError, outage: make(map[string]time.Time)}
}

// report reports an error, each time.
func (r *reporter) report(ctx context.Context, err error) {
	if death := serial.Call(func() { r.onError(ctx, err) }); death != nil {
		slog.Default().LogAttrs(ctx, slog.LevelError, "bridge: the error handler panicked, or ended its goroutine", slog.String("error", err.Error()))
	}
}

// failed reports a failure of something that is tried again and again: at once, and then once per
// outageInterval until it works. what says what failed.
func (r *reporter) failed(ctx context.Context, what string, err error) {
	r.mu.Lock()
	last, known := r.outage[what]
	due := !known || time.Since(last) >= outageInterval
	if due {
		r.outage[what] = time.Now()
	}
	r.mu.Unlock()
	if due {
		r.report(ctx, fmt.Errorf("bridge: %s: %w", what, err))
	}
}

// worked ends an outage, if there is one.
func (r *reporter) worked(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.outage, what)
}

// callUser calls code of users, and returns its error. A panic, or the end of its goroutine, is
// one, too.
func callUser(call func() error) (err error) {
	death := serial.Call(func() { err = call() })
	switch {
	case death == nil:
		return err
	case death.Panic == nil:
		return errGoexit
	}
	if err, ok := death.Panic.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", death.Panic)
}

var errGoexit = errors.New("it called runtime.Goexit (testing's FailNow does)")

// delayOf is a backoff's wait before the next attempt, and 1 s if it panics.
func delayOf(b crisp.Backoff, failures int) time.Duration {
	delay := time.Second
	_ = callUser(func() error { // Delay may be the user's
		delay = max(0, b.Delay(failures))
		return nil
	})
	return delay
}

// sleep waits, unless the context ends before: then it returns the cause.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil || d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cut shortens text to about most bytes of valid UTF-8.
func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "")
}
