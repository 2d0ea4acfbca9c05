// Readme is the program of the README, word for word, and its test.
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := crisp.NewFromEnv() // CRISP_IDENTIFIER and CRISP_KEY
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(newBot(client), crisp.WithDrainTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	if err := rtm.Run(ctx); ctx.Err() == nil { // connects, dispatches, reconnects; until Ctrl-C
		log.Fatal(err)
	}
}

func newBot(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("You said: "+ev.Text()))
		return err
	})
	return router
}
