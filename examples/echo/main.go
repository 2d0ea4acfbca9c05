// Echo is the skeleton of a bot: it answers each text of a visitor with the same
// text. It is only a start: docs/bots.md says what a bot needs before it can be
// left running, and examples/bot has it.
//
//	CRISP_IDENTIFIER=… CRISP_KEY=… go run ./examples/echo
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/crisp-go/crisp"
)

// drainTimeout is how long the program may take, after a signal, to handle what it has
// received.
const drainTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := crisp.NewFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(newBot(client), crisp.WithDrainTimeout(drainTimeout))
	if err != nil {
		log.Fatal(err)
	}
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := rtm.Run(ctx); ctx.Err() == nil {
		log.Fatal(err)
	}
}

// newBot returns the router of the bot.
func newBot(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		text, ok := ev.Content.(crisp.TextContent)
		if !ok {
			return nil
		}
		_, err := client.Reply(ctx, ev, text)
		return err
	})
	return router
}
