// Outreach writes to people first: to a visitor who opens the pricing page, once a
// day at most, and never where people are talking; and to all contacts of a segment,
// by a campaign that is made from a template, whose progress it prints. People who want
// no emails get none.
//
//	go run ./examples/outreach
//
// Without settings, it shows this with a Crisp on loopback. With CRISP_IDENTIFIER,
// CRISP_KEY and CRISP_WEBSITE_ID (and CRISP_TIER: plugin, user or website) it invites
// the visitors of a website of the real Crisp until Ctrl-C. With -campaign it sends
// one instead, for which Crisp wants a token of the tier user:
//
//	outreach -campaign "Spring news" -subject "Spring is here" -template "Letter" -segment customers
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	page := flag.String("page", "/pricing", "path of the page whose visitors are invited")
	var c campaign
	flag.StringVar(&c.Name, "campaign", "", "name of a campaign to be sent")
	flag.StringVar(&c.Subject, "subject", "", "its subject")
	flag.StringVar(&c.Template, "template", "", "name of the template that it is made from")
	flag.StringVar(&c.Segment, "segment", "", "segment of the contacts who get it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *page, c); err != nil {
		fmt.Fprintln(os.Stderr, "outreach:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, page string, c campaign) error {
	if os.Getenv("CRISP_IDENTIFIER") == "" {
		return demo(ctx, out)
	}
	client, websiteID, err := newClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if c.Name != "" {
		return liveCampaign(ctx, client, websiteID, c, out)
	}
	return live(ctx, client, websiteID, page)
}
