package crisp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// Reply sends a message into the session of an event, in the chat, from the
// operator's side and marked as automated unless options say otherwise. It gives
// the message's fingerprint.
//
// Errors are those of [Client.SendMessage].
func (c *Client) Reply(ctx context.Context, ev SessionEvent, content Content, opts ...MessageOption) (fingerprint int64, err error) {
	m := Message{Content: content}
	for _, opt := range opts {
		opt(&m)
	}
	ref := ev.Session()
	return c.SendMessage(ctx, ref.WebsiteID, ref.SessionID, m)
}

// SendMessage sends a message into a session and gives its fingerprint.
//
// What is wrong with the message is an [*InvalidError], before anything is sent;
// other errors are those of [Client.Do]. Unless the error is an [*APIError], the
// message may have been sent; it is never sent twice.
func (c *Client) SendMessage(ctx context.Context, websiteID, sessionID string, m Message) (fingerprint int64, err error) {
	ref := SessionRef{WebsiteID: websiteID, SessionID: sessionID}
	m = m.withDefaults()
	var check checks
	check.session(ref)
	m.check(&check)
	if err := check.err(); err != nil {
		return 0, err
	}
	if err := countReply(ctx, sessionID); err != nil {
		return 0, err
	}
	c.sent.begin(sessionID)
	defer func() { c.sent.end(sessionID, fingerprint) }()
	return c.postMessage(ctx, ref, m.body())
}

func (c *Client) postMessage(ctx context.Context, ref SessionRef, body messageBody) (fingerprint int64, err error) {
	path := ref.path("message")
	var sent struct {
		Fingerprint int64 `json:"fingerprint"`
	}
	if err := c.Do(ctx, http.MethodPost, path, body, &sent); err != nil {
		return 0, err
	}
	if sent.Fingerprint == 0 {
		return 0, fmt.Errorf("crisp: POST %s: %w", path, errNoFingerprint)
	}
	return sent.Fingerprint, nil
}

var errNoFingerprint = errors.New("the message was sent, but its fingerprint is missing from the answer")

// path is that of a conversation, or of a route below it.
func (ref SessionRef) path(below ...string) string {
	path := "website/" + url.PathEscape(ref.WebsiteID) + "/conversation/" + url.PathEscape(ref.SessionID)
	for _, element := range below {
		path += "/" + element
	}
	return path
}

// change calls a route of a conversation that answers nothing, unless something
// is wrong with the arguments.
func (c *Client) change(ctx context.Context, method string, ref SessionRef, path string, check checks, body any) error {
	check.session(ref)
	if err := check.err(); err != nil {
		return err
	}
	return c.Do(ctx, method, ref.path(path), body, nil)
}

// UpdateMessage replaces the content of a message, which keeps its type.
func (c *Client) UpdateMessage(ctx context.Context, ref SessionRef, fingerprint int64, content Content) error {
	var check checks
	check.fingerprint("fingerprint", fingerprint)
	check.content(content)
	return c.change(ctx, http.MethodPatch, ref, messagePath(fingerprint), check, struct {
		Content Content `json:"content"`
	}{content})
}

// RemoveMessage removes a message for both sides.
func (c *Client) RemoveMessage(ctx context.Context, ref SessionRef, fingerprint int64) error {
	var check checks
	check.fingerprint("fingerprint", fingerprint)
	return c.change(ctx, http.MethodDelete, ref, messagePath(fingerprint), check, nil)
}

func messagePath(fingerprint int64) string { return "message/" + strconv.FormatInt(fingerprint, 10) }

// Composing tells that somebody has begun or ceased to type.
type Composing struct {
	State ComposeState
	// From is the side that types; default [FromOperator].
	From From
	// Excerpt is what has been typed so far, shown to the other side.
	Excerpt string
	// Stealth keeps it from being passed on to the other side.
	Stealth bool
	// NotAutomated tells that a person types.
	NotAutomated bool
}

// Compose shows, or ceases to show, that a side is typing. [Typing] does it
// around handlers.
func (c *Client) Compose(ctx context.Context, ref SessionRef, composing Composing) error {
	if composing.From == "" {
		composing.From = FromOperator
	}
	var check checks
	check.that(composing.State == ComposeStateStart || composing.State == ComposeStateStop,
		"type", fmt.Sprintf("%q is neither start nor stop", string(composing.State)))
	check.from(composing.From)
	return c.change(ctx, http.MethodPatch, ref, "compose", check, struct {
		Type      ComposeState `json:"type"`
		From      From         `json:"from"`
		Excerpt   string       `json:"excerpt,omitempty"`
		Stealth   bool         `json:"stealth,omitempty"`
		Automated bool         `json:"automated,omitempty"`
	}{composing.State, composing.From, composing.Excerpt, composing.Stealth, !composing.NotAutomated})
}

// Marking says which messages are marked as read or as delivered. The zero
// Marking means all messages of the visitor, in the chat.
type Marking struct {
	// From is the side that has sent the messages; default [FromUser].
	From From
	// Origin is the channel by which they were read or delivered; default "chat".
	Origin string
	// Fingerprints are those of the messages; empty = all of that side.
	Fingerprints []int64
}

// MarkRead marks messages as read by the side that they were sent to.
func (c *Client) MarkRead(ctx context.Context, ref SessionRef, marking Marking) error {
	return c.mark(ctx, ref, "read", marking)
}

// MarkDelivered marks messages as delivered to the side that they were sent to.
func (c *Client) MarkDelivered(ctx context.Context, ref SessionRef, marking Marking) error {
	return c.mark(ctx, ref, "delivered", marking)
}

func (c *Client) mark(ctx context.Context, ref SessionRef, path string, marking Marking) error {
	if marking.From == "" {
		marking.From = FromUser
	}
	if marking.Origin == "" {
		marking.Origin = originChat
	}
	var check checks
	check.from(marking.From)
	for i, fingerprint := range marking.Fingerprints {
		check.fingerprint(fmt.Sprintf("fingerprints[%d]", i), fingerprint)
	}
	return c.change(ctx, http.MethodPatch, ref, path, check, struct {
		From         From    `json:"from"`
		Origin       string  `json:"origin"`
		Fingerprints []int64 `json:"fingerprints,omitempty"`
	}{marking.From, marking.Origin, marking.Fingerprints})
}

// MarkUnread marks a conversation as unread, so that what the side from has
// sent waits for an answer again; usually [FromUser].
func (c *Client) MarkUnread(ctx context.Context, ref SessionRef, from From) error {
	var check checks
	check.from(from)
	return c.change(ctx, http.MethodPatch, ref, "unread", check, struct {
		From From `json:"from"`
	}{from})
}
