package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/crisp-go/crisp/internal/serial"
)

// Code that users hand over may panic, or end its goroutine: bugs do the one, testing's FailNow
// the other. For handlers and middleware the router takes care of that, for Hooks
// internal/serial. Everything else of users is called by callUser, which makes both an error.

// userCodeError is a panic, or the end of its goroutine, of code of users.
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

// logDefault warns, by slog.Default, of a failure that belongs to no client.
func logDefault(ctx context.Context, text string, err error) {
	_ = callUser("slog.Default", func() error {
		slog.Default().WarnContext(ctx, text, slog.Any("error", err))
		return nil
	})
}

// panicError makes an error of a panic's value.
func panicError(v any) error {
	if err, ok := v.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", v)
}
