package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
)

// The exit codes, which are those of the command crisp. docs/bridge.md lists them.
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

// configError returns an error in the configuration.
func configError(err error) error {
	if errors.Is(err, config.ErrCredentials) {
		return coded{err, exitCredentials}
	}
	return usageError(err)
}

// exitCode returns the code for what a command has returned.
func exitCode(err error) int {
	var c coded
	var network net.Error
	var address *url.Error
	var file *fs.PathError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, crisp.ErrUnauthorized):
		return exitCredentials
	case errors.As(err, &file): // the cause of which is like that of networks
		return exitFailed
	case errors.Is(err, engine.ErrUnreachable), errors.As(err, &network), errors.As(err, &address):
		return exitUnreachable
	default:
		return exitFailed
	}
}
