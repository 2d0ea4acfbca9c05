package inspect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
)

// mostChats bounds the conversations that are listed.
const mostChats = 200

// operatorName is the name of the operator who answers on the page.
const operatorName = "You"

// The senders of a chat's messages.
const (
	fromUser     = "user"
	fromOperator = "operator"
)

type chat struct {
	WebsiteID string   `json:"website_id"`
	SessionID string   `json:"session_id"`
	Nickname  string   `json:"nickname"`
	State     string   `json:"state"`
	Unread    int      `json:"unread"`
	Last      string   `json:"last"` // how the latest message begins
	Updated   string   `json:"updated"`
	Composing []string `json:"composing,omitempty"` // who is typing
}

type said struct {
	From        string          `json:"from"`
	Type        string          `json:"type"`
	Content     json.RawMessage `json:"content"`
	Timestamp   int64           `json:"timestamp"`
	Fingerprint int64           `json:"fingerprint"`
	User        nickname        `json:"user"`
}

type nickname struct {
	Nickname string `json:"nickname"`
}

func (s *Server) getChats(*http.Request) (any, error) {
	chats := []chat{}
	for _, e := range s.cfg.Ring.sessions(mostChats) {
		c, ok := s.cfg.Serve.conversation(e.Summary.SessionID)
		if ok {
			chats = append(chats, chatOf(c))
		}
	}
	return map[string]any{"conversations": chats}, nil
}

func chatOf(c crisptest.Conversation) chat {
	name, _ := c.Meta["nickname"].(string)
	told := chat{
		WebsiteID: c.WebsiteID, SessionID: c.SessionID, Nickname: name, State: c.State, Unread: c.Unread.Operator,
		Updated: c.Updated.Format(milliseconds), Composing: c.Composing,
	}
	if n := len(c.Messages); n > 0 {
		told.Last = preview(cmp.Or(c.Messages[n-1].Text(), c.Messages[n-1].Type), previewLength)
	}
	return told
}

func (s *Server) getChat(r *http.Request) (any, error) {
	c, ok := s.cfg.Serve.conversation(r.PathValue("session"))
	if !ok {
		return nil, errNoChat
	}
	messages := []said{}
	for _, m := range c.Messages {
		line := said{From: m.From, Type: m.Type, Content: m.Content, Timestamp: m.Timestamp, Fingerprint: m.Fingerprint}
		_ = json.Unmarshal(m.User, &line.User) // without a name, the nickname stays empty
		messages = append(messages, line)
	}
	return map[string]any{"conversation": chatOf(c), "messages": messages, "composing": append([]string{}, c.Composing...)}, nil
}

var errNoChat = refused{errors.New("there is no such conversation"), http.StatusNotFound}

// conversation returns a conversation by its ID alone. The ring tells its website; if it
// does not, the default website is assumed.
func (s *Serve) conversation(sessionID string) (crisptest.Conversation, bool) {
	for _, e := range slices.Backward(s.ring.keyed(keySession + sessionID)) {
		if e.Summary.WebsiteID != "" {
			return s.server.Conversation(e.Summary.WebsiteID, sessionID)
		}
	}
	return s.server.Conversation(s.websiteID, sessionID)
}

// visitor returns the visitor of a conversation.
func (s *Serve) visitor(sessionID string) (*crisptest.Visitor, error) {
	c, ok := s.conversation(sessionID)
	if !ok {
		return nil, errNoChat
	}
	return s.server.VisitorOf(crisp.SessionRef{WebsiteID: c.WebsiteID, SessionID: c.SessionID}), nil
}

// longestSaid bounds a message of a chat, in bytes.
const longestSaid = 64 << 10

func (s *Server) postChat(r *http.Request) (any, error) {
	var line struct {
		From     string `json:"from"`
		Text     string `json:"text"`
		Nickname string `json:"nickname"`
	}
	if err := decode(r, &line); err != nil {
		return nil, err
	}
	isNew := r.PathValue("session") == "new"
	switch {
	case line.From != fromUser && line.From != fromOperator:
		return nil, errFrom(line.From)
	case line.Text == "" && !isNew:
		return nil, errors.New("text is missing: what to say")
	case len(line.Text) > longestSaid:
		return nil, refused{errors.New("text is longer than 64 KiB"), http.StatusRequestEntityTooLarge}
	}
	serve := s.cfg.Serve
	var v *crisptest.Visitor
	if isNew {
		v = serve.server.VisitorOf(crisp.SessionRef{WebsiteID: serve.websiteID, SessionID: control.NewSessionID()})
	} else {
		var err error
		if v, err = serve.visitor(r.PathValue("session")); err != nil {
			return nil, err
		}
	}
	if line.Nickname != "" && line.From == fromUser {
		v.SetMeta(map[string]any{"nickname": line.Nickname})
	}
	var m crisptest.Message
	switch {
	case line.Text == "":
		v.Arrive()
	case line.From == fromUser:
		m = v.Say(line.Text)
	default:
		m = serve.server.Operator(cmp.Or(line.Nickname, operatorName)).Say(v, line.Text)
	}
	return map[string]any{"session_id": v.SessionID, "website_id": v.WebsiteID, "fingerprint": m.Fingerprint}, nil
}

func errFrom(from string) error {
	return fmt.Errorf("from is %q; it must be %s or %s", from, fromUser, fromOperator)
}

func (s *Server) postCompose(r *http.Request) (any, error) {
	var act struct {
		From    string `json:"from"`
		Typing  bool   `json:"typing"`
		Excerpt string `json:"excerpt"`
	}
	if err := decode(r, &act); err != nil {
		return nil, err
	}
	v, err := s.cfg.Serve.visitor(r.PathValue("session"))
	switch {
	case err != nil:
		return nil, err
	case act.From == fromUser && act.Typing:
		v.Type(act.Excerpt)
	case act.From == fromUser:
		v.StopTyping()
	case act.From == fromOperator:
		s.cfg.Serve.composeOperator(v, act.Typing)
	default:
		return nil, errFrom(act.From)
	}
	return struct{}{}, nil
}

// composeOperator lets programs know that the operator is typing.
func (s *Serve) composeOperator(v *crisptest.Visitor, typing bool) {
	kind := "stop"
	if typing {
		kind = "start"
	}
	payload, _ := json.Marshal(map[string]any{ // can't fail
		"website_id": v.WebsiteID, "session_id": v.SessionID, "type": kind, "timestamp": time.Now().UnixMilli(),
		"user": map[string]string{"user_id": s.server.Operator(operatorName).UserID, "nickname": operatorName},
	})
	s.server.EmitRaw("message:compose:receive", payload)
}

func (s *Server) postState(r *http.Request) (any, error) {
	var act struct {
		State string `json:"state"`
	}
	if err := decode(r, &act); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"pending", "unresolved", "resolved"}, act.State) {
		return nil, fmt.Errorf("state is %q; it must be pending, unresolved or resolved", act.State)
	}
	v, err := s.cfg.Serve.visitor(r.PathValue("session"))
	if err != nil {
		return nil, err
	}
	s.cfg.Serve.server.Operator(operatorName).SetState(v, act.State)
	return struct{}{}, nil
}
