package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// idleAfter is how long a visitor may say nothing to an operator's answer until
	// the conversation is done.
	idleAfter = 3 * 24 * time.Hour

	// idleCheck is how often conversations are looked for that are done.
	idleCheck = time.Hour
)

// resolveByThanks is middleware that resolves a conversation whose visitor thanks a
// person for an answer, and lets all else pass.
func (r *routing) resolveByThanks(next crisp.Handler) crisp.Handler {
	return func(ctx context.Context, ev crisp.Event) error {
		m, ok := ev.(*crisp.MessageSend)
		if !ok || !thanks(m.Text()) {
			return next(ctx, ev)
		}
		latest, err := r.latest(ctx, m.Session(), 2)
		if err != nil {
			return err
		}
		// Thanks that are late, repeated or for nothing don't resolve a conversation.
		if len(latest) < 2 || latest[0].Fingerprint != m.Fingerprint || !byPerson(latest[1]) {
			return next(ctx, ev)
		}
		return r.resolve(ctx, m.Session())
	}
}

// thanks reports whether a message says nothing but thanks.
func thanks(text string) bool {
	said := words(text)
	if len(said) == 0 || len(said) > 4 {
		return false
	}
	return slices.Contains([]string{"thanks", "thank", "thx", "merci", "danke", "gracias"}, said[0]) &&
		!slices.ContainsFunc(said, func(word string) bool { return slices.Contains([]string{"but", "mais", "aber", "pero", "no"}, word) })
}

// latest returns up to n of the latest messages that the visitor can see, the newest
// first.
func (r *routing) latest(ctx context.Context, ref crisp.SessionRef, n int) (latest []*crisp.ConversationMessage, err error) {
	for m, err := range r.client.Messages(ctx, ref) {
		if err != nil {
			return nil, err
		}
		if visible(m) {
			latest = append(latest, m)
		}
		if len(latest) == n {
			break
		}
	}
	return latest, nil
}

func (r *routing) resolve(ctx context.Context, ref crisp.SessionRef) error {
	return r.client.SetState(crisp.Idempotent(ctx), ref, crisp.StateChange{State: crisp.SessionStateResolved})
}

// keepResolving resolves idle conversations until ctx ends.
func (r *routing) keepResolving(ctx context.Context) {
	ticker := time.NewTicker(idleCheck)
	defer ticker.Stop()
	for {
		if err := r.resolveIdle(ctx); err != nil && ctx.Err() == nil {
			slog.Error("idle conversations are not resolved", "error", err, "again in", idleCheck)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// resolveIdle resolves the conversations in which an operator had the last word long ago.
func (r *routing) resolveIdle(ctx context.Context) error {
	until := time.Now().Add(-idleAfter)
	var candidates []crisp.SessionRef // first all: to resolve one moves the others to other pages
	query := crisp.ConversationQuery{NotResolved: true, Until: until}
	for conversation, err := range r.client.Conversations(ctx, r.websiteID, query) {
		if err != nil {
			return err
		}
		candidates = append(candidates, crisp.SessionRef{WebsiteID: r.websiteID, SessionID: conversation.SessionID})
	}
	var failed error
	for _, ref := range candidates {
		latest, err := r.latest(ctx, ref, 1)
		if err == nil && len(latest) == 1 && byPerson(latest[0]) && !latest[0].Timestamp.After(until) {
			err = r.resolve(ctx, ref)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
