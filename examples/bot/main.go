// Bot answers visitors' questions about their orders, and hands over to a person
// when it is out of its depth. docs/bots.md explains it.
//
//	go run ./examples/bot
//
// With nothing set, it plays a scripted conversation with a Crisp on loopback.
// With CRISP_IDENTIFIER and CRISP_KEY (and CRISP_TIER: plugin, user or website;
// CRISP_WEBSITE_ID for the latter two) it answers the visitors of the real Crisp
// until Ctrl-C, and keeps what it must not forget in the file that -state names.
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
	state := flag.String("state", "bot-state.json", "file that outlives the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = live(ctx, os.Getenv, *state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}
