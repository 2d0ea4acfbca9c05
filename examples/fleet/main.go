// Fleet answers visitors with the handlers of examples/bot, in several processes behind
// the bridge.
//
//	go run -C examples/fleet .
//
// Without settings, it plays Crisp and the bridge itself, starts three workers, kills one
// of them while visitors talk, and says whether each message was handled, and in order.
// With CRISP_IDENTIFIER, CRISP_KEY (and CRISP_TIER, CRISP_WEBSITE_ID) and NATS_URL, it is
// a worker behind crisp-bridge, until Ctrl-C: start as many as there is work for.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	name := flag.String("name", "worker", "what the worker is called in what it writes")
	child := flag.Bool("child", false, "end with the end of stdin, as the workers of the demonstration do")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *child {
		ctx = untilEOF(ctx, os.Stdin)
	}
	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = work(ctx, *name, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// untilEOF returns a context that ends when ctx ends or the reader is at its end.
func untilEOF(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, r) // whatever its end is
	}()
	return ctx
}
