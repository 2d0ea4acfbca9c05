package crisp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// Conversation gets a conversation. A field of it that came in an unexpected
// type is left zero and listed in its Problems; it costs no error.
func (c *Client) Conversation(ctx context.Context, ref SessionRef) (*Conversation, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, ref.path(), nil, &raw); err != nil {
		return nil, err
	}
	return decodeConversation(raw, ref.WebsiteID), nil
}

// Conversations lists the conversations of a website, page by page as the loop
// goes on:
//
//	for conversation, err := range client.Conversations(ctx, websiteID, crisp.ConversationQuery{Unread: true}) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error is the last that the loop gets. The list may change while it is read:
// a conversation that moves to its front meanwhile can be missed or come twice.
func (c *Client) Conversations(ctx context.Context, websiteID string, query ConversationQuery) iter.Seq2[*Conversation, error] {
	var check checks
	check.present("website_id", websiteID)
	query.check(&check)
	pages := func(page int) string {
		path := fmt.Sprintf("website/%s/conversations/%d", url.PathEscape(websiteID), page)
		if values := query.values(); len(values) > 0 {
			path += "?" + values.Encode()
		}
		return path
	}
	return listPages(ctx, c, check.err(), pages, func(raw json.RawMessage) *Conversation {
		return decodeConversation(raw, websiteID)
	})
}

// CreateConversation makes a new conversation on a website, with a session of
// its own.
func (c *Client) CreateConversation(ctx context.Context, websiteID string) (SessionRef, error) {
	var check checks
	check.present("website_id", websiteID)
	if err := check.err(); err != nil {
		return SessionRef{}, err
	}
	path := "website/" + url.PathEscape(websiteID) + "/conversation"
	var made struct {
		SessionID string `json:"session_id"`
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, &made); err != nil {
		return SessionRef{}, err
	}
	if made.SessionID == "" {
		return SessionRef{}, fmt.Errorf("crisp: POST %s: %w", path, errNoSession)
	}
	return SessionRef{WebsiteID: websiteID, SessionID: made.SessionID}, nil
}

var errNoSession = errors.New("the conversation was made, but its session is missing from the answer")

// InitiateConversation opens the conversation of a session that has none yet,
// such as that of a visitor who only looks at pages.
func (c *Client) InitiateConversation(ctx context.Context, ref SessionRef) error {
	return c.change(ctx, http.MethodPost, ref, "initiate", checks{}, nil)
}

// StateChange is what [Client.SetState] does.
type StateChange struct {
	State  SessionState
	User   User   // who did it; optional
	Origin string // the channel it was done by; optional
}

// SetState moves a conversation to another state.
func (c *Client) SetState(ctx context.Context, ref SessionRef, change StateChange) error {
	var check checks
	switch change.State {
	case SessionStatePending, SessionStateUnresolved, SessionStateResolved:
	default:
		check.that(false, "state", fmt.Sprintf("%q is none of pending, unresolved and resolved", string(change.State)))
	}
	check.user("user", change.User)
	return c.change(ctx, http.MethodPatch, ref, "state", check, struct {
		State  SessionState `json:"state"`
		User   *author      `json:"user,omitempty"`
		Origin string       `json:"origin,omitempty"`
	}{change.State, authorOf(change.User), change.Origin})
}

// Assignment is what [Client.Assign] does: it needs either UserID or Nobody.
type Assignment struct {
	UserID string // of the operator who gets the conversation
	Nobody bool   // takes it from whoever has it
	Silent bool   // tells nobody of it
}

// Assign routes a conversation to an operator.
func (c *Client) Assign(ctx context.Context, ref SessionRef, assignment Assignment) error {
	type operator struct {
		UserID string `json:"user_id"`
	}
	var check checks
	var assigned *operator // nil is null on the wire: nobody
	if !assignment.Nobody {
		check.present("assigned.user_id", assignment.UserID)
		assigned = &operator{assignment.UserID}
	}
	check.that(!assignment.Nobody || assignment.UserID == "", "assigned", "to somebody and to nobody")
	return c.change(ctx, http.MethodPatch, ref, "routing", check, struct {
		Assigned *operator `json:"assigned"`
		Silent   bool      `json:"silent,omitempty"`
	}{assigned, assignment.Silent})
}

// MoveToInbox moves a conversation to an inbox.
func (c *Client) MoveToInbox(ctx context.Context, ref SessionRef, inboxID string) error {
	var check checks
	check.present("inbox_id", inboxID)
	return c.moveToInbox(ctx, ref, check, &inboxID)
}

// MoveToMainInbox moves a conversation to the website's main inbox, which has
// no identifier.
func (c *Client) MoveToMainInbox(ctx context.Context, ref SessionRef) error {
	return c.moveToInbox(ctx, ref, checks{}, nil)
}

func (c *Client) moveToInbox(ctx context.Context, ref SessionRef, check checks, inboxID *string) error {
	return c.change(ctx, http.MethodPatch, ref, "inbox", check, struct {
		InboxID *string `json:"inbox_id"`
	}{inboxID})
}
