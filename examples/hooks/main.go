// Hooks keeps a list of tickets by web hooks: a visitor who writes gets one, and
// it is closed when the conversation is resolved. The list is at /tickets.
//
//	go run ./examples/hooks
//
// With nothing set, it plays a scripted conversation with a Crisp on loopback.
// With CRISP_IDENTIFIER and CRISP_KEY (and CRISP_TIER: plugin, user or website;
// CRISP_WEBSITE_ID for the latter) it serves the web hooks of the real Crisp at
// /hooks/crisp of the address that -listen gives. CRISP_SIGNING_SECRET is what a
// plugin's hooks are signed with, CRISP_URL_SECRET what a website's have in their
// URL as ?key=…
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = listenLive(ctx, *listen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hooks:", err)
		os.Exit(1)
	}
}

func listenLive(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // the server has closed it, if it got so far
	return live(ctx, os.Getenv, l)
}
