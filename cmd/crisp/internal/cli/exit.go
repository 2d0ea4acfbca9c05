package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/crisp-go/crisp"
)

// The exit codes. docs/cli.md lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCredentials = 3
	exitUnreachable = 4
	exitCheck       = 5
)

// coded is an error with the exit code that it leads to.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// usageError marks an error as the user's: wrong arguments, flags or input.
func usageError(err error) error { return coded{err, exitUsage} }

// elsewhere reports whether something other than Crisp answered, such as a proxy.
func elsewhere(err error) bool {
	var refusal *crisp.APIError
	if errors.As(err, &refusal) {
		return !refusal.FromCrisp() && refusal.Method != http.MethodHead
	}
	var answer *crisp.AnswerError
	return errors.As(err, &answer) && !errors.Is(err, crisp.ErrTooLarge)
}

// asUsageError is like usageError, but keeps a code that the error already has.
func asUsageError(err error) error {
	var c coded
	if errors.As(err, &c) {
		return err
	}
	return usageError(err)
}

// checkError marks an error as the result of a check that found something wrong.
func checkError(err error) error { return coded{err, exitCheck} }

// exitCode returns the exit code for a command's error.
func exitCode(err error) int {
	var c coded
	var network net.Error
	var address *url.Error
	var file *fs.PathError // its cause, a syscall.Errno, is a net.Error too
	var link *os.LinkError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, crisp.ErrUnauthorized):
		return exitCredentials
	case elsewhere(err):
		return exitUnreachable
	case errors.As(err, &file), errors.As(err, &link):
		return exitFailed
	case errors.As(err, &network), errors.As(err, &address):
		return exitUnreachable
	default:
		return exitFailed
	}
}
