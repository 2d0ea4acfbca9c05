package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/examples/internal/fromenv"
)

// drainTimeout is how long the program may take to store what it has received
// when it is asked to stop.
const drainTimeout = 10 * time.Second

// live keeps the contacts of the real Crisp in a file until ctx ends.
func live(ctx context.Context, getenv func(string) string, path string) error {
	client, err := fromenv.Client(getenv)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	s, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	websites := pluginWebsites(client)
	if id := getenv("CRISP_WEBSITE_ID"); id != "" {
		websites = func(context.Context) ([]string, error) { return []string{id}, nil }
	}
	err = run(ctx, newSyncer(client, s, websites))
	return errors.Join(err, s.close())
}

// pluginWebsites returns a function that lists the websites that have installed
// the plugin.
func pluginWebsites(client *crisp.Client) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var ids []string
		for website, err := range client.Websites(ctx) {
			if err != nil {
				return nil, err
			}
			ids = append(ids, website.WebsiteID)
		}
		return ids, nil
	}
}

// run follows the contacts until ctx ends, and then stores what has been received.
func run(ctx context.Context, s *syncer, middleware ...func(crisp.Handler) crisp.Handler) error {
	rtm, err := s.client.NewRTM(s.router(middleware...), crisp.WithDrainTimeout(drainTimeout), crisp.WithHooks(crisp.Hooks{
		// Changes are received from now on; those before have to be listed.
		Connected: func(crisp.Connected) { s.markStale() },
		Gap:       func(crisp.Gap) { s.markStale() },
	}))
	if err != nil {
		return err
	}
	listing, stopListing := context.WithCancel(context.WithoutCancel(ctx))
	var lists sync.WaitGroup
	lists.Go(func() { s.keepListed(listing) })
	defer lists.Wait()
	defer stopListing()

	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not stored in time", n)
	}
	return nil
}
