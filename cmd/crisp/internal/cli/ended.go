package cli

import (
	"context"
	"errors"
	"io"
)

// errEnded is the error of a command that was ended before it had done its work.
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

// orEnded returns what wait returns, or an error if the user ends the program before.
// It is for what can't be told to end, such as a read from a terminal: that goes on
// until the program has ended.
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

// unlessDone gives the error of a command that had more to do when the user ended it its
// exit code.
func unlessDone(err error) error {
	if errors.Is(err, context.Canceled) {
		return coded{errEnded, exitFailed}
	}
	return err
}

// stdin is where input comes from until the user ends the program.
func (a *app) stdin() io.Reader { return untilEnded{a, a.Stdin} }

// untilEnded is stdin, from which reads fail once the user ends the program.
type untilEnded struct {
	app *app
	r   io.Reader
}

func (u untilEnded) Read(p []byte) (int, error) {
	own := make([]byte, len(p)) // a read that was given up may still write
	n, err := orEnded(u.app, func() (int, error) { return u.r.Read(own) })
	return copy(p, own[:n]), err
}
