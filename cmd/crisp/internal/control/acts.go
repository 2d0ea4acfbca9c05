package control

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// Act holds the parameters of what a visitor or an operator does.
type Act struct {
	WebsiteID string          `json:"website_id,omitempty"` // empty for the server's default website
	SessionID string          `json:"session_id,omitempty"` // the conversation in which an operator acts
	Text      string          `json:"text,omitempty"`
	Type      string          `json:"type,omitempty"`    // of a message
	Content   json.RawMessage `json:"content,omitempty"` // of a message
	Title     string          `json:"title,omitempty"`   // of a page
	URL       string          `json:"url,omitempty"`     // of a page
	Meta      map[string]any  `json:"meta,omitempty"`    // "email", "nickname", "data", …
	Stars     int             `json:"stars,omitempty"`
	State     string          `json:"state,omitempty"`
}

// NewVisitor describes a visitor who begins a conversation. All fields may be empty.
type NewVisitor struct {
	WebsiteID string         `json:"website_id,omitempty"`
	SessionID string         `json:"session_id,omitempty"` // empty for a random one
	Meta      map[string]any `json:"meta,omitempty"`
}

// Done is the result of an act.
type Done struct {
	WebsiteID string   `json:"website_id"`
	SessionID string   `json:"session_id"`
	Message   *Message `json:"message,omitempty"` // if the act sent one
}

type visitorAct func(v *crisptest.Visitor, with Act) (*Message, error)

var visitorActs = map[string]visitorAct{
	"say": func(v *crisptest.Visitor, with Act) (*Message, error) {
		return spoken(with.Text, v.Say)
	},
	"send": func(v *crisptest.Visitor, with Act) (*Message, error) { return sent(with, v.Send) },
	"type": func(v *crisptest.Visitor, with Act) (*Message, error) {
		v.Type(with.Text)
		return nil, nil
	},
	"stop-typing": plain((*crisptest.Visitor).StopTyping),
	"open": func(v *crisptest.Visitor, with Act) (*Message, error) {
		if with.URL == "" {
			return nil, errors.New("url is missing: that of the page")
		}
		v.Visit(cmp.Or(with.Title, with.URL), with.URL)
		return nil, nil
	},
	"set": func(v *crisptest.Visitor, with Act) (*Message, error) {
		if len(with.Meta) == 0 {
			return nil, errors.New(`meta is missing: what to set, such as {"email": "ada@example.com"}`)
		}
		v.SetMeta(with.Meta)
		return nil, nil
	},
	"read":   plain((*crisptest.Visitor).Read),
	"arrive": plain((*crisptest.Visitor).Arrive),
	"leave":  plain((*crisptest.Visitor).Leave),
	"rate": func(v *crisptest.Visitor, with Act) (*Message, error) {
		if with.Stars < 0 || with.Stars > 5 {
			return nil, fmt.Errorf("stars is %d; it must be from 0 to 5", with.Stars)
		}
		v.Rate(with.Stars, with.Text)
		return nil, nil
	},
}

func plain(act func(*crisptest.Visitor)) visitorAct {
	return func(v *crisptest.Visitor, _ Act) (*Message, error) {
		act(v)
		return nil, nil
	}
}

type operatorAct func(o *crisptest.Operator, v *crisptest.Visitor, with Act) (*Message, error)

var operatorActs = map[string]operatorAct{
	"say": func(o *crisptest.Operator, v *crisptest.Visitor, with Act) (*Message, error) {
		return spoken(with.Text, func(text string) Message { return o.Say(v, text) })
	},
	"note": func(o *crisptest.Operator, v *crisptest.Visitor, with Act) (*Message, error) {
		return spoken(with.Text, func(text string) Message { return o.Note(v, text) })
	},
	"send": func(o *crisptest.Operator, v *crisptest.Visitor, with Act) (*Message, error) {
		return sent(with, func(kind string, content any) Message { return o.Send(v, kind, content) })
	},
	"read": func(o *crisptest.Operator, v *crisptest.Visitor, _ Act) (*Message, error) {
		o.Read(v)
		return nil, nil
	},
	"take": func(o *crisptest.Operator, v *crisptest.Visitor, _ Act) (*Message, error) {
		o.Take(v)
		return nil, nil
	},
	"set-state": func(o *crisptest.Operator, v *crisptest.Visitor, with Act) (*Message, error) {
		if !slices.Contains([]string{"pending", "unresolved", "resolved"}, with.State) {
			return nil, fmt.Errorf("state is %q; it must be pending, unresolved or resolved", with.State)
		}
		o.SetState(v, with.State)
		return nil, nil
	},
}

func spoken(text string, say func(string) Message) (*Message, error) {
	if text == "" {
		return nil, errors.New("text is missing: what to say")
	}
	m := say(text)
	return &m, nil
}

func sent(with Act, send func(kind string, content any) Message) (*Message, error) {
	if with.Type == "" || len(with.Content) == 0 {
		return nil, errors.New("type or content is missing: those of the message")
	}
	m := send(with.Type, with.Content)
	return &m, nil
}

func actNames[T any](acts map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(acts)), ", ")
}

func (h *handler) begin(r *http.Request) (any, error) {
	var who NewVisitor
	if err := decode(r, &who); err != nil {
		return nil, err
	}
	v := h.visitor(who.WebsiteID, cmp.Or(who.SessionID, NewSessionID()))
	if len(who.Meta) > 0 {
		v.SetMeta(who.Meta)
	}
	return Done{WebsiteID: v.WebsiteID, SessionID: v.SessionID}, nil
}

func (h *handler) visitor(websiteID, sessionID string) *crisptest.Visitor {
	return h.srv.VisitorOf(crisp.SessionRef{WebsiteID: cmp.Or(websiteID, h.website), SessionID: sessionID})
}

func (h *handler) visitorAct(r *http.Request) (any, error) {
	act, err := find(visitorActs, r.PathValue("act"), "a visitor")
	if err != nil {
		return nil, err
	}
	var with Act
	if err := decode(r, &with); err != nil {
		return nil, err
	}
	v := h.visitor(with.WebsiteID, r.PathValue("session_id"))
	return done(v, func() (*Message, error) { return act(v, with) })
}

func (h *handler) operatorAct(r *http.Request) (any, error) {
	act, err := find(operatorActs, r.PathValue("act"), "an operator")
	if err != nil {
		return nil, err
	}
	var with Act
	if err := decode(r, &with); err != nil {
		return nil, err
	}
	if with.SessionID == "" {
		return nil, errors.New("session_id is missing: that of the visitor")
	}
	v := h.visitor(with.WebsiteID, with.SessionID)
	return done(v, func() (*Message, error) { return act(h.srv.Operator(r.PathValue("name")), v, with) })
}

func done(v *crisptest.Visitor, act func() (*Message, error)) (any, error) {
	m, err := act()
	if err != nil {
		return nil, err
	}
	return Done{WebsiteID: v.WebsiteID, SessionID: v.SessionID, Message: m}, nil
}

func find[T any](acts map[string]T, name, who string) (T, error) {
	act, ok := acts[name]
	if !ok {
		return act, refused{fmt.Errorf("%s can't %q, but %s", who, name, actNames(acts)), http.StatusNotFound}
	}
	return act, nil
}
