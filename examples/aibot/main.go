// Aibot answers visitors by a language model, any behind an HTTP API like OpenAI's, and
// hands over to people. docs/bots.md explains it.
//
//	go run ./examples/aibot
//
// Without settings, it plays scenes with a scripted visitor, operator and model, all in
// this program. With CRISP_IDENTIFIER and CRISP_KEY it answers the visitors of the real
// Crisp until Ctrl-C; env.go lists the other variables.
//
// Read bot.go first: what happens to a visitor's message. history.go is what the model
// gets to read, model.go, stream.go and sse.go are how it is asked, budget.go is what
// that may cost, handover.go how people take over, reply.go how an answer is sent.
// state.go keeps what must survive a restart, stub.go is the model of the scenes.
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
	state := flag.String("state", "aibot-state.json", "file in which the bot saves its state")
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
		fmt.Fprintln(os.Stderr, "aibot:", err)
		os.Exit(1)
	}
}
