package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// drainTimeout is how long the program may take to store what it has received
// when it is asked to stop.
const drainTimeout = 10 * time.Second

// live keeps the contacts of a website and a file the same until ctx ends.
func live(ctx context.Context, path string) error {
	client, websiteID, err := newClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	s, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(newSyncer(client, websiteID, s).run(ctx), s.close())
}

// run follows both sides until ctx ends, and then stores what has been received.
func (s *syncer) run(ctx context.Context, middleware ...func(crisp.Handler) crisp.Handler) error {
	rtm, err := s.client.NewRTM(s.router(middleware...),
		crisp.WithFilter(crisp.Filter{Rooms: []string{s.websiteID}}),
		crisp.WithDrainTimeout(drainTimeout),
		crisp.WithHooks(crisp.Hooks{
			// Changes are received from now on; those before have to be listed.
			Connected: func(crisp.Connected) { s.markStale() },
			Gap:       func(crisp.Gap) { s.markStale() },
		}))
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { s.keepListed(working) })
	workers.Go(func() { s.keepSending(working) })
	defer workers.Wait()
	defer stop()

	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	if n := rtm.Stats().Dropped; n > 0 {
		return fmt.Errorf("%d events were not stored in time", n)
	}
	return nil
}
