// Command crisp is for whoever builds on Crisp: it shows events, sends them to a
// program in development, makes them, keeps and repeats them, and finds out what is
// wrong. docs/cli.md tells all of it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
)

func main() {
	os.Exit(cli.Run(untilSignal(), os.Args[1:], cli.Process()))
}

// untilSignal returns a context that is cancelled by the first signal to end. Its cause
// is no other than context.Canceled, with whichever version of Go this is built.
func untilSignal() context.Context {
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(signalled, func() {
		stop() // a second signal ends the program at once
		cancel()
	})
	return ctx
}
