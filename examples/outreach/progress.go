package main

import (
	"context"
	"fmt"
	"io"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// progress prints the progress of a campaign.
type progress struct {
	client     *crisp.Client
	site       *rest.Site
	campaignID string
	out        io.Writer
	events     chan crisp.Event // of the campaign, and nil when some may have been missed
}

// send dispatches a campaign and prints its progress until it is done. If ctx ends
// first, the campaign goes on without it.
func send(ctx context.Context, client *crisp.Client, site *rest.Site, campaignID string, out io.Writer, opts ...crisp.RTMOption) error {
	p := &progress{client: client, site: site, campaignID: campaignID, out: out, events: make(chan crisp.Event)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rtm, err := client.NewRTM(p.router(), append(opts, crisp.WithHooks(crisp.Hooks{
		Gap: func(crisp.Gap) { p.tell(ctx, nil) },
	}))...)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(rtm.Run(ctx)) // without events there is nothing to follow
	}()
	defer func() { cancel(nil); <-ended }()
	if err := rtm.Ready(ctx); err != nil { // so that no event comes too early
		return err
	}
	if err := site.Campaigns.Dispatch(ctx, campaignID); err != nil {
		return err
	}
	return p.follow(ctx)
}

func (p *progress) router() *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.CampaignDispatched) error { return p.tellOf(ctx, ev.CampaignID, ev) })
	crisp.On(router, func(ctx context.Context, ev *crisp.CampaignRunning) error { return p.tellOf(ctx, ev.CampaignID, ev) })
	crisp.On(router, func(ctx context.Context, ev *crisp.CampaignProgress) error { return p.tellOf(ctx, ev.CampaignID, ev) })
	return router
}

func (p *progress) tellOf(ctx context.Context, campaignID string, ev crisp.Event) error {
	if campaignID == p.campaignID {
		p.tell(ctx, ev)
	}
	return nil
}

func (p *progress) tell(ctx context.Context, ev crisp.Event) {
	select {
	case p.events <- ev:
	case <-ctx.Done():
	}
}

// follow prints the events of the campaign until it is done.
func (p *progress) follow(ctx context.Context) error {
	for {
		select {
		case ev := <-p.events:
			if !p.print(ev) {
				continue
			}
			if done, err := p.done(ctx); done || err != nil {
				return err
			}
		case <-ctx.Done():
			p.say("not followed any more; it goes on")
			return context.Cause(ctx)
		}
	}
}

// print prints an event, and reports whether the campaign may be done.
func (p *progress) print(ev crisp.Event) bool {
	switch ev := ev.(type) {
	case *crisp.CampaignDispatched:
		p.say("dispatched")
	case *crisp.CampaignRunning:
		if ev.Running {
			p.say("running")
		}
		return !ev.Running
	case *crisp.CampaignProgress:
		p.say("%d %%", ev.Progress)
		return ev.Progress >= 100
	default: // events were missed
		return true
	}
	return false
}

// done asks whether the campaign is done, and prints what has become of it.
func (p *progress) done(ctx context.Context) (bool, error) {
	c, err := p.site.Campaigns.Get(ctx, p.campaignID)
	switch {
	case err != nil:
		return false, err
	case c.Progress < 100 && !c.Running:
		p.say("paused at %d %%", c.Progress)
		return false, nil
	case c.Running:
		return false, nil
	}
	p.say("done: %d of %d reached", c.Reached, c.Targets)
	return true, nil
}

func (p *progress) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, "  campaign: "+format+"\n", args...)
}
