package crisptest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/crisp-go/crisp"
)

// Visitor is somebody who writes through the chat of a website. What a visitor
// does reaches sessions and web hooks as events, and is there in REST.
type Visitor struct {
	WebsiteID string
	SessionID string

	server *Server
	given  map[int64]bool // fingerprints of what WaitAnswer has given; Server.mu guards it
}

// Visitor opens the chat of a website: the one that is given, the first of
// those that are fixed, or [WebsiteID]. No event tells of that alone.
func (s *Server) Visitor(websiteID ...string) *Visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	website := slices.Concat(websiteID, s.knownWebsites())[0]
	c := s.newConversation(website, "")
	return &Visitor{WebsiteID: website, SessionID: c.SessionID, server: s, given: make(map[int64]bool)}
}

// do changes the visitor's conversation. It is made anew if it was removed.
func (s *Server) do(websiteID, sessionID string, change func(c *conversation)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.findConversation(websiteID, sessionID)
	if c == nil {
		c = s.newConversation(websiteID, sessionID)
	}
	change(c)
}

// Session names the visitor's conversation, as the methods of [crisp.Client] take
// it.
func (v *Visitor) Session() crisp.SessionRef {
	return crisp.SessionRef{WebsiteID: v.WebsiteID, SessionID: v.SessionID}
}

func (v *Visitor) do(change func(c *conversation)) {
	v.server.do(v.WebsiteID, v.SessionID, change)
}

// Say sends a text.
func (v *Visitor) Say(text string) Message { return v.Send("text", text) }

// Send sends a message of a type with its content, such as "file" with a
// [*crisp.FileContent]. It panics if the content can't be marshalled.
func (v *Visitor) Send(kind string, content any) (sent Message) {
	v.do(func(c *conversation) {
		sent = c.say(Message{Type: kind, From: fromUser, Origin: originChat, Content: mustJSON(content)})
	})
	return sent
}

// originChat is the channel of those who write through a website's chat.
const originChat = "chat"

// Type begins to write, and has got as far as the excerpt. Sending a message
// ends it, and so does StopTyping.
func (v *Visitor) Type(excerpt string) {
	v.do(func(c *conversation) { c.compose(fromUser, true, map[string]any{"excerpt": excerpt}) })
}

// StopTyping gives up what was begun with Type.
func (v *Visitor) StopTyping() {
	v.do(func(c *conversation) { c.compose(fromUser, false, map[string]any{}) })
}

// Read reads all that was answered.
func (v *Visitor) Read() {
	v.do(func(c *conversation) { c.markRead(fromOperator, originChat, nil) })
}

// SetMeta tells of the visitor: keys such as "email", "nickname", "data" and
// "segments", with values as JSON has them.
func (v *Visitor) SetMeta(metas map[string]any) {
	var plain map[string]any // the types that REST would have decoded
	if err := json.Unmarshal(mustJSON(metas), &plain); err != nil {
		panic("crisptest: SetMeta: " + err.Error()) // it was marshalled a moment ago
	}
	v.do(func(c *conversation) { c.setMeta(plain) })
}

// Visit looks at a page of the website.
func (v *Visitor) Visit(title, url string) {
	v.do(func(c *conversation) {
		c.visit(Page{Title: title, URL: url, Timestamp: c.server.now().UnixMilli()})
	})
}

// Rate rates the conversation, from 0 to 5 stars.
func (v *Visitor) Rate(stars int, comment string) {
	v.do(func(c *conversation) {
		c.emit("session:sync:rating", map[string]any{"rating": map[string]any{"stars": stars, "comment": comment}})
	})
}

// Arrive comes online.
func (v *Visitor) Arrive() {
	v.do(func(c *conversation) { c.setAvailability(crisp.AvailabilityOnline) })
}

// Leave goes offline.
func (v *Visitor) Leave() {
	v.do(func(c *conversation) { c.setAvailability(crisp.AvailabilityOffline) })
}

// Conversation is the visitor's conversation as it is now.
func (v *Visitor) Conversation() Conversation {
	c, _ := v.server.Conversation(v.WebsiteID, v.SessionID)
	return c
}

// Answers are the messages by operators that the visitor gets to see, oldest
// first: no notes, and none sent in stealth.
func (v *Visitor) Answers() []Message {
	return slices.DeleteFunc(v.Conversation().Messages, func(m Message) bool {
		return m.From != fromOperator || !m.visible()
	})
}

// WaitAnswer waits for the next answer: each is given once, in order. How long
// it waits is as in [Server.WaitAuthenticated]; the error lists what REST has
// accepted instead.
func (v *Visitor) WaitAnswer(ctx context.Context) (Message, error) {
	return waiting[Message]{
		what:  "an answer to the visitor of " + v.SessionID,
		among: v.Answers,
		match: v.take,
		seen:  v.server.Sent,
	}.on(ctx, v.server)
}

// take tells whether an answer is given for the first time.
func (v *Visitor) take(answer Message) bool {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	first := !v.given[answer.Fingerprint]
	v.given[answer.Fingerprint] = true
	return first
}

// Operator is somebody who answers visitors.
type Operator struct {
	UserID   string
	Nickname string

	server *Server
}

// Operator is an operator of that name.
func (s *Server) Operator(nickname string) *Operator {
	return &Operator{UserID: "operator-" + nickname, Nickname: nickname, server: s}
}

func (o *Operator) user() json.RawMessage {
	return mustJSON(map[string]any{"type": "participant", "user_id": o.UserID, "nickname": o.Nickname})
}

// Say answers a visitor with a text.
func (o *Operator) Say(to *Visitor, text string) (sent Message) {
	to.do(func(c *conversation) {
		sent = c.say(Message{Type: "text", From: fromOperator, Origin: originChat, Content: mustJSON(text), User: o.user()})
	})
	return sent
}

// Take has the visitor's conversation routed to the operator.
func (o *Operator) Take(from *Visitor) {
	from.do(func(c *conversation) { c.setRouting(o.UserID) })
}

// Resolve ends the visitor's conversation.
func (o *Operator) Resolve(with *Visitor) {
	with.do(func(c *conversation) { c.setState(stateResolved) })
}
