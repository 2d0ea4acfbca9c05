package crisp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

var (
	testRef = crisp.SessionRef{WebsiteID: "site-1", SessionID: "session_1"}
	testAt  = time.UnixMilli(1721383384123)
)

const sentAnswer = `{"error":false,"reason":"dispatched","data":{"fingerprint":163408807910334}}`

// routes are all routes of conversations, as the typed methods call them.
var routes = []struct {
	name   string
	call   func(ctx context.Context, c *crisp.Client) error
	method string
	path   string // with the query
	body   string // empty = none
	answer string // empty = success without data
}{
	{
		name: "reply",
		call: func(ctx context.Context, c *crisp.Client) error {
			ev := &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"}
			_, err := c.Reply(ctx, ev, crisp.TextContent("Hi <b>there</b>"))
			return err
		},
		method: "POST", path: "website/site-1/conversation/session_1/message",
		body:   `{"type":"text","from":"operator","origin":"chat","content":"Hi <b>there</b>","automated":true}`,
		answer: sentAnswer,
	},
	{
		name: "reply with every option",
		call: func(ctx context.Context, c *crisp.Client) error {
			ev := &crisp.SessionSetEmail{WebsiteID: "site-1", SessionID: "session_1"}
			_, err := c.Reply(ctx, ev, crisp.NoteContent("A note"),
				crisp.WithFrom(crisp.FromUser),
				crisp.WithOrigin("urn:acme:bot:0"),
				crisp.WithUser(crisp.User{Nickname: "Ada", Avatar: "https://example.com/ada.png"}),
				crisp.WithMentions("operator-1", "operator-2"),
				crisp.WithReferences(crisp.Reference{Type: "link", Name: "Docs", Target: "https://example.com/docs"}),
				crisp.WithTimestamp(testAt),
				crisp.WithStealth(),
				crisp.WithAutomated(false),
			)
			return err
		},
		method: "POST", path: "website/site-1/conversation/session_1/message",
		body: `{"type":"note","from":"user","origin":"urn:acme:bot:0","content":"A note",
			"user":{"nickname":"Ada","avatar":"https://example.com/ada.png"},"mentions":["operator-1","operator-2"],
			"references":[{"type":"link","name":"Docs","target":"https://example.com/docs"}],
			"timestamp":1721383384123,"stealth":true}`,
		answer: sentAnswer,
	},
	{
		name: "send a message with every field",
		call: func(ctx context.Context, c *crisp.Client) error {
			_, err := c.SendMessage(ctx, testRef, crisp.Message{
				Content:     crisp.TextContent("Hi"),
				From:        crisp.FromOperator,
				Origin:      "email",
				User:        crisp.User{Type: "participant", UserID: "user-1", Nickname: "Ada"},
				References:  []crisp.Reference{{Type: "link", Name: "Docs", Target: "x"}},
				Original:    crisp.OriginalSource{ID: "original-1"},
				Properties:  map[string]any{"score": 0.5},
				Timestamp:   testAt,
				Fingerprint: 42,
				Translated:  true,
			})
			return err
		},
		method: "POST", path: "website/site-1/conversation/session_1/message",
		body: `{"type":"text","from":"operator","origin":"email","content":"Hi",
			"user":{"type":"participant","user_id":"user-1","nickname":"Ada"},"fingerprint":42,
			"references":[{"type":"link","name":"Docs","target":"x"}],"original":{"original_id":"original-1"},
			"properties":{"score":0.5},"timestamp":1721383384123,"translated":true,"automated":true}`,
		answer: sentAnswer,
	},
	{
		name: "update a message",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.UpdateMessage(ctx, testRef, 42, crisp.TextContent("Better"))
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/message/42", body: `{"content":"Better"}`,
	},
	{
		name:   "remove a message",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.RemoveMessage(ctx, testRef, 42) },
		method: "DELETE", path: "website/site-1/conversation/session_1/message/42",
	},
	{
		name: "start composing",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.Compose(ctx, testRef, crisp.Composing{State: crisp.ComposeStateStart})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/compose",
		body: `{"type":"start","from":"operator","automated":true}`,
	},
	{
		name: "stop composing, with every field",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.Compose(ctx, testRef, crisp.Composing{
				State: crisp.ComposeStateStop, From: crisp.FromUser, Excerpt: "He", Stealth: true, NotAutomated: true,
			})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/compose",
		body: `{"type":"stop","from":"user","excerpt":"He","stealth":true}`,
	},
	{
		name:   "mark all as read",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.MarkRead(ctx, testRef, crisp.Marking{}) },
		method: "PATCH", path: "website/site-1/conversation/session_1/read", body: `{"from":"user","origin":"chat"}`,
	},
	{
		name: "mark some as read",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.MarkRead(ctx, testRef, crisp.Marking{From: crisp.FromOperator, Origin: "email", Fingerprints: []int64{1, 2}})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/read",
		body: `{"from":"operator","origin":"email","fingerprints":[1,2]}`,
	},
	{
		name: "mark as delivered",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.MarkDelivered(ctx, testRef, crisp.Marking{Fingerprints: []int64{1}})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/delivered",
		body: `{"from":"user","origin":"chat","fingerprints":[1]}`,
	},
	{
		name:   "mark as unread",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.MarkUnread(ctx, testRef, crisp.FromUser) },
		method: "PATCH", path: "website/site-1/conversation/session_1/unread", body: `{"from":"user"}`,
	},
	{
		name: "set the state",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.SetState(ctx, testRef, crisp.StateChange{State: crisp.SessionStateResolved})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/state", body: `{"state":"resolved"}`,
	},
	{
		name: "set the state for somebody",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.SetState(ctx, testRef, crisp.StateChange{
				State: crisp.SessionStatePending, User: crisp.User{UserID: "user-1"}, Origin: "urn:acme:bot:0",
			})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/state",
		body: `{"state":"pending","user":{"user_id":"user-1"},"origin":"urn:acme:bot:0"}`,
	},
	{
		name: "assign",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.Assign(ctx, testRef, crisp.Assignment{UserID: "user-1"})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/routing", body: `{"assigned":{"user_id":"user-1"}}`,
	},
	{
		name: "assign to nobody",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.Assign(ctx, testRef, crisp.Assignment{Nobody: true, Silent: true})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/routing", body: `{"assigned":null,"silent":true}`,
	},
	{
		name:   "move to an inbox",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.MoveToInbox(ctx, testRef, "inbox-1") },
		method: "PATCH", path: "website/site-1/conversation/session_1/inbox", body: `{"inbox_id":"inbox-1"}`,
	},
	{
		name:   "move to the main inbox",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.MoveToMainInbox(ctx, testRef) },
		method: "PATCH", path: "website/site-1/conversation/session_1/inbox", body: `{"inbox_id":null}`,
	},
	{
		name: "get metas",
		call: func(ctx context.Context, c *crisp.Client) error {
			_, err := c.ConversationMeta(ctx, testRef)
			return err
		},
		method: "GET", path: "website/site-1/conversation/session_1/meta", answer: `{"data":{}}`,
	},
	{
		name: "update metas",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.UpdateConversationMeta(ctx, testRef, crisp.MetaUpdate{
				Nickname: "Ada", Email: "ada@example.com", Phone: "+33 1", Address: "1 rue X", Subject: "Order",
				Avatar: "https://example.com/ada.png", Data: map[string]any{"orders": 3, "vip": true}, Segments: []string{"vip"},
			})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/meta",
		body: `{"nickname":"Ada","email":"ada@example.com","phone":"+33 1","address":"1 rue X","subject":"Order",
			"avatar":"https://example.com/ada.png","data":{"orders":3,"vip":true},"segments":["vip"]}`,
	},
	{
		name: "empty lists of metas",
		call: func(ctx context.Context, c *crisp.Client) error {
			return c.UpdateConversationMeta(ctx, testRef, crisp.MetaUpdate{Data: map[string]any{}, Segments: []string{}})
		},
		method: "PATCH", path: "website/site-1/conversation/session_1/meta", body: `{"data":{},"segments":[]}`,
	},
	{
		name: "get a conversation",
		call: func(ctx context.Context, c *crisp.Client) error {
			_, err := c.Conversation(ctx, testRef)
			return err
		},
		method: "GET", path: "website/site-1/conversation/session_1", answer: `{"data":{}}`,
	},
	{
		name: "list conversations",
		call: func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.Conversations(ctx, "site-1", crisp.ConversationQuery{}))
		},
		method: "GET", path: "website/site-1/conversations/1", answer: `{"data":[]}`,
	},
	{
		name: "list conversations by every filter",
		call: func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.Conversations(ctx, "site-1", crisp.ConversationQuery{
				PerPage: 50, Search: "late & lost", SearchType: crisp.SearchText, InboxID: "inbox-1", AssignedTo: "user-1",
				Unread: true, Mentioned: true, NotResolved: true, IncludeEmpty: true,
				From: testAt, Until: testAt.Add(time.Hour), Order: crisp.OrderUpdated,
			}))
		},
		method: "GET", path: "website/site-1/conversations/1?filter_assigned=user-1" +
			"&filter_date_end=2024-07-19T11%3A03%3A04.123Z&filter_date_start=2024-07-19T10%3A03%3A04.123Z" +
			"&filter_inbox_id=inbox-1&filter_mention=1&filter_not_resolved=1&filter_unread=1&include_empty=1" +
			"&order_date_updated=1&per_page=50&search_query=late+%26+lost&search_type=text",
		answer: `{"data":[]}`,
	},
	{
		name: "list conversations by the other filters",
		call: func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.Conversations(ctx, "site-1", crisp.ConversationQuery{
				Search: "vip", SearchType: crisp.SearchSegment, Unassigned: true, Resolved: true, Order: crisp.OrderWaiting,
			}))
		},
		method: "GET", path: "website/site-1/conversations/1?filter_resolved=1&filter_unassigned=1" +
			"&order_date_waiting=1&search_query=vip&search_type=segment",
		answer: `{"data":[]}`,
	},
	{
		name: "messages, backwards",
		call: func(ctx context.Context, c *crisp.Client) error { return exhaust(c.Messages(ctx, testRef)) },

		method: "GET", path: "website/site-1/conversation/session_1/messages", answer: `{"data":[]}`,
	},
	{
		name: "messages since a time",
		call: func(ctx context.Context, c *crisp.Client) error {
			return exhaust(c.MessagesSince(ctx, testRef, testAt))
		},
		method: "GET", path: "website/site-1/conversation/session_1/messages?timestamp_after=1721383384122",
		answer: `{"data":[]}`,
	},
	{
		name: "messages around a time",
		call: func(ctx context.Context, c *crisp.Client) error {
			_, err := c.MessagesAround(ctx, testRef, testAt)
			return err
		},
		method: "GET", path: "website/site-1/conversation/session_1/messages?timestamp_around=1721383384123",
		answer: `{"data":[]}`,
	},
	{
		name: "create a conversation",
		call: func(ctx context.Context, c *crisp.Client) error {
			_, err := c.CreateConversation(ctx, "site-1")
			return err
		},
		method: "POST", path: "website/site-1/conversation", answer: `{"data":{"session_id":"session_2"}}`,
	},
	{
		name:   "initiate a conversation",
		call:   func(ctx context.Context, c *crisp.Client) error { return c.InitiateConversation(ctx, testRef) },
		method: "POST", path: "website/site-1/conversation/session_1/initiate",
	},
	{
		name:   "list a plugin's websites",
		call:   func(ctx context.Context, c *crisp.Client) error { return exhaust(c.Websites(ctx)) },
		method: "GET", path: "plugin/connect/websites/all/1", answer: `{"data":[]}`,
	},
}

// exhaust runs an iterator to its end.
func exhaust[T any](seq func(yield func(T, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestRoutes(t *testing.T) {
	for _, tt := range routes {
		t.Run(tt.name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				assert.Equal(t, tt.method, r.Method)
				assert.Equal(t, testAPI+tt.path, r.URL.String())
				checkBody(t, r, tt.body)
				if tt.answer == "" {
					return httpmock.NewStringResponse(200, `{"error":false,"reason":"ok","data":{}}`), nil
				}
				return httpmock.NewStringResponse(200, tt.answer), nil
			})
			require.NoError(t, tt.call(t.Context(), client))
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}

func checkBody(t *testing.T, r *http.Request, want string) {
	t.Helper()
	if want == "" {
		assert.Nil(t, r.Body)
		return
	}
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	assert.JSONEq(t, want, string(body))
}

func TestRoutesReportRefusals(t *testing.T) {
	for _, tt := range routes {
		t.Run(tt.name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(404, `{"error":true,"reason":"not_found","data":{"message":"private"}}`))
			err := tt.call(t.Context(), client)
			var refusal *crisp.APIError
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, tt.method, refusal.Method)
			assert.Equal(t, "not_found", refusal.Reason)
			assert.JSONEq(t, `{"message":"private"}`, string(refusal.Data))
			assert.NotContains(t, err.Error(), "private")
			assert.NotContains(t, err.Error(), "Hi")
		})
	}
}

func TestPathElementsAreEscaped(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, testAPI+"website/a%2Fb%3Fc/conversation/session%20%C3%A9%23/state", r.URL.String())
		return httpmock.NewStringResponse(200, `{}`), nil
	})
	ref := crisp.SessionRef{WebsiteID: "a/b?c", SessionID: "session é#"}
	require.NoError(t, client.SetState(t.Context(), ref, crisp.StateChange{State: crisp.SessionStatePending}))
}

func TestContentsOnTheWire(t *testing.T) {
	for kind, tt := range map[string]struct {
		content crisp.Content
		wire    string
	}{
		"text": {crisp.TextContent("Hi"), `"Hi"`},
		"note": {crisp.NoteContent("Hi"), `"Hi"`},
		"file": {
			&crisp.FileContent{Name: "a.pdf", URL: "https://example.com/a.pdf", Type: "application/pdf"},
			`{"name":"a.pdf","url":"https://example.com/a.pdf","type":"application/pdf"}`,
		},
		"animation": {
			&crisp.AnimationContent{URL: "https://example.com/a.gif", Type: "image/gif"},
			`{"url":"https://example.com/a.gif","type":"image/gif"}`,
		},
		"audio": {
			&crisp.AudioContent{URL: "https://example.com/a.mp3", Type: "audio/mpeg", Duration: 1500 * time.Millisecond},
			`{"url":"https://example.com/a.mp3","type":"audio/mpeg","duration":1.5}`,
		},
		"picker": {
			&crisp.PickerContent{ID: "size", Text: "Which size?", Choices: []crisp.PickerChoice{{Value: "s", Label: "Small"}}},
			`{"id":"size","text":"Which size?","choices":[{"value":"s","label":"Small","selected":false}]}`,
		},
		"field": {
			&crisp.FieldContent{ID: "email", Text: "Your email?", Explain: "name@example.com", Required: true},
			`{"id":"email","text":"Your email?","explain":"name@example.com","required":true}`,
		},
		"carousel": {
			&crisp.CarouselContent{Text: "These:", Targets: []crisp.CarouselTarget{{Title: "One", Description: "The first"}}},
			`{"text":"These:","targets":[{"title":"One","description":"The first","actions":[]}]}`,
		},
		"event": {&crisp.EventContent{Namespace: "state:resolved"}, `{"namespace":"state:resolved"}`},
		"form":  {&crisp.UnknownContent{Type: "form", Raw: json.RawMessage(`{"a": [1]}`)}, `{"a":[1]}`},
	} {
		t.Run(kind, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				checkBody(t, r, `{"type":"`+kind+`","from":"operator","origin":"chat","automated":true,"content":`+tt.wire+`}`)
				return httpmock.NewStringResponse(200, sentAnswer), nil
			})
			fingerprint, err := client.SendMessage(t.Context(), testRef, crisp.Message{Content: tt.content})
			require.NoError(t, err)
			assert.Equal(t, int64(163408807910334), fingerprint)
		})
	}
}

func TestSentWithoutAFingerprintIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"none":         `{"data":{}}`,
		"null":         `{"data":{"fingerprint":null}}`,
		"not a number": `{"data":{"fingerprint":"private"}}`,
		"no data":      `{"error":false}`,
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, body))
			_, err := client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("private")})
			require.ErrorContains(t, err, "crisp: POST website/site-1/conversation/session_1/message: ")
			assert.NotContains(t, err.Error(), "private")
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}

func TestWritesAreNotRepeated(t *testing.T) {
	for _, tt := range routes {
		if tt.method == http.MethodGet {
			continue
		}
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(httpmock.NewErrorResponder(errors.New("connection reset")))
		require.Error(t, tt.call(t.Context(), client), tt.name)
		assert.Equal(t, 1, mock.GetTotalCallCount(), tt.name)
	}
}
