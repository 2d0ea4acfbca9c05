package main

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

const (
	// inviteEvery is how long a visitor is left alone after an invitation.
	inviteEvery = 24 * time.Hour

	// talkLasts is for how long after a message people are taken to be talking.
	talkLasts = 24 * time.Hour

	// invitedKey is the key, among the custom data, of when a visitor was invited: in
	// milliseconds since 1970.
	invitedKey = "outreach_invited_at"
)

// inviter writes to visitors who open a page.
type inviter struct {
	client *crisp.Client
	site   *rest.Site
	page   string // path of its URL, such as "/pricing"
	text   string // the invitation
	pauses *crisp.Pauses
	spared func(ref crisp.SessionRef, why string) // is called for visitors who open the page and are not invited
}

// router returns the router of the inviter. One event is handled at a time, by one
// process: so no visitor is invited twice who has two pages open.
func (i *inviter) router(middleware ...func(crisp.Handler) crisp.Handler) *crisp.Router {
	router := crisp.NewRouter()
	router.Use(middleware...)
	router.Use(crisp.Retry(crisp.RetryPolicy{DeadLetter: func(_ context.Context, _ crisp.Event, err error) error {
		slog.Error("a visitor is not invited", "error", err)
		return nil
	}}))
	i.pauses = crisp.PauseOnHuman(router, i.client, crisp.ResumeAfter(talkLasts))
	crisp.On(router, i.pages)
	return router
}

// pages invites a visitor who has opened the page.
func (i *inviter) pages(ctx context.Context, ev *crisp.SessionSyncPages) error {
	if !i.isOpen(ev.Pages) {
		return nil
	}
	ref := ev.Session()
	conversation, err := i.client.Conversation(ctx, ref)
	if err != nil {
		return err
	}
	history, err := i.history(ctx, ref)
	if err != nil {
		return err
	}
	why, err := i.objection(ctx, conversation, history)
	if err != nil {
		return err
	}
	if why != "" {
		i.spared(ref, why)
		return nil
	}
	return i.invite(ctx, conversation, history == silent)
}

// isOpen reports whether the page is the latest of those that a visitor has viewed.
func (i *inviter) isOpen(pages []crisp.Page) bool {
	var latest crisp.Page
	for _, page := range pages {
		if latest.PageURL == "" || page.Timestamp.After(latest.Timestamp) {
			latest = page
		}
	}
	parsed, err := url.Parse(latest.PageURL)
	return err == nil && parsed.Path == i.page
}

// objection returns why a visitor must not be invited now, or "".
func (i *inviter) objection(ctx context.Context, c *crisp.Conversation, h history) (why string, err error) {
	switch {
	case c.Blocked:
		return "the visitor is blocked", nil
	case invitedLately(c.Meta.Data):
		return "was invited today", nil
	case c.AssignedTo != "" && c.State != crisp.SessionStateResolved:
		return "an operator has the conversation", nil
	case c.Compose.Operator.State == crisp.ComposeStateStart, c.Compose.Visitor.State == crisp.ComposeStateStart:
		return "somebody is typing", nil
	case h == talking:
		return "people are talking", nil
	case c.PeopleID == "": // nobody whom the website knows
		return "", nil
	}
	data, err := i.site.People.Data(ctx, c.PeopleID)
	if err != nil || invitedLately(data.Data) {
		return "was invited today, in another conversation", err
	}
	// What a visitor who leaves has not read, Crisp may send by email.
	subscription, err := i.site.People.Subscription(ctx, c.PeopleID)
	if err != nil || !subscription.Email {
		return "wants no emails", err
	}
	return "", nil
}

func invitedLately(data map[string]any) bool {
	ms, _ := data[invitedKey].(float64)
	return time.Since(time.UnixMilli(int64(ms))) < inviteEvery
}

// history is what has been said in a conversation.
type history int

const (
	silent  history = iota // nothing at all
	quiet                  // nothing by a person lately
	talking                // something by a person, on either side
)

func (i *inviter) history(ctx context.Context, ref crisp.SessionRef) (history, error) {
	since, h := time.Now().Add(-talkLasts), silent
	for m, err := range i.client.Messages(ctx, ref) { // the newest first
		if err != nil {
			return h, err
		}
		h = quiet
		if m.Timestamp.Before(since) {
			break
		}
		if !m.Automated && m.Type != crisp.MessageTypeEvent {
			return talking, nil
		}
	}
	return h, nil
}

// invite writes to a visitor. It records the invitation first: if something fails then,
// the visitor gets none, which is better than two.
func (i *inviter) invite(ctx context.Context, c *crisp.Conversation, first bool) error {
	now := map[string]any{invitedKey: time.Now().UnixMilli()}
	if c.PeopleID != "" {
		if err := i.site.People.UpdateData(ctx, c.PeopleID, now); err != nil {
			return err
		}
	}
	ref := c.Session()
	if err := i.client.UpdateConversationMeta(ctx, ref, crisp.MetaUpdate{Data: with(c.Meta.Data, now)}); err != nil {
		return err
	}
	if i.pauses.Paused(ref) { // by an operator who has just answered
		return nil
	}
	if first { // the visitor's chatbox has no conversation yet
		if err := i.client.InitiateConversation(ctx, ref); err != nil {
			return err
		}
	}
	_, err := i.client.SendMessage(ctx, ref, crisp.Message{Content: crisp.TextContent(i.text)})
	return err
}

// with returns data with others added. Crisp does not say whether a change of a
// conversation's data keeps the others, so all are sent.
func with(data, more map[string]any) map[string]any {
	all := make(map[string]any, len(data)+len(more))
	for key, value := range data {
		all[key] = value
	}
	for key, value := range more {
		all[key] = value
	}
	return all
}
