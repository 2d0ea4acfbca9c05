package mcpserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/crisp-go/crisp"
)

func (s *Server) addActing() {
	addTool(s, acting("answer", "Answer",
		"Send a message to the visitor of a conversation. It can't be taken back unseen.", false), s.answer)
	addTool(s, acting("add_note", "Add a note",
		"Leave a note in a conversation, which operators see and the visitor does not.", false), s.addNote)
	addTool(s, acting("assign", "Assign",
		"Assign a conversation to an operator, or to nobody.", true), s.assign)
	addTool(s, acting("set_state", "Set the state",
		"Set a conversation to pending, unresolved or resolved.", true), s.setState)
}

type sayIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	SessionID string `json:"session_id"`
	Text      string `json:"text"`
}

type sayOut struct {
	Fingerprint int64 `json:"fingerprint" jsonschema:"names the message in its conversation"`
}

func (s *Server) answer(ctx context.Context, in sayIn) (sayOut, error) {
	return s.say(ctx, in, crisp.TextContent(in.Text))
}

func (s *Server) addNote(ctx context.Context, in sayIn) (sayOut, error) {
	return s.say(ctx, in, crisp.NoteContent(in.Text))
}

func (s *Server) say(ctx context.Context, in sayIn, content crisp.Content) (sayOut, error) {
	ref, err := s.conversation(in.WebsiteID, in.SessionID)
	if err != nil {
		return sayOut{}, err
	}
	fingerprint, err := s.client.SendMessage(ctx, ref, crisp.Message{Content: content})
	return sayOut{fingerprint}, err
}

type done struct {
	Done bool `json:"done"`
}

type assignIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	SessionID string `json:"session_id"`
	UserID    string `json:"user_id,omitempty" jsonschema:"the operator's, as list_operators tells it"`
	Nobody    bool   `json:"nobody,omitempty" jsonschema:"take the conversation from whoever has it"`
}

func (s *Server) assign(ctx context.Context, in assignIn) (done, error) {
	ref, err := s.conversation(in.WebsiteID, in.SessionID)
	if err != nil {
		return done{}, err
	}
	if (in.UserID == "") != in.Nobody {
		return done{}, errors.New("either user_id must be given, or nobody must be true")
	}
	err = s.client.Assign(ctx, ref, crisp.Assignment{UserID: in.UserID, Nobody: in.Nobody})
	return done{err == nil}, err
}

type stateIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	SessionID string `json:"session_id"`
	State     string `json:"state" jsonschema:"pending, unresolved or resolved"`
}

func (s *Server) setState(ctx context.Context, in stateIn) (done, error) {
	ref, err := s.conversation(in.WebsiteID, in.SessionID)
	if err != nil {
		return done{}, err
	}
	state := crisp.SessionState(in.State)
	switch state {
	case crisp.SessionStatePending, crisp.SessionStateUnresolved, crisp.SessionStateResolved:
	default:
		return done{}, fmt.Errorf("state is %q; it must be pending, unresolved or resolved", in.State)
	}
	err = s.client.SetState(ctx, ref, crisp.StateChange{State: state})
	return done{err == nil}, err
}
