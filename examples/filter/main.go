// Filter receives the events of one website, and changes which ones while it
// runs: messages at first, and typing, too, after the line "curious" on standard
// input. Any other line ends that.
//
//	CRISP_IDENTIFIER=… CRISP_KEY=… CRISP_WEBSITE_ID=… go run ./examples/filter
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
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
	rtm, err := client.NewRTM(newRouter(os.Stdout),
		crisp.WithFilter(messages(os.Getenv("CRISP_WEBSITE_ID"))),
		crisp.WithDrainTimeout(drainTimeout),
	)
	if err != nil {
		log.Fatal(err)
	}
	go control(ctx, rtm, os.Getenv("CRISP_WEBSITE_ID"), os.Stdin)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := rtm.Run(ctx); ctx.Err() == nil {
		log.Fatal(err)
	}
}

// messages returns the filter for the messages of a website.
func messages(websiteID string) crisp.Filter {
	return crisp.Filter{Events: []string{"message:send"}, Rooms: []string{websiteID}}
}

// messagesAndTyping returns the filter for messages and typing.
func messagesAndTyping(websiteID string) crisp.Filter {
	return crisp.Filter{Events: []string{"message:send", "message:compose:send"}, Rooms: []string{websiteID}}
}

func newRouter(w io.Writer) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		_, err := fmt.Fprintln(w, "message in", ev.SessionID)
		return err
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageComposeSend) error {
		_, err := fmt.Fprintln(w, "typing in", ev.SessionID)
		return err
	})
	return router
}

// control changes the filter for each line that is read, until there are no more.
func control(ctx context.Context, rtm *crisp.RTM, websiteID string, commands io.Reader) {
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		filter := messages(websiteID)
		if lines.Text() == "curious" {
			filter = messagesAndTyping(websiteID)
		}
		if err := rtm.Bind(ctx, filter); err != nil {
			log.Print(err)
		}
	}
}
