// Echo is the skeleton of a bot: it answers each text of a visitor with the
// same text. Take it as a start; docs/bots.md tells what a bot needs before it
// may be left running, and examples/bot has it.
//
//	CRISP_IDENTIFIER=… CRISP_KEY=… go run ./examples/echo
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/crisp-go/crisp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := crisp.New(crisp.PluginToken(os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(newBot(client))
	if err != nil {
		log.Fatal(err)
	}
	// A signal ends the program once everything that was received is handled; a
	// second one ends it at once.
	context.AfterFunc(ctx, func() {
		stop()
		_ = rtm.Shutdown(context.Background())
	})
	log.Print(rtm.Run(context.Background()))
}

// newBot makes the router of the bot.
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
