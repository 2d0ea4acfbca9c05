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

// drainTimeout is how long the store may take for what was received when the
// program is told to end.
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

// pluginWebsites lists the websites that have installed the plugin.
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

// run runs until ctx ends, and then stores what has been received.
func run(ctx context.Context, s *syncer, middleware ...func(crisp.Handler) crisp.Handler) error {
	rtm, err := s.client.NewRTM(s.router(middleware...), crisp.WithHooks(crisp.Hooks{
		// From here on no change is missed; those before must be listed.
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

	// Run has a context of its own: the end of ctx is to drain, not to drop.
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	late := rtm.Shutdown(drain)
	if err := <-ended; !errors.Is(err, crisp.ErrClosed) { // also if it is late: Run has its last words
		return err
	}
	if late != nil {
		return fmt.Errorf("not everything was stored in time: %w", late)
	}
	return nil
}
