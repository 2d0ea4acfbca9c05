// Command crisp is for whoever builds on Crisp: it shows events, sends them to a
// program under work, makes them, keeps and repeats them, and finds out what is
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Process()))
}
