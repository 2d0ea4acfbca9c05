package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// errorLog is the default error handler.
type errorLog struct{ sparing *sparing }

func (l errorLog) log(ctx context.Context, err error) {
	var (
		level, attrs = slog.LevelError, []slog.Attr(nil)
		thing        = err.Error()
		failed       *HandlerError
		died         *userCodeError
		graded       interface{ logLevel() slog.Level }
		alike        interface{ thing() string }
	)
	switch {
	case errors.As(err, &failed) && failed.Stack != nil:
		attrs = append(attrs, slog.String("stack", string(failed.Stack)))
	case errors.As(err, &died) && died.stack != nil:
		attrs = append(attrs, slog.String("stack", string(died.stack)))
	case errors.As(err, &graded):
		level = graded.logLevel()
	}
	if errors.As(err, &alike) {
		thing = alike.thing()
	}
	record := slog.NewRecord(time.Now(), level, err.Error(), 0)
	record.AddAttrs(attrs...)
	_ = l.sparing.log(ctx, thing, record) // there is nobody left to tell
}

// withoutPanics makes an error handler that doesn't panic. If the user's does, its panic and
// the error that it was called for are logged.
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

// hear calls an error handler, which may panic or end its goroutine.
func hear(ctx context.Context, handle func(ctx context.Context, err error), err error) {
	failure := callUser("the error handler", func() error { handle(ctx, err); return nil })
	if failure != nil {
		logUnheard(ctx, err, failure)
	}
}

// logUnheard logs an error that an error handler was called for, and how the handler failed.
func logUnheard(ctx context.Context, errs ...error) {
	for _, err := range errs {
		errorLog{newSparing()}.log(ctx, err) // each time: a handler that fails is a bug
	}
}

// HandlerError is what the router's error handler hears when a handler or a
// middleware failed or panicked.
type HandlerError struct {
	Event Event
	Err   error  // what the handler returned, or the panic's value as an error ("panic: …")
	Stack []byte // the goroutine's stack where it panicked; nil if it did not
}

// Error names the event and says what the handler returned; the payload stays
// out of it.
func (e *HandlerError) Error() string {
	return fmt.Sprintf("crisp: a handler of %s failed: %v", shown(e.Event.EventName()), e.Err)
}

// MarshalText is Error: encoders such as encoding/json leave the payload out, too.
func (e HandlerError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Format is Error with every verb, lest %d or %s of a value walk into the event.
func (e HandlerError) Format(f fmt.State, verb rune) { formatError(f, verb, &e) }

// Unwrap returns what the handler returned.
func (e *HandlerError) Unwrap() error { return e.Err }

// DriftError is what the router's error handler hears of an event whose
// payload has fields of unexpected types. The event reached its handlers all
// the same, with those fields left zero.
type DriftError struct {
	Event    Event
	Problems []FieldProblem // as in Meta.Problems; at least one
}

// Error names the event and its first problem, never a field's value.
func (e *DriftError) Error() string {
	s := fmt.Sprintf("crisp: %s: %s", shown(e.Event.EventName()), e.Problems[0])
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}

// MarshalText is Error: encoders such as encoding/json leave the payload out, too.
func (e DriftError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Format is Error with every verb, lest %d or %s of a value walk into the event.
func (e DriftError) Format(f fmt.State, verb rune) { formatError(f, verb, &e) }

// logLevel is Warn: whoever sends the event can cause it, and it has reached its handlers.
func (e *DriftError) logLevel() slog.Level { return slog.LevelWarn }

// thing leaves out what differs between errors of the same kind: how many more problems there are.
func (e *DriftError) thing() string {
	return "drift\x00" + e.Event.EventName() + "\x00" + e.Problems[0].Path
}
