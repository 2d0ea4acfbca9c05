package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// drainTimeout is how long the program may take, when it is asked to stop, to handle
// what it has received.
const drainTimeout = 10 * time.Second

// text is the invitation.
const text = "Hello! If you have a question about our plans, ask away: a person will answer."

func newInviter(client *crisp.Client, websiteID, page string) *inviter {
	return &inviter{client: client, site: rest.Website(client, websiteID), page: page, text: text, spared: logSpared}
}

func logSpared(ref crisp.SessionRef, why string) {
	slog.Info("a visitor is not invited", "conversation", ref.SessionID, "why", why)
}

// live invites the visitors of a website until ctx ends.
func live(ctx context.Context, client *crisp.Client, websiteID, page string) error {
	i := newInviter(client, websiteID, page)
	return i.run(ctx, i.router(),
		crisp.WithFilter(crisp.Filter{Rooms: []string{websiteID}}),
		crisp.WithHooks(crisp.Hooks{
			Connected: func(c crisp.Connected) { slog.Info("connected", "endpoint", c.Endpoint) },
			Retrying:  func(r crisp.Retrying) { slog.Warn("connecting again", "in", r.Delay, "error", r.Err) },
		}),
	)
}

// run invites visitors until ctx ends, and then handles what has been received.
func (i *inviter) run(ctx context.Context, router *crisp.Router, opts ...crisp.RTMOption) error {
	rtm, err := i.client.NewRTM(router, append(opts, crisp.WithDrainTimeout(drainTimeout))...)
	if err != nil {
		return err
	}
	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not handled in time", n)
	}
	return nil
}

// liveCampaign sends a campaign and prints its progress.
func liveCampaign(ctx context.Context, client *crisp.Client, websiteID string, c campaign, out io.Writer) error {
	site := rest.Website(client, websiteID)
	id, err := c.prepare(ctx, site)
	if err != nil {
		return err
	}
	return send(ctx, client, site, id, out, crisp.WithFilter(crisp.Filter{Rooms: []string{websiteID}}))
}
