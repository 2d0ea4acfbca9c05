// Package cli has the program's commands, each in the file of its name.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// Surroundings are the parts of the process that commands use.
type Surroundings struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// StdoutIsTerminal reports whether stdout is a terminal; only then is it coloured.
	StdoutIsTerminal bool
}

// Process returns the surroundings of this process.
func Process() Surroundings {
	return Surroundings{
		Stdin:            os.Stdin,
		Stdout:           os.Stdout,
		Stderr:           os.Stderr,
		Getenv:           os.Getenv,
		StdoutIsTerminal: term.IsTerminal(int(os.Stdout.Fd())),
	}
}

// Run runs a command line, without the program's name, and returns its exit code.
func Run(ctx context.Context, args []string, in Surroundings) int {
	a := &app{Surroundings: in, ended: ctx.Done()}
	slog.SetDefault(slog.New(logLines{app: a}))
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && exitCode(err) != exitOK { // not if the user ended it
		a.tell("crisp: %s", strings.TrimPrefix(err.Error(), "crisp: "))
	}
	return exitCode(err)
}
