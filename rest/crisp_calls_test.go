package rest_test

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// crispCall makes a call of package crisp, and returns its answer: of an iterator, the
// first element, after it has been read to its end.
type crispCall func(ctx context.Context, c *crisp.Client) (any, error)

// The identifiers that the calls have, besides the website and the session.
const (
	fingerprint = 7
	pluginID    = "plugin/1"
	operator    = "operator 1"
	inbox       = "inbox 1"
)

var (
	ref    = crisp.SessionRef{WebsiteID: website, SessionID: session}
	author = crisp.User{Type: "website", UserID: operator, Nickname: "Ada", Avatar: "https://example.com/ada.png"}
)

// crispCalls are the calls of package crisp by method and path: several, where what the
// route takes cannot all be said at once. For each there is the token's tier.
var crispCalls = map[string][]crispCall{
	"GET plugin/connect/endpoints": {object((*crisp.Client).ConnectEndpoints)},
	"GET plugin/connect/websites/all/{page}": {func(ctx context.Context, c *crisp.Client) (any, error) {
		return drained(c.Websites(ctx, crisp.OnlyConfigured(), crisp.IncludePlan()))
	}},
	"GET plugins/subscription/{website_id}/{plugin_id}/settings": {func(ctx context.Context, c *crisp.Client) (any, error) {
		return c.PluginSettings(ctx, website, pluginID)
	}},
	"GET website/{website_id}/connect/endpoints": {object((*crisp.Client).ConnectEndpoints)},
	"GET website/{website_id}/conversations/{page}": {
		conversations(crisp.ConversationQuery{
			PerPage: 30, InboxID: inbox, AssignedTo: operator, Unread: true, Mentioned: true, Resolved: true, IncludeEmpty: true,
			From: someTime, Until: someTime, Order: crisp.OrderCreated, AnyFilter: true,
			Filters: []crisp.SearchCriterion{{Criterion: "segments", Model: "session", Operator: crisp.FilterEqual, Query: []string{"vip"}}},
		}),
		conversations(crisp.ConversationQuery{Unassigned: true, NotResolved: true, Order: crisp.OrderUpdated}),
		conversations(crisp.ConversationQuery{Order: crisp.OrderWaiting}),
	},
	"POST website/{website_id}/conversation": {func(ctx context.Context, c *crisp.Client) (any, error) {
		return c.CreateConversation(ctx, website)
	}},
	"GET website/{website_id}/conversation/{session_id}": {func(ctx context.Context, c *crisp.Client) (any, error) {
		return c.Conversation(ctx, ref)
	}},
	"POST website/{website_id}/conversation/{session_id}/initiate": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.InitiateConversation(ctx, ref)
	})},
	"GET website/{website_id}/conversation/{session_id}/messages": {
		func(ctx context.Context, c *crisp.Client) (any, error) { return drained(c.Messages(ctx, ref)) },
		func(ctx context.Context, c *crisp.Client) (any, error) {
			return drained(c.MessagesSince(ctx, ref, someTime))
		},
		func(ctx context.Context, c *crisp.Client) (any, error) {
			messages, err := c.MessagesAround(ctx, ref, someTime)
			if err != nil {
				return nil, err
			}
			return messages[0], nil
		},
	},
	"POST website/{website_id}/conversation/{session_id}/message": {
		message(crisp.OriginalSource{Type: "text/html", Content: "<p>"}), message(crisp.OriginalSource{ID: "original-1"}),
	},
	"PATCH website/{website_id}/conversation/{session_id}/message/{fingerprint}": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.UpdateMessage(ctx, ref, fingerprint, crisp.TextContent("Hello"))
	})},
	"DELETE website/{website_id}/conversation/{session_id}/message/{fingerprint}": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.RemoveMessage(ctx, ref, fingerprint)
	})},
	"PATCH website/{website_id}/conversation/{session_id}/compose": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.Compose(ctx, ref, crisp.Composing{State: crisp.ComposeStateStart, From: crisp.FromUser, Excerpt: "Hel", Stealth: true})
	})},
	"PATCH website/{website_id}/conversation/{session_id}/read": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.MarkRead(ctx, ref, crisp.Marking{From: crisp.FromUser, Origin: "email", Fingerprints: []int64{fingerprint}})
	})},
	"PATCH website/{website_id}/conversation/{session_id}/unread": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.MarkUnread(ctx, ref, crisp.FromUser)
	})},
	"PATCH website/{website_id}/conversation/{session_id}/delivered": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.MarkDelivered(ctx, ref, crisp.Marking{From: crisp.FromUser, Origin: "email", Fingerprints: []int64{fingerprint}})
	})},
	"PATCH website/{website_id}/conversation/{session_id}/routing": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.Assign(ctx, ref, crisp.Assignment{UserID: operator, Silent: true})
	})},
	"PATCH website/{website_id}/conversation/{session_id}/inbox": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.MoveToInbox(ctx, ref, inbox)
	})},
	"GET website/{website_id}/conversation/{session_id}/meta": {func(ctx context.Context, c *crisp.Client) (any, error) {
		return c.ConversationMeta(ctx, ref)
	}},
	"PATCH website/{website_id}/conversation/{session_id}/meta": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.UpdateConversationMeta(ctx, ref, crisp.MetaUpdate{
			Nickname: "Ada", Email: "ada@example.com", Phone: "+1", Address: "London", Subject: "Question",
			Avatar: "https://example.com/ada.png", Data: map[string]any{"key": "text"}, Segments: []string{"vip"},
		})
	})},
	"PATCH website/{website_id}/conversation/{session_id}/state": {done(func(ctx context.Context, c *crisp.Client) error {
		return c.SetState(ctx, ref, crisp.StateChange{State: crisp.SessionStateResolved, User: author, Origin: "chat"})
	})},
}

func object[T any](call func(*crisp.Client, context.Context) (T, error)) crispCall {
	return func(ctx context.Context, c *crisp.Client) (any, error) { return call(c, ctx) }
}

func done(call func(ctx context.Context, c *crisp.Client) error) crispCall {
	return func(ctx context.Context, c *crisp.Client) (any, error) { return nil, call(ctx, c) }
}

func drained[T any](list iter.Seq2[T, error]) (first any, err error) {
	for v, e := range list {
		if e != nil {
			return nil, e
		}
		if first == nil {
			first = v
		}
	}
	return first, nil
}

func conversations(query crisp.ConversationQuery) crispCall {
	return func(ctx context.Context, c *crisp.Client) (any, error) {
		return drained(c.Conversations(ctx, website, query))
	}
}

func message(original crisp.OriginalSource) crispCall {
	return func(ctx context.Context, c *crisp.Client) (any, error) {
		return c.SendMessage(ctx, ref, crisp.Message{
			Content: crisp.TextContent("Hello"), From: crisp.FromOperator, Origin: "chat", User: author, Mentions: []string{operator},
			References: []crisp.Reference{{Type: "article", Name: "Help", Target: "https://example.com/"}}, Original: original,
			Properties: map[string]any{"key": "text"}, Timestamp: someTime, Fingerprint: fingerprint, Stealth: true, Translated: true,
		})
	}
}

// unsentByCrisp are fields that package crisp does not send: they are Crisp's to write.
var unsentByCrisp = map[string][]string{
	"ConversationMeta": {"ip", "connection", "device", "origin"},
}

// tokenForCrisp is a token that package crisp takes for the call.
func tokenForCrisp(f fact) crisp.Token {
	switch {
	case strings.HasPrefix(f.path, "plugin/"):
		return pluginToken
	case strings.HasSuffix(f.path, "connect/endpoints"):
		return crisp.WebsiteToken(website, "identifier", "key")
	default:
		return userToken
	}
}

// crispFacts are the facts of the routes that package crisp has the calls for.
func crispFacts(t *testing.T) []fact {
	t.Helper()
	routes := routesByFact(t)
	return slices.DeleteFunc(facts(t), func(f fact) bool { return routes[f.String()].Package != "crisp" })
}

func TestCallsOfPackageCrispSendWhatCrispsLibrariesSend(t *testing.T) {
	known := types(t)
	values := strings.NewReplacer("{website_id}", url.PathEscape(website), "{session_id}", url.PathEscape(session),
		"{fingerprint}", "7", "{plugin_id}", url.PathEscape(pluginID), "{page}", "1")
	checked := 0
	for _, f := range crispFacts(t) {
		t.Run(f.String(), func(t *testing.T) {
			checked++
			calls := crispCalls[f.String()]
			require.NotEmpty(t, calls)
			query, body := url.Values{}, map[string]any{}
			for _, call := range calls {
				client, got := crispAnswering(t, tokenForCrisp(f), answerTo(f, known))
				_, err := call(t.Context(), client)
				require.NoError(t, err)
				for i, sent := range got() {
					assert.Equal(t, f.method, sent.method)
					if i == 0 {
						assert.Equal(t, "/"+values.Replace(f.path), sent.path)
					}
					sentQuery, err := url.ParseQuery(sent.query)
					require.NoError(t, err)
					maps.Copy(query, sentQuery)
					if len(f.bodies) == 0 {
						assert.Empty(t, sent.body)
						continue
					}
					addBody(t, body, sent.body)
				}
			}
			checkQuery(t, f, known, query.Encode())
			if len(f.bodies) > 0 {
				known.checkSent(t, f.bodies[0], body)
			}
		})
	}
	assert.Equal(t, len(crispCalls), checked)
}

// addBody adds the members of a body to those of other calls of the same route.
func addBody(t *testing.T, all map[string]any, text string) {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	for key, value := range body {
		before, isObject := all[key].(map[string]any)
		object, ok := value.(map[string]any)
		if isObject && ok {
			maps.Copy(before, object)
			continue
		}
		all[key] = value
	}
}

// checkSent checks a body against the forms of the facts.
func (known forms) checkSent(t *testing.T, form string, body map[string]any) {
	t.Helper()
	if form == "ConversationMessageNew" { // that of a text is as good as any
		form = "ConversationTextMessageNew"
	}
	if fields, ok := known[form]; ok {
		known.checkMembers(t, "body", fields, unsentByCrisp[form], body)
		return
	}
	known.check(t, "body", form, body)
}
