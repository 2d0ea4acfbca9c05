package crisptest

import "encoding/json"

// Operator is a person who answers visitors.
type Operator struct {
	UserID   string // "operator-" and the nickname
	Nickname string

	server *Server
}

// Operator returns an operator of that name, without sending an event.
func (s *Server) Operator(nickname string) *Operator {
	return &Operator{UserID: "operator-" + nickname, Nickname: nickname, server: s}
}

func (o *Operator) user() json.RawMessage {
	return mustJSON(map[string]any{"type": "participant", "user_id": o.UserID, "nickname": o.Nickname})
}

// Say answers a visitor with a text message and returns it.
func (o *Operator) Say(to *Visitor, text string) (sent Message) { return o.Send(to, "text", text) }

// Note writes a private note into a visitor's conversation, which the visitor can't
// see, and returns it.
func (o *Operator) Note(in *Visitor, text string) (sent Message) { return o.Send(in, "note", text) }

// Send sends a visitor a message of any type and returns it. The content is what
// encoding/json can encode; otherwise Send panics.
func (o *Operator) Send(to *Visitor, kind string, content any) (sent Message) {
	encoded := mustJSON(content)
	to.do(func(c *liveConversation) {
		sent = c.addMessage(Message{Type: kind, From: fromOperator, Origin: originChat, Content: encoded, User: o.user()})
		c.server.site(c.WebsiteID).saw(o.UserID)
	})
	return sent
}

// Read marks all messages of the visitor as read.
func (o *Operator) Read(from *Visitor) {
	from.do(func(c *liveConversation) { c.markRead(fromUser, originChat, nil) })
}

// Take assigns the visitor's conversation to the operator.
func (o *Operator) Take(from *Visitor) {
	from.do(func(c *liveConversation) { c.setRouting(o.UserID) })
}

// Resolve sets the state of the visitor's conversation to "resolved".
func (o *Operator) Resolve(with *Visitor) { o.SetState(with, stateResolved) }

// SetState sets the state of the visitor's conversation: "pending", "unresolved" or
// "resolved".
func (o *Operator) SetState(of *Visitor, state string) {
	of.do(func(c *liveConversation) { c.setState(state) })
}
