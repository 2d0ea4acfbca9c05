package mcpserver

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

func (s *Server) addReading() {
	addTool(s, reading("list_websites", "List websites",
		"List the websites that can be read here. Other tools need website_id only if there are several."), s.listWebsites)
	addTool(s, reading("list_conversations", "List conversations",
		"List conversations, or search for words in their messages."), s.listConversations)
	addTool(s, reading("read_conversation", "Read a conversation",
		"Read who a conversation is with and what was said in it, notes of the operators included."), s.readConversation)
	addTool(s, reading("search_people", "Search people",
		"Search for contacts by a part of their name, address, company or the like."), s.searchPeople)
	addTool(s, reading("list_operators", "List operators",
		"List the operators of a website, to whom conversations can be assigned."), s.listOperators)
}

type websitesOut struct {
	Websites []string `json:"websites"`
}

func (s *Server) listWebsites(context.Context, struct{}) (websitesOut, error) {
	return websitesOut{s.websites}, nil
}

type listIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	State     string `json:"state,omitempty" jsonschema:"resolved, or not_resolved; without it, all"`
	Unread    bool   `json:"unread,omitempty" jsonschema:"only those with messages that operators have not read"`
	Search    string `json:"search,omitempty" jsonschema:"words in messages"`
	Limit     int    `json:"limit,omitempty" jsonschema:"how many at most: 1 to 100, 20 without it"`
}

type conversationsOut struct {
	Conversations []shownConversation `json:"conversations"`
	More          bool                `json:"more" jsonschema:"whether there are more than were listed"`
}

func (s *Server) listConversations(ctx context.Context, in listIn) (out conversationsOut, err error) {
	website, err := s.website(in.WebsiteID)
	if err != nil {
		return out, err
	}
	limit, err := limitOf(in.Limit)
	if err != nil {
		return out, err
	}
	query := crisp.ConversationQuery{Search: in.Search, Unread: in.Unread}
	switch in.State {
	case "":
	case "resolved":
		query.Resolved = true
	case "not_resolved":
		query.NotResolved = true
	default:
		return out, fmt.Errorf("state is %q; it must be resolved or not_resolved", in.State)
	}
	out.Conversations, out.More, err = atMost(s.client.Conversations(ctx, website, query), limit, showConversation)
	return out, err
}

type conversationIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	SessionID string `json:"session_id"`
	Limit     int    `json:"limit,omitempty" jsonschema:"how many messages at most, the latest: 1 to 100, 20 without it"`
}

type conversationOut struct {
	Conversation shownConversation `json:"conversation"`
	Messages     []shownMessage    `json:"messages" jsonschema:"in the order they were written"`
	Earlier      bool              `json:"earlier" jsonschema:"whether there are earlier messages than these"`
}

func (s *Server) readConversation(ctx context.Context, in conversationIn) (out conversationOut, err error) {
	ref, err := s.conversation(in.WebsiteID, in.SessionID)
	if err != nil {
		return out, err
	}
	limit, err := limitOf(in.Limit)
	if err != nil {
		return out, err
	}
	conversation, err := s.client.Conversation(ctx, ref)
	if err != nil {
		return out, err
	}
	out.Conversation = showConversation(conversation)
	out.Messages, out.Earlier, err = atMost(s.client.Messages(ctx, ref), limit, showMessage)
	slices.Reverse(out.Messages)
	return out, err
}

type peopleIn struct {
	WebsiteID string `json:"website_id,omitempty"`
	Search    string `json:"search"`
	Limit     int    `json:"limit,omitempty" jsonschema:"how many at most: 1 to 100, 20 without it"`
}

type peopleOut struct {
	People []shownPerson `json:"people"`
	More   bool          `json:"more" jsonschema:"whether there are more than were listed"`
}

func (s *Server) searchPeople(ctx context.Context, in peopleIn) (out peopleOut, err error) {
	website, err := s.website(in.WebsiteID)
	if err != nil {
		return out, err
	}
	limit, err := limitOf(in.Limit)
	if err != nil {
		return out, err
	}
	profiles := rest.Website(s.client, website).People.Profiles(ctx, rest.ProfilesQuery{SearchText: in.Search})
	out.People, out.More, err = atMost(profiles, limit, showPerson)
	return out, err
}

type operatorsIn struct {
	WebsiteID string `json:"website_id,omitempty"`
}

type operatorsOut struct {
	Operators []shownOperator `json:"operators"`
}

func (s *Server) listOperators(ctx context.Context, in operatorsIn) (operatorsOut, error) {
	website, err := s.website(in.WebsiteID)
	if err != nil {
		return operatorsOut{}, err
	}
	operators, err := rest.Website(s.client, website).Operators.List(ctx)
	out := operatorsOut{Operators: []shownOperator{}}
	for _, operator := range operators {
		out.Operators = append(out.Operators, showOperator(operator))
	}
	return out, err
}

// limitOf returns how many things to list, by default or as asked for.
func limitOf(limit int) (int, error) {
	switch {
	case limit == 0:
		return 20, nil
	case limit < 0 || limit > 100:
		return 0, fmt.Errorf("limit is %d; it must be 1 to 100", limit)
	default:
		return limit, nil
	}
}

// atMost returns the first limit things of a list as agents see them, and whether there
// are more.
func atMost[T, Shown any](list iter.Seq2[T, error], limit int, show func(T) Shown) (shown []Shown, more bool, err error) {
	shown = []Shown{}
	for thing, err := range list {
		switch {
		case err != nil:
			return nil, false, err
		case len(shown) == limit:
			return shown, true, nil
		}
		shown = append(shown, show(thing))
	}
	return shown, false, nil
}
