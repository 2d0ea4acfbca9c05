// Hooks keeps a list of tickets by web hooks: it opens one for a visitor who
// writes, and closes it when the conversation is resolved. The list is at
// /tickets, for those who have a token.
//
//	go run ./examples/hooks
//
// Without settings, it plays a scripted conversation on a Crisp on loopback. With
// CRISP_IDENTIFIER and CRISP_KEY (and CRISP_TIER: plugin, user or website;
// CRISP_WEBSITE_ID for the latter) it serves the web hooks of the real Crisp, at
// /hooks/crisp of the address that -listen names. CRISP_SIGNING_SECRET is the
// secret with which a plugin's hooks are signed, CRISP_URL_SECRET the one that a
// website's hooks have in their URL as ?key=…
//
// The list names visitors' conversations. It is served only with TICKETS_TOKEN set,
// to requests that have it:
//
//	curl -H "Authorization: Bearer $TICKETS_TOKEN" http://localhost:8080/tickets
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
	listen := flag.String("listen", ":8080", "address to listen on")
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
	defer func() { _ = l.Close() }() // closed already if the server has run
	return live(ctx, l)
}
