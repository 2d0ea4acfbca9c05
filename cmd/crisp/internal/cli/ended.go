package cli

import (
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
