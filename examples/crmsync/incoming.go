package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// listRetry is the delay before a list that failed is tried again.
const listRetry = time.Minute

// syncer keeps a database and the contacts of a website the same.
type syncer struct {
	client    *crisp.Client
	websiteID string
	people    *rest.PeopleService
	store     *store
	stale     chan struct{} // holds a token if a change in Crisp may have been missed
	changed   func()        // is called when something was brought from one side to the other
}

func newSyncer(client *crisp.Client, websiteID string, s *store) *syncer {
	return &syncer{
		client: client, websiteID: websiteID, people: rest.Website(client, websiteID).People,
		store: s, stale: make(chan struct{}, 1), changed: func() {},
	}
}

// markStale requests a list.
func (s *syncer) markStale() {
	select {
	case s.stale <- struct{}{}:
	default: // one is requested already
	}
}

// router returns the router that follows contacts. An event whose handler fails is
// tried again, but not sent again, so a list has to be made if that does not help, as
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
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileCreated) error { return s.refresh(ctx, ev.PeopleID) })
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileUpdated) error { return s.refresh(ctx, ev.PeopleID) })
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleSyncProfile) error { return s.refresh(ctx, ev.PeopleID) })
	crisp.On(router, func(ctx context.Context, ev *crisp.PeopleProfileRemoved) error { return s.gone(ctx, ev.PeopleID) })
	return router
}

// refresh brings a contact up to date with Crisp. An event has only some of its fields and
// may be late, so only the contact's ID is taken from it.
func (s *syncer) refresh(ctx context.Context, peopleID string) error {
	profile, err := s.people.Profile(ctx, peopleID)
	if notFound(err) {
		return s.gone(ctx, peopleID)
	}
	if err != nil {
		return err
	}
	defer s.changed()
	return s.store.apply(ctx, profile)
}

func (s *syncer) gone(ctx context.Context, peopleID string) error {
	defer s.changed()
	return s.store.gone(ctx, peopleID)
}

// notFound reports whether Crisp has said that there is no such contact.
func notFound(err error) bool {
	var refusal *crisp.APIError
	return errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound && refusal.FromCrisp()
}

// keepListed lists the contacts whenever changes may have been missed, until ctx ends.
// Events are handled at the same time.
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

// list brings all contacts up to date with Crisp.
func (s *syncer) list(ctx context.Context) error {
	defer s.changed()
	begun := time.Now()
	for profile, err := range s.people.Profiles(ctx, rest.ProfilesQuery{}) {
		if err != nil {
			return err
		}
		if err := s.store.apply(ctx, profile); err != nil {
			return err
		}
	}
	// A contact may have moved from one page to another during the list, and so be missing.
	unseen, err := s.store.unseen(ctx, begun)
	if err != nil {
		return err
	}
	for _, peopleID := range unseen {
		if err := s.refresh(ctx, peopleID); err != nil {
			return err
		}
	}
	return nil
}
