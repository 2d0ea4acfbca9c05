// Quickstart shows what package crisp does.
//
//	go run ./examples/quickstart
//
// Without settings, it starts a Crisp on loopback and plays a scripted
// conversation on it, over the RTM API and by web hook. With CRISP_IDENTIFIER and
// CRISP_KEY (and CRISP_TIER: plugin, user or website; CRISP_WEBSITE_ID for the
// latter) it prints live events of the real Crisp until Ctrl-C. With
// CRISP_SIGNING_SECRET and -hooks :8080 it also serves web hooks.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	hooks := flag.String("hooks", "", "address to serve web hooks on, such as :8080 (needs CRISP_SIGNING_SECRET)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = live(ctx, os.Stdout, *hooks)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}
