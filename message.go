package crisp

import "time"

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
	// Mentions are user IDs of operators who are to be told; only of a note.
	Mentions []string
	// References are sources that the message refers to.
	References []Reference
	// Original names what the message was made of, if it comes from elsewhere.
	Original Original
	// Properties are kept with the message.
	Properties map[string]any
	// Timestamp is when the message was written, if not now.
	Timestamp time.Time
	// Fingerprint identifies the message in its session, up to 2^53-1; default,
	// as Crisp decides.
	Fingerprint int64
	// Stealth keeps the message from being passed on to the other side.
	Stealth bool
	// Translated tells that the message was translated by a machine.
	Translated bool
	// NotAutomated tells that a person wrote the message. Without it, the message
	// is marked as automated, by which bots know each other.
	NotAutomated bool
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

// WithMentions sets the operators, by user ID, who are to be told of a note.
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

// withDefaults fills in what is not said.
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
	kind := MessageType(m.Content.ContentType())
	c.present("type", string(kind))
	c.from(m.From)
	c.user("user", m.User)
	c.noneEmpty("mentions", m.Mentions)
	c.that(len(m.Mentions) == 0 || kind == MessageTypeNote, "mentions", "only a note can mention operators")
	c.references(m.References)
	if m.Fingerprint != 0 {
		c.fingerprint("fingerprint", m.Fingerprint)
	}
	c.that(m.Timestamp.IsZero() || m.Timestamp.UnixMilli() > 0, "timestamp", "before 1970")
}

// messageBody is a message as the route to send it takes it.
type messageBody struct {
	Type        string         `json:"type"`
	From        From           `json:"from"`
	Origin      string         `json:"origin"`
	Content     Content        `json:"content"`
	User        *author        `json:"user,omitempty"`
	Fingerprint int64          `json:"fingerprint,omitempty"`
	Mentions    []string       `json:"mentions,omitempty"`
	References  []Reference    `json:"references,omitempty"`
	Original    *Original      `json:"original,omitempty"`
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
	if m.Original != (Original{}) {
		body.Original = &m.Original
	}
	if !m.Timestamp.IsZero() {
		body.Timestamp = m.Timestamp.UnixMilli()
	}
	return body
}

// author is a [User] as routes take it: in events all of it is there, here
// everything is optional.
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
