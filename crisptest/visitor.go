package crisptest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// Visitor is somebody who uses the chat of a website. What a visitor does is sent
// as events to RTM sessions and web hooks, and changes the conversation that REST
// returns.
type Visitor struct {
	WebsiteID string
	SessionID string // identifies the visitor's conversation

	server   *Server
	returned *fifo.Map[int64, struct{}] // fingerprints of what WaitAnswer has returned; guarded by Server.mu
}

// Visitor begins a conversation of a new visitor, which sends no event yet. Its
// website is the given one, or else the first of [WithWebsites], or else
// [WebsiteID].
func (s *Server) Visitor(websiteID ...string) *Visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	website := slices.Concat(websiteID, s.websites.only, []string{WebsiteID})[0]
	return s.visitorOf(s.newConversation(website, ""))
}

// VisitorOf returns the visitor of a conversation, which begins if there is none: for
// one that a program has created over REST, or whose session ID is known in advance.
func (s *Server) VisitorOf(session crisp.SessionRef) *Visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.findConversation(session.WebsiteID, session.SessionID)
	if c == nil {
		c = s.newConversation(session.WebsiteID, session.SessionID)
	}
	return s.visitorOf(c)
}

func (s *Server) visitorOf(c *liveConversation) *Visitor {
	return &Visitor{WebsiteID: c.WebsiteID, SessionID: c.SessionID, server: s, returned: fifo.New[int64, struct{}](s.history)}
}

// do changes a conversation. It begins it again if it was removed.
func (s *Server) do(websiteID, sessionID string, change func(c *liveConversation)) {
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

func (v *Visitor) do(change func(c *liveConversation)) {
	v.server.do(v.WebsiteID, v.SessionID, change)
}

// Say sends a text message and returns it.
func (v *Visitor) Say(text string) Message { return v.Send("text", text) }

// Send sends a message of any type and returns it. The content is what
// encoding/json can encode, such as a [*crisp.FileContent] for a message of type
// "file"; otherwise Send panics. While the conversation is blocked, the message goes
// nowhere: what is returned has no fingerprint.
func (v *Visitor) Send(kind string, content any) (sent Message) {
	sent = Message{WebsiteID: v.WebsiteID, SessionID: v.SessionID, Type: kind, From: fromUser, Origin: originChat, Content: mustJSON(content)}
	v.do(func(c *liveConversation) {
		if !c.Blocked {
			sent = c.addMessage(sent)
		}
	})
	return sent
}

// originChat is the origin of messages that are sent through a website's chat.
const originChat = "chat"

// Type shows that the visitor is typing and has typed the excerpt so far. Sending
// a message or StopTyping ends that.
func (v *Visitor) Type(excerpt string) {
	v.do(func(c *liveConversation) { c.compose(fromUser, true, map[string]any{"excerpt": excerpt}) })
}

// StopTyping shows that the visitor is no longer typing.
func (v *Visitor) StopTyping() {
	v.do(func(c *liveConversation) { c.compose(fromUser, false, map[string]any{}) })
}

// Read marks all messages from operators as read.
func (v *Visitor) Read() {
	v.do(func(c *liveConversation) { c.markRead(fromOperator, originChat, nil) })
}

// SetMeta sets metas of the conversation, such as "email", "nickname", "data" and
// "segments", to the values that REST has for them, and sends their events. "data"
// is merged with what is there. SetMeta panics if encoding/json can't encode a
// value.
func (v *Visitor) SetMeta(metas map[string]any) {
	var plain map[string]any // with the types that REST would have decoded
	if err := json.Unmarshal(mustJSON(metas), &plain); err != nil {
		panic("crisptest: SetMeta: " + err.Error()) // can't be: it has just been encoded
	}
	v.do(func(c *liveConversation) { c.setMeta(plain) })
}

// Visit opens a page of the website: it is the latest of those that the visitor has
// viewed. It sends session:sync:pages, and website:update_visitors_count if the
// visitor was not on the website, where they are from now on until they Leave.
func (v *Visitor) Visit(title, url string) {
	v.do(func(c *liveConversation) {
		c.visit(Page{Title: title, URL: url, Timestamp: c.server.now().UnixMilli()})
	})
}

// Rate rates the conversation with 0 to 5 stars.
func (v *Visitor) Rate(stars int, comment string) {
	v.do(func(c *liveConversation) {
		c.emit("session:sync:rating", map[string]any{"rating": map[string]any{"stars": stars, "comment": comment}})
	})
}

// Arrive makes the visitor available, which is online, and so on the website.
func (v *Visitor) Arrive() {
	v.do(func(c *liveConversation) { c.setAvailability(crisp.AvailabilityOnline) })
}

// Leave makes the visitor unavailable, which is offline, and no longer on the website.
func (v *Visitor) Leave() {
	v.do(func(c *liveConversation) { c.setAvailability(crisp.AvailabilityOffline) })
}

// Conversation returns the visitor's conversation as it is now. It is zero if the
// conversation was removed.
func (v *Visitor) Conversation() Conversation {
	c, _ := v.server.Conversation(v.WebsiteID, v.SessionID)
	return c
}

// Answers returns the messages from operators that the visitor can see, oldest
// first: neither notes nor messages sent in stealth.
func (v *Visitor) Answers() []Message {
	return slices.DeleteFunc(v.Conversation().Messages, func(m Message) bool {
		return m.From != fromOperator || !m.visible()
	})
}

// WaitAnswer waits for the next of [Visitor.Answers] and returns it: each of them
// once, in order. It waits as long as [Server.WaitAuthenticated] does; the error
// lists the messages that were sent over REST instead.
func (v *Visitor) WaitAnswer(ctx context.Context) (Message, error) {
	return waiter[Message]{
		what:  "an answer to the visitor of " + v.SessionID,
		among: v.Answers,
		match: v.take,
		seen:  v.server.Sent,
	}.wait(ctx, v.server)
}

// take reports whether WaitAnswer has not returned an answer before, and marks it
// as returned.
func (v *Visitor) take(answer Message) bool {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	if _, before := v.returned.Get(answer.Fingerprint); before {
		return false
	}
	v.returned.Put(answer.Fingerprint, struct{}{})
	return true
}
