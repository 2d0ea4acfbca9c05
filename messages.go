package crisp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// Message is a message to be sent. Only Content is needed: the rest says how the
// message differs from one that a bot sends in the chat.
type Message struct {
	// Content is what the message says; it also makes its type.
	Content Content
	// From is the side that the message speaks for; default [FromOperator].
	From From
	// Origin is the channel that the message comes from: "chat", which is the
	// default, "email", or a plugin's own, "urn:…".
	Origin string
	// User is who the message is shown to be from; default, as Crisp decides.
	User User
	// Mentions are user IDs of operators who are to be notified.
	Mentions []string
	// References are sources that the message refers to.
	References []Reference
	// Original is what the message was made of, if it comes from elsewhere.
	Original OriginalSource
	// Properties are kept with the message.
	Properties map[string]any
	// Timestamp is when the message was written, if not now.
	Timestamp time.Time
	// Fingerprint identifies the message in its conversation, up to 2^53-1; default,
	// as Crisp decides.
	Fingerprint int64
	// Stealth keeps the message from being passed on to the other side.
	Stealth bool
	// Translated says that the message was translated by a machine.
	Translated bool
	// NotAutomated says that a person wrote the message. Without it, the message
	// is marked as automated, by which bots know each other.
	NotAutomated bool
}

// OriginalSource is what a message that is to be sent was made of: the HTML of an
// email, say. Crisp keeps it, and the message then comes with an [Original] that
// has its ID. It needs either both of Type and Content, or ID.
type OriginalSource struct {
	Type    string // MIME type of Content, such as "text/html"
	Content string // the original as a text
	ID      string // of an original that Crisp has already: Original.OriginalID
}

// MessageOption changes a message of [Client.Reply].
type MessageOption func(*Message)

// WithFrom sets the side that the message speaks for; default [FromOperator].
func WithFrom(from From) MessageOption {
	return func(m *Message) { m.From = from }
}

// WithOrigin sets the channel that the message comes from; default "chat".
func WithOrigin(origin string) MessageOption {
	return func(m *Message) { m.Origin = origin }
}

// WithUser sets who the message is shown to be from; a nickname will do.
func WithUser(user User) MessageOption {
	return func(m *Message) { m.User = user }
}

// WithMentions sets the operators, by user ID, who are to be notified of the
// message.
func WithMentions(userIDs ...string) MessageOption {
	return func(m *Message) { m.Mentions = userIDs }
}

// WithReferences sets the sources that the message refers to.
func WithReferences(references ...Reference) MessageOption {
	return func(m *Message) { m.References = references }
}

// WithTimestamp sets when the message was written; default now.
func WithTimestamp(at time.Time) MessageOption {
	return func(m *Message) { m.Timestamp = at }
}

// WithStealth keeps the message from being passed on to the other side.
func WithStealth() MessageOption {
	return func(m *Message) { m.Stealth = true }
}

// WithAutomated sets whether the message is marked as automated; default true.
// A person wrote what is not.
func WithAutomated(automated bool) MessageOption {
	return func(m *Message) { m.NotAutomated = !automated }
}

// originChat is the channel of a website's own chat.
const originChat = "chat"

// withDefaults returns the message with what was left out.
func (m Message) withDefaults() Message {
	if m.From == "" {
		m.From = FromOperator
	}
	if m.Origin == "" {
		m.Origin = originChat
	}
	return m
}

func (m *Message) check(c *checks) {
	c.content(m.Content)
	if c.first != nil {
		return // what follows looks into the content
	}
	c.present("type", m.Content.ContentType())
	c.from(m.From)
	c.user("user", m.User)
	c.noneEmpty("mentions", m.Mentions)
	c.references(m.References)
	m.Original.check(c)
	if m.Fingerprint != 0 {
		c.fingerprint("fingerprint", m.Fingerprint)
	}
	c.that(m.Timestamp.IsZero() || m.Timestamp.UnixMilli() > 0, "timestamp", "before 1970")
}

func (o OriginalSource) check(c *checks) {
	if o == (OriginalSource{}) || o.ID != "" {
		c.that(o.ID == "" || o.Type == "" && o.Content == "", "original", "both new and known to Crisp")
		return
	}
	c.present("original.type", o.Type)
	c.present("original.content", o.Content)
}

// messageBody is the body of the call that sends a message.
type messageBody struct {
	Type        string         `json:"type"`
	From        From           `json:"from"`
	Origin      string         `json:"origin"`
	Content     Content        `json:"content"`
	User        *author        `json:"user,omitempty"`
	Fingerprint int64          `json:"fingerprint,omitempty"`
	Mentions    []string       `json:"mentions,omitempty"`
	References  []Reference    `json:"references,omitempty"`
	Original    *original      `json:"original,omitempty"`
	Properties  map[string]any `json:"properties,omitempty"`
	Timestamp   int64          `json:"timestamp,omitempty"` // ms
	Stealth     bool           `json:"stealth,omitempty"`
	Translated  bool           `json:"translated,omitempty"`
	Automated   bool           `json:"automated,omitempty"`
}

func (m *Message) body() messageBody {
	body := messageBody{
		Type:        m.Content.ContentType(),
		From:        m.From,
		Origin:      m.Origin,
		Content:     m.Content,
		User:        authorOf(m.User),
		Fingerprint: m.Fingerprint,
		Mentions:    m.Mentions,
		References:  m.References,
		Properties:  m.Properties,
		Stealth:     m.Stealth,
		Translated:  m.Translated,
		Automated:   !m.NotAutomated,
	}
	if m.Original != (OriginalSource{}) {
		body.Original = &original{m.Original.Type, m.Original.Content, m.Original.ID}
	}
	if !m.Timestamp.IsZero() {
		body.Timestamp = m.Timestamp.UnixMilli()
	}
	return body
}

// original is an [OriginalSource] as routes take it.
type original struct {
	Type    string `json:"type,omitempty"`
	Content string `json:"content,omitempty"`
	ID      string `json:"original_id,omitempty"`
}

// author is a [User] as routes take it: unlike in events, everything is optional.
type author struct {
	Type     string `json:"type,omitempty"`
	UserID   string `json:"user_id,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Avatar   string `json:"avatar,omitempty"`
}

func authorOf(user User) *author {
	if user == (User{}) {
		return nil
	}
	a := author(user)
	return &a
}

// Reply sends a message into the conversation of an event, in the chat, from the
// operator's side and marked as automated unless options say otherwise. It
// returns the message's fingerprint.
//
// Errors are those of [Client.SendMessage].
func (c *Client) Reply(ctx context.Context, ev SessionEvent, content Content, opts ...MessageOption) (fingerprint int64, err error) {
	m := Message{Content: content}
	for _, opt := range opts {
		opt(&m)
	}
	return c.SendMessage(ctx, ev.Session(), m)
}

// SendMessage sends a message into a conversation and returns its fingerprint.
//
// What is wrong with the message is an [*InvalidError], before anything is sent;
// other errors are those of [Client.Do]. Unless the error is an [*APIError], the
// message may have been sent; it is never sent twice.
func (c *Client) SendMessage(ctx context.Context, ref SessionRef, m Message) (fingerprint int64, err error) {
	m = m.withDefaults()
	var check checks
	check.session(ref)
	m.check(&check)
	if err := check.err(); err != nil {
		return 0, err
	}
	if err := checkGoing(ctx, ref); err != nil { // before a check that counts
		return 0, err
	}
	if err := checkSend(ctx, ref); err != nil {
		return 0, err
	}
	automated := !m.NotAutomated
	session := sessionKeyOf(ref.SessionID)
	c.sent.begin(session, automated)
	defer func() { c.sent.end(session, fingerprint, automated) }()
	return c.postMessage(ctx, ref, m.body())
}

func (c *Client) postMessage(ctx context.Context, ref SessionRef, body messageBody) (fingerprint int64, err error) {
	path := ref.path("message")
	var raw json.RawMessage
	how := policy{allow: func() error { return checkGoing(ctx, ref) }} // again: the call may have waited for its turn
	if err := c.do(ctx, how, http.MethodPost, path, body, &raw); err != nil {
		return 0, err
	}
	if fingerprint = sentFingerprint(raw); fingerprint == 0 {
		return 0, fmt.Errorf("crisp: POST %s: %w", path, errNoFingerprint)
	}
	return fingerprint, nil
}

// sentFingerprint returns the fingerprint in the answer to a message, in whatever form the number
// is: the message was sent, and must not seem to have failed. 0 = there is none.
func sentFingerprint(raw json.RawMessage) (fingerprint int64) {
	decodeData(raw, func(d *payload.Decoder, p payload.Presence) {
		if !d.Object(p) {
			return
		}
		for key, ok := d.Next(); ok; key, ok = d.Next() {
			if key == "fingerprint" {
				fingerprint = d.Int64(payload.Optional)
			} else {
				d.Skip()
			}
		}
	})
	return fingerprint
}

var errNoFingerprint = errors.New("the message was sent, but its fingerprint is missing from the answer")

// path returns the route of a conversation, or of elements below it, escaped.
func (ref SessionRef) path(below ...string) string {
	path := "website/" + url.PathEscape(ref.WebsiteID) + "/conversation/" + url.PathEscape(ref.SessionID)
	for _, element := range below {
		path += "/" + element
	}
	return path
}

// change calls a route below a conversation whose answer has no data, unless the arguments fail
// the checks.
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

// Composing says that somebody has begun or ceased to type.
type Composing struct {
	State ComposeState
	// From is the side that types; default [FromOperator].
	From From
	// Excerpt is what has been typed so far, shown to the other side.
	Excerpt string
	// Stealth keeps it from being passed on to the other side.
	Stealth bool
	// NotAutomated says that a person types.
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
