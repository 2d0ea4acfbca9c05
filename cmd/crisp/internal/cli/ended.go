package cli

import (
	"context"
	"errors"
	"io"
)

// errEnded is the error of a command that the user ended before its work was done.
var errEnded = errors.New("ended before it was done")

// hasEnded reports whether the user has ended the program.
func (a *app) hasEnded() bool {
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// orEnded returns what wait returns, or an error if the user ends the program first.
// It is for calls that can't be cancelled, such as a read from a terminal: wait may
// still be running in its goroutine when the program exits.
func orEnded[T any](a *app, wait func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := wait()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-a.ended:
		var none T
		return none, coded{errEnded, exitFailed}
	}
}

// unlessDone turns a cancellation into errEnded: the user ended a command that still
// had work to do.
func unlessDone(err error) error {
	if errors.Is(err, context.Canceled) {
		return coded{errEnded, exitFailed}
	}
	return err
}

// stdin returns the program's input. Reads fail once the user ends the program.
func (a *app) stdin() io.Reader { return untilEnded{a, a.Stdin} }

// untilEnded is a reader whose reads fail once the user ends the program.
type untilEnded struct {
	app *app
	r   io.Reader
}

func (u untilEnded) Read(p []byte) (int, error) {
	own := make([]byte, len(p)) // an abandoned read may still write to it
	n, err := orEnded(u.app, func() (int, error) { return u.r.Read(own) })
	return copy(p, own[:n]), err
}
