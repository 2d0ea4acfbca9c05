package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/crisp-go/crisp/internal/serial"
)

// What users hand over may panic, or end its goroutine, as bugs and testing's FailNow
// do. Handlers and middleware are seen to by the router, Hooks and what they share a
// goroutine with by internal/serial; all the rest is called by what is here. It
// becomes an error like any other that the same code returns.

// userCodeError is how code of users failed that returned nothing.
type userCodeError struct {
	what  string // "PositionStore.Save"
	err   error  // the panic, or errGoexit
	stack []byte // nil if it did not panic
}

var errGoexit = errors.New("it called runtime.Goexit (testing's FailNow does)")

func (e *userCodeError) Error() string { return fmt.Sprintf("crisp: %s: %v", e.what, e.err) }

func (e *userCodeError) Unwrap() error { return e.err }

// callUser calls code of users and returns its error, also for a panic or the end of
// its goroutine.
func callUser(what string, call func() error) (err error) {
	death := serial.Call(func() { err = call() })
	switch {
	case death == nil:
		return err
	case death.Panic == nil:
		return &userCodeError{what: what, err: errGoexit}
	}
	return &userCodeError{what: what, err: panicError(death.Panic), stack: death.Stack}
}

// withoutPanics makes an error handler that doesn't panic. What it should have told
// is logged.
func withoutPanics(handle func(ctx context.Context, err error)) func(ctx context.Context, err error) {
	return func(ctx context.Context, err error) {
		defer func() {
			if v := recover(); v != nil {
				logUnheard(ctx, err, &userCodeError{what: "the error handler", err: panicError(v), stack: debug.Stack()})
			}
		}()
		handle(ctx, err)
	}
}

// hear has an error handler told of an error, though it may end its goroutine.
func hear(ctx context.Context, handle func(ctx context.Context, err error), err error) {
	failure := callUser("the error handler", func() error { handle(ctx, err); return nil })
	if failure != nil {
		logUnheard(ctx, err, failure)
	}
}

// logUnheard logs what an error handler was to hear of, and how that failed.
func logUnheard(ctx context.Context, errs ...error) {
	_ = callUser("slog.Default", func() error { // nobody is left to be told
		for _, err := range errs {
			logError(ctx, err)
		}
		return nil
	})
}

// logDefault warns of something that belongs to no client.
func logDefault(ctx context.Context, text string, err error) {
	_ = callUser("slog.Default", func() error {
		slog.Default().WarnContext(ctx, text, slog.Any("error", err))
		return nil
	})
}

// safeLog is a logger's handler that can't end what logs. Its failures go to
// slog.Default, as errors of a logger can't be logged by itself.
type safeLog struct{ slog.Handler }

func (l safeLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if v := recover(); v != nil {
			enabled = true // Handle will tell
		}
	}()
	return l.Handler.Enabled(ctx, level)
}

func (l safeLog) Handle(ctx context.Context, r slog.Record) error {
	err := callUser("the logger's handler", func() error { return l.Handler.Handle(ctx, r) })
	var failed *userCodeError
	if errors.As(err, &failed) {
		logUnheard(ctx, failed)
	}
	return err
}

func (l safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return safeLog{l.Handler.WithAttrs(attrs)}
}

func (l safeLog) WithGroup(name string) slog.Handler { return safeLog{l.Handler.WithGroup(name)} }

// safeBackoff is a Backoff that waits as the default does where the user's fails.
type safeBackoff struct {
	Backoff
	report func(error)
}

func (b safeBackoff) Delay(attempt int) (delay time.Duration) {
	err := callUser("Backoff.Delay", func() error { delay = b.Backoff.Delay(attempt); return nil })
	if err != nil {
		b.report(err)
		return ExponentialBackoff{}.Delay(attempt)
	}
	return delay
}
