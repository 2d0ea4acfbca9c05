// Plugin greets the visitors of all websites that have installed it, each as the
// website's own settings say. It learns of installs, removals and changed settings
// while it runs.
//
//	go run ./examples/plugin
//
// Without settings, it shows this with a Crisp on loopback. With CRISP_IDENTIFIER and
// CRISP_KEY, those of a plugin token, it greets the visitors of the real Crisp until
// Ctrl-C. -health :9090 serves /healthz and /readyz.
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
	health := flag.String("health", "", "address to serve /healthz and /readyz on, such as :9090")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = live(ctx, *health)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plugin:", err)
		os.Exit(1)
	}
}
