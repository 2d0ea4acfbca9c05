// Routing brings conversations to those who can answer them: by rules for words,
// languages and segments it assigns them to an operator who is available, moves them
// to an inbox, sets a reminder if nobody is there, and says why in a private note. It
// resolves those that are done. Where a person has taken over, it moves nothing.
//
//	go run ./examples/routing
//
// Without settings, it shows this with a Crisp on loopback. With CRISP_IDENTIFIER,
// CRISP_KEY and CRISP_WEBSITE_ID (and CRISP_TIER: plugin, user or website) it routes
// the conversations of a website of the real Crisp until Ctrl-C, by the rules in the
// file that -rules names; rules.json is one. With -unresolved it lists what is
// unresolved since yesterday instead.
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
	rules := flag.String("rules", "", "file of the rules; without one, those of the example")
	position := flag.String("position", "routing-position", "file in which the position is kept")
	unresolved := flag.Bool("unresolved", false, "list what is unresolved since yesterday")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rules, *position, *unresolved); err != nil {
		fmt.Fprintln(os.Stderr, "routing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path, position string, unresolved bool) error {
	rules, err := loadRules(path)
	if err != nil {
		return err
	}
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		return demo(ctx, os.Stdout, rules)
	}
	client, websiteID, err := newClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if unresolved {
		return newRouting(client, websiteID, rules).printUnresolved(ctx, os.Stdout)
	}
	return live(ctx, client, websiteID, rules, position)
}
