// Crmsync keeps the contacts of a website in an SQLite database: it lists them
// when it starts, follows them by events, and lists them again when it may have
// missed some.
//
//	go -C examples/crmsync run .
//
// Without settings, it shows this with a Crisp on loopback. With CRISP_IDENTIFIER
// and CRISP_KEY (and CRISP_TIER: plugin, user or website; CRISP_WEBSITE_ID for
// the latter two) it keeps the contacts of the real Crisp in the file that -db
// names, until Ctrl-C.
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
	path := flag.String("db", "contacts.db", "file of the database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		err = demo(ctx, os.Stdout)
	} else {
		err = live(ctx, os.Getenv, *path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crmsync:", err)
		os.Exit(1)
	}
}
