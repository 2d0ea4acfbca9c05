// Crmsync keeps the contacts of a website and an SQLite database the same: what changes
// in Crisp gets into the database, and what other programs change there, by plain SQL,
// gets to Crisp. Of two changes of a contact, the later wins. It may be killed at any
// time: nothing is lost.
//
//	go -C examples/crmsync run .
//
// Without settings, it shows this with a Crisp on loopback. With CRISP_IDENTIFIER,
// CRISP_KEY and CRISP_WEBSITE_ID (and CRISP_TIER: plugin, user or website) it keeps the
// contacts of a website of the real Crisp and the file that -db names the same, until
// Ctrl-C. schema.sql says what other programs may do to the file.
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
		err = live(ctx, *path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crmsync:", err)
		os.Exit(1)
	}
}
