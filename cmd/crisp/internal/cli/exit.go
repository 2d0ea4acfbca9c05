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

// coded is an error that says with which code the program ends.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// usageError returns an error in what was asked for.
func usageError(err error) error { return coded{err, exitUsage} }

// elsewhere reports whether something else than Crisp has answered.
func elsewhere(err error) bool {
	var refusal *crisp.APIError
	if errors.As(err, &refusal) {
		return !refusal.FromCrisp() && refusal.Method != http.MethodHead
	}
	var answer *crisp.AnswerError
	return errors.As(err, &answer) && !errors.Is(err, crisp.ErrTooLarge)
}

// asUsageError is usageError for an error that may have a code already.
func asUsageError(err error) error {
	var c coded
	if errors.As(err, &c) {
		return err
	}
	return usageError(err)
}

// checkError returns the error of a check that found something wrong.
func checkError(err error) error { return coded{err, exitCheck} }

// exitCode returns the code for what a command has returned.
func exitCode(err error) int {
	var c coded
	var network net.Error
	var address *url.Error
	var file *fs.PathError // what caused it implements net.Error, too
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
