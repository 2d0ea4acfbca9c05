// Observed is a bot with observability: it gets messages over the RTM API and by web hook,
// stores them in a log, and answers them from there. OpenTelemetry shows what it does:
// metrics for Prometheus, and a span for each step, on stdout.
//
//	go run -C examples/observed .
//
// Without settings, it shows this with a Crisp on loopback, and ends. With CRISP_IDENTIFIER and
// CRISP_KEY (and CRISP_TIER: plugin, user or website; CRISP_WEBSITE_ID for the latter) it answers the visitors of the
// real Crisp until Ctrl-C. With CRISP_SIGNING_SECRET it also takes a plugin's web hooks, at /hooks/crisp of the address that
// -hooks names. Metrics (/metrics) and health (/healthz, /readyz) are at the address that -listen names, which should be
// open to nobody else. docs/operations.md says what to make of them.
//
// The log is in memory, so that the example needs no engine. A program that has to survive a restart has one of
// those that package bridge names.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9464", "address of metrics and health")
	hooks := flag.String("hooks", "127.0.0.1:8080", "address of web hooks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = listenLive(ctx, *listen, *hooks)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "observed:", err)
		os.Exit(1)
	}
}

func listenLive(ctx context.Context, listen, hooks string) error {
	inside, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer func() { _ = inside.Close() }() // which the server has done already, unless there was none
	outside, err := net.Listen("tcp", hooks)
	if err != nil {
		return err
	}
	defer func() { _ = outside.Close() }()
	return live(ctx, inside, outside, os.Stdout)
}
