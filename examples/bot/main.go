// Bot answers visitors' questions about their orders, and hands over to a person
// when it doesn't understand. docs/bots.md explains it.
//
//	go run ./examples/bot
//
// Without settings, it plays a scripted conversation on a Crisp on loopback. With
// CRISP_IDENTIFIER and CRISP_KEY (and CRISP_TIER: plugin, user or website;
// CRISP_WEBSITE_ID for the latter two) it answers the visitors of the real Crisp
// until Ctrl-C, and saves its state in the file that -state names.
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
	state := flag.String("state", "bot-state.json", "file in which the bot saves its state")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = live(ctx, *state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}
