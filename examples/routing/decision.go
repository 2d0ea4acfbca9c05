package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// decision is what becomes of a conversation. It is kept in the note that gives the
// reason, of which each conversation gets one. So it is still known after a restart, or
// when a message comes twice.
type decision struct {
	message  int64  // fingerprint of the visitor's message that led to it
	userID   string // of the operator, empty if nobody is available
	inboxID  string // empty if the conversation stays in its inbox
	remindAt time.Time
	note     string
}

// decide decides by a rule.
func (d desk) decide(ctx context.Context, ev *crisp.MessageSend, r *rule, why string) (decision, error) {
	made := decision{message: ev.Fingerprint}
	lines := []string{fmt.Sprintf("Routed by the rule %s: %s.", r.Name, why)}
	if r.Inbox != "" {
		inboxes, err := d.inboxes(ctx)
		if err != nil {
			return made, err
		}
		if made.inboxID = inboxes[r.Inbox]; made.inboxID == "" {
			return made, fmt.Errorf("the website has no inbox %q", r.Inbox)
		}
		lines = append(lines, fmt.Sprintf("Moved to %s.", r.Inbox))
	}
	available, err := d.available(ctx, r.Operators)
	if err != nil {
		return made, err
	}
	switch {
	case len(available) > 0:
		chosen := available[hash(ev.SessionID)%uint64(len(available))]
		made.userID = chosen.userID
		lines = append(lines, fmt.Sprintf("Assigned to %s.", chosen.name))
	case r.Remind > 0:
		made.remindAt = time.Now().Add(time.Duration(r.Remind))
		lines = append(lines, fmt.Sprintf("Nobody is available; a reminder comes at %s UTC.", made.remindAt.UTC().Format("15:04")))
	}
	made.note = strings.Join(lines, " ")
	return made, nil
}

// carryOut does what was decided. It may be done again: what it does before the note
// does no harm twice, and the assignment after it is made good by finish.
func (d decision) carryOut(ctx context.Context, client *crisp.Client, ref crisp.SessionRef) error {
	if d.inboxID != "" {
		if err := client.MoveToInbox(ctx, ref, d.inboxID); err != nil {
			return err
		}
	}
	if !d.remindAt.IsZero() {
		reminder := rest.Reminder{Date: d.remindAt, Note: "Nobody was available for this conversation."}
		if err := rest.Conversation(client, ref).Remind(ctx, reminder); err != nil {
			return err
		}
	}
	_, err := client.SendMessage(ctx, ref, crisp.Message{
		Content:     crisp.NoteContent(d.note),
		Fingerprint: noteFingerprint(ref),
		Properties:  map[string]any{"message": d.message, "operator": d.userID},
	})
	if err != nil {
		return err
	}
	return d.finish(ctx, client, ref)
}

// finish assigns the conversation.
func (d decision) finish(ctx context.Context, client *crisp.Client, ref crisp.SessionRef) error {
	if d.userID == "" {
		return nil
	}
	return client.Assign(ctx, ref, crisp.Assignment{UserID: d.userID})
}

// madeBefore returns the decision that was made for a conversation, and whether one was.
func madeBefore(ctx context.Context, client *crisp.Client, ref crisp.SessionRef) (d decision, made bool, err error) {
	note, err := rest.Conversation(client, ref).Message(ctx, noteFingerprint(ref))
	if refusal := (*crisp.APIError)(nil); errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound && refusal.FromCrisp() {
		return decision{}, false, nil
	}
	if err != nil {
		return decision{}, false, err
	}
	message, _ := note.Properties["message"].(float64) // exact: fingerprints are below 2^53
	userID, _ := note.Properties["operator"].(string)
	return decision{message: int64(message), userID: userID}, true, nil
}

// noteFingerprint returns the fingerprint of a conversation's note, always the same.
func noteFingerprint(ref crisp.SessionRef) int64 {
	return int64(hash("routing "+ref.SessionID)>>12) + 1 // of 52 bits: what JSON can hold
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}
