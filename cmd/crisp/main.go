// Command crisp is a tool for people who build on Crisp: it shows events, makes them,
// sends them to a program in development, captures and replays them, and finds out what
// is wrong. docs/cli.md describes it.
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

// untilSignal returns a context that the first signal to end cancels. Its cause is always
// context.Canceled, while that of signal.NotifyContext depends on Go's version.
func untilSignal() context.Context {
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(signalled, func() {
		stop() // a second signal ends the program at once
		cancel()
	})
	return ctx
}
