package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/crisp-go/crisp"
)

// listRetry is the delay before a list that failed is tried again.
const listRetry = time.Minute

// syncer keeps a store in sync with Crisp.
type syncer struct {
	client   *crisp.Client
	store    *store
	websites func(context.Context) ([]string, error)
	stale    chan struct{} // holds a token if the store may have missed a change
	onListed func()        // called after each complete list
}

func newSyncer(client *crisp.Client, s *store, websites func(context.Context) ([]string, error)) *syncer {
	return &syncer{client: client, store: s, websites: websites, stale: make(chan struct{}, 1), onListed: func() {}}
}

// markStale requests a list.
func (s *syncer) markStale() {
	select {
	case s.stale <- struct{}{}:
	default: // one is requested already
	}
}

// router returns the router that follows contacts. An event whose handler fails is
// tried again, but not sent again, so the store is stale if that does not help, as
// after a gap.
func (s *syncer) router(middleware ...func(crisp.Handler) crisp.Handler) *crisp.Router {
	lost := func(_ context.Context, err error) {
		slog.Error("an event is lost", "error", err)
		s.markStale()
	}
	router := crisp.NewRouter(crisp.WithErrorHandler(lost))
	router.Use(middleware...)
	router.Use(crisp.Retry(crisp.RetryPolicy{
		DeadLetter: func(ctx context.Context, _ crisp.Event, err error) error {
			lost(ctx, err)
			return nil
		},
	}))
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileCreated) error {
		return s.store.merge(ctx, contactOf(ev.WebsiteID, ev.PeopleID, crisp.Profile{Email: ev.Email}), ev.Time)
	})
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileUpdated) error {
		return s.store.merge(ctx, contactOf(ev.WebsiteID, ev.PeopleID, ev.Update), ev.Time)
	})
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleSyncProfile) error {
		return s.store.merge(ctx, contactOf(ev.WebsiteID, ev.PeopleID, ev.Identity), ev.Time)
	})
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileRemoved) error {
		return s.store.remove(ctx, ev.WebsiteID, ev.PeopleID, ev.Time)
	})
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleBindSession) error {
		return s.store.bind(ctx, ev.Session(), ev.PeopleID, ev.Time)
	})
	return router
}

// keepListed lists contacts whenever the store may be stale, until ctx ends.
// Events are handled meanwhile; the newer change wins.
func (s *syncer) keepListed(ctx context.Context) {
	for {
		select {
		case <-s.stale:
		case <-ctx.Done():
			return
		}
		if err := s.list(ctx); err != nil && ctx.Err() == nil {
			slog.Error("the contacts can't be listed", "error", err, "again in", listRetry)
			time.AfterFunc(listRetry, s.markStale)
		}
	}
}

func (s *syncer) list(ctx context.Context) error {
	websites, err := s.websites(ctx)
	if err != nil {
		return err
	}
	for _, id := range websites {
		if err := s.listWebsite(ctx, id); err != nil {
			return err
		}
	}
	s.onListed()
	return nil
}

// listWebsite brings the contacts of a website up to date.
func (s *syncer) listWebsite(ctx context.Context, websiteID string) error {
	begun := time.Now()
	for page := 1; ; page++ {
		var people []json.RawMessage
		// Client has no method for this route, but Do calls any route.
		route := fmt.Sprintf("website/%s/people/profiles/%d", url.PathEscape(websiteID), page)
		if err := s.client.Do(ctx, http.MethodGet, route, nil, &people); err != nil {
			return err
		}
		if len(people) == 0 {
			return s.store.removeUnlisted(ctx, websiteID, begun)
		}
		for _, person := range people {
			c, err := decodePerson(websiteID, person)
			if err != nil {
				return err
			}
			if err := s.store.replace(ctx, c, begun); err != nil {
				return err
			}
		}
	}
}

// decodePerson decodes an entry of the list: a profile with its ID.
func decodePerson(websiteID string, data json.RawMessage) (contact, error) {
	var id struct {
		PeopleID string `json:"people_id"`
	}
	var profile crisp.Profile
	if err := errors.Join(json.Unmarshal(data, &id), json.Unmarshal(data, &profile)); err != nil {
		return contact{}, fmt.Errorf("an entry of the list of contacts: %w", err)
	}
	return contactOf(websiteID, id.PeopleID, profile), nil
}
