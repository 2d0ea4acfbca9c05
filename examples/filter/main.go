// Filter follows one website of many, and changes what it receives while it
// runs: messages at first, typing too once somebody asks for it on standard
// input.
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

	"github.com/crisp-go/crisp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := crisp.New(crisp.PluginToken(os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	rtm, err := client.NewRTM(newRouter(os.Stdout), crisp.WithFilter(quiet(os.Getenv("CRISP_WEBSITE_ID"))))
	if err != nil {
		log.Fatal(err)
	}
	go control(ctx, rtm, os.Getenv("CRISP_WEBSITE_ID"), os.Stdin)
	// A signal ends the program once everything that was received is handled; a
	// second one ends it at once.
	context.AfterFunc(ctx, func() {
		stop()
		_ = rtm.Shutdown(context.Background())
	})
	log.Print(rtm.Run(context.Background()))
}

// quiet is messages only, of one website.
func quiet(websiteID string) crisp.Filter {
	return crisp.Filter{Events: []string{"message:send"}, Rooms: []string{websiteID}}
}

// curious is typing too.
func curious(websiteID string) crisp.Filter {
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

// control binds another filter for each line: "curious" or "quiet".
func control(ctx context.Context, rtm *crisp.RTM, websiteID string, commands io.Reader) {
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		filter := quiet(websiteID)
		if lines.Text() == "curious" {
			filter = curious(websiteID)
		}
		if err := rtm.Bind(ctx, filter); err != nil {
			log.Print(err)
		}
	}
}
