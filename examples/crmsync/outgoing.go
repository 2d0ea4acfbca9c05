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

const (
	// outboxPoll is how often the outbox is looked at. Other programs fill it, and
	// SQLite tells nobody.
	outboxPoll = 200 * time.Millisecond

	// outboxRetry is the delay before what could not be sent is tried again.
	outboxRetry = time.Minute
)

// keepSending sends what is in the outbox until ctx ends.
func (s *syncer) keepSending(ctx context.Context) {
	for {
		wait := outboxPoll
		if err := s.sendPending(ctx); err != nil && ctx.Err() == nil {
			slog.Error("changes are not sent to Crisp", "error", err, "again in", outboxRetry)
			wait = outboxRetry
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// sendPending sends each change that is in the outbox. One that fails does not keep
// the others.
func (s *syncer) sendPending(ctx context.Context) error {
	pending, err := s.store.pending(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range pending {
		err := s.send(crisp.Idempotent(ctx), r)
		var refusal *crisp.APIError
		if errors.As(err, &refusal) && refusal.StatusCode == http.StatusBadRequest && refusal.FromCrisp() {
			slog.Error("Crisp does not take a contact", "contact", r.ID, "reason", refusal.Reason)
			err = s.store.refused(ctx, r, refusal.Reason)
		}
		failed = errors.Join(failed, err)
		s.changed()
	}
	return failed
}

// send brings a change to Crisp. It may be killed at any moment: the change is in the
// outbox until Crisp is known to have it, and to send it again does no harm.
func (s *syncer) send(ctx context.Context, r row) error {
	theirs, err := s.profileOf(ctx, r)
	if err != nil {
		return err
	}
	if theirs != nil {
		r.PeopleID = theirs.PeopleID
		if err := s.store.apply(ctx, theirs); err != nil { // which decides whose change is later
			return err
		}
		if ours, err := s.store.isPending(ctx, r); err != nil || !ours {
			return err
		}
	}
	switch {
	case theirs == nil && r.Removed:
		return s.store.done(ctx, r, nil)
	case theirs == nil && r.PeopleID != "": // somebody has removed it in Crisp
		return s.store.gone(ctx, r.PeopleID)
	case r.Removed:
		if err := s.people.RemoveProfile(ctx, r.PeopleID); err != nil && !notFound(err) {
			return err
		}
		return s.store.done(ctx, r, nil)
	}
	if theirs == nil || fieldsOf(theirs).text() != r.text() {
		if r.PeopleID, err = s.write(ctx, r); err != nil {
			return err
		}
		if theirs, err = s.people.Profile(ctx, r.PeopleID); err != nil {
			return err
		}
	}
	return s.store.done(ctx, r, theirs)
}

// profileOf returns what Crisp has of a contact, or nil. One that was made here is
// looked for by its address: it may have been sent before this program was killed.
func (s *syncer) profileOf(ctx context.Context, r row) (*rest.Profile, error) {
	id := r.PeopleID
	if id == "" {
		id = r.Email
	}
	if id == "" || r.PeopleID == "" && r.Removed {
		return nil, nil //nolint:nilnil // there is none, and that's no error
	}
	profile, err := s.people.Profile(ctx, id)
	if notFound(err) {
		return nil, nil //nolint:nilnil // likewise
	}
	return profile, err
}

// write creates or changes a contact in Crisp, and returns its identifier.
func (s *syncer) write(ctx context.Context, r row) (peopleID string, err error) {
	if err := s.store.sending(ctx, r); err != nil {
		return "", err
	}
	if r.PeopleID == "" {
		return s.people.CreateProfile(ctx, r.card())
	}
	return r.PeopleID, s.people.UpdateProfile(ctx, r.PeopleID, r.card())
}
