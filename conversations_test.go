package crisp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

const metaOnTheWire = `{
	"nickname": "Ada", "email": "ada@example.com", "phone": "+33 1", "address": "1 rue X", "subject": "Order",
	"origin": "chat", "avatar": "https://example.com/ada.png", "ip": "192.0.2.1", "data": {"orders": 3, "vip": true, "plan": "pro"},
	"segments": ["vip"], "connection": {"isp": "ACME", "asn": "AS64500"},
	"device": {"capabilities": ["call"], "timezone": -90, "locales": ["fr"], "geolocation": {"country": "FR"},
		"system": {"os": {"name": "Linux", "version": "6"}}}
}`

var metaDecoded = crisp.ConversationMeta{
	Nickname: "Ada", Email: "ada@example.com", Phone: "+33 1", Address: "1 rue X", Subject: "Order",
	Origin: "chat", Avatar: "https://example.com/ada.png", IP: "192.0.2.1",
	Data:     map[string]any{"orders": 3.0, "vip": true, "plan": "pro"},
	Segments: []string{"vip"}, Connection: crisp.NetworkConnection{ISP: "ACME", ASN: "AS64500"},
	Device: crisp.Device{
		Capabilities: []string{"call"}, Timezone: -90 * time.Minute, Locales: []string{"fr"},
		Geolocation: crisp.Geolocation{Country: "FR"},
		System:      crisp.System{OS: crisp.Software{Name: "Linux", Version: "6"}},
	},
}

func TestConversationDecodes(t *testing.T) {
	const data = `{
		"website_id": "site-1", "session_id": "session_1", "inbox_id": "inbox-1", "people_id": "people-1",
		"state": "unresolved", "status": 1, "is_verified": true, "is_blocked": true, "availability": "online",
		"active": {"now": true, "last": 1721383384123}, "last_message": "Hello",
		"preview_message": {"type": "text", "from": "user", "excerpt": "Hello", "fingerprint": 42},
		"topic": "Shipping", "verifications": [{"identity": "email", "method": "link", "annotation": "x"}],
		"participants": [{"type": "email", "target": "bob@example.com"}], "mentions": ["user-2"],
		"compose": {"operator": {}}, "unread": {"operator": 2, "visitor": 1}, "assigned": {"user_id": "user-1", "since": 1},
		"meta": ` + metaOnTheWire + `,
		"created_at": 1721383384000, "updated_at": 1721383384123, "waiting_since": 1721383384100, "new_field": [1]
	}`
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"resolved","data":`+data+`}`))
	got, err := client.Conversation(t.Context(), testRef)
	require.NoError(t, err)
	assert.JSONEq(t, data, string(got.Raw))
	got.Raw = nil
	assert.Equal(t, &crisp.Conversation{
		WebsiteID: "site-1", SessionID: "session_1", InboxID: "inbox-1", PeopleID: "people-1",
		State: crisp.SessionStateUnresolved, Status: 1, Verified: true, Blocked: true, Availability: crisp.AvailabilityOnline,
		Active:        crisp.Active{Now: true, Last: testAt.UTC()},
		Verifications: []crisp.Verification{{Identity: "email", Method: "link", Annotation: "x"}},
		Participants:  []crisp.Participant{{Type: "email", Target: "bob@example.com"}},
		Mentions:      []string{"user-2"},
		LastMessage:   "Hello",
		Preview:       crisp.MessagePreview{Type: crisp.MessageTypeText, From: crisp.FromUser, Excerpt: "Hello", Fingerprint: 42},
		Topic:         "Shipping", Unread: crisp.Unread{Operator: 2, Visitor: 1}, AssignedTo: "user-1", Meta: metaDecoded,
		CreatedAt: time.UnixMilli(1721383384000).UTC(), UpdatedAt: testAt.UTC(), WaitingSince: time.UnixMilli(1721383384100).UTC(),
	}, got)
	assert.Equal(t, testRef, got.Session())
}

func TestConversationMetaDecodes(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":`+metaOnTheWire+`}`))
	got, err := client.ConversationMeta(t.Context(), testRef)
	require.NoError(t, err)
	assert.JSONEq(t, metaOnTheWire, string(got.Raw))
	got.Raw = nil
	assert.Equal(t, &metaDecoded, got)
}

func TestDriftCostsAFieldAndNoMore(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":{"session_id":"session_1","state":"resolved","unread":{"operator":"many","visitor":1},
		"active":[],"assigned":"user-1","created_at":"yesterday","meta":{"nickname":7,"email":"ada@example.com","data":null,
		"device":{"timezone":{"offset":60},"locales":"fr"}},"participants":[{"type":"email","target":1},"bob"]}}`))
	got, err := client.Conversation(t.Context(), testRef)
	require.NoError(t, err)
	assert.Equal(t, crisp.SessionStateResolved, got.State)
	assert.Equal(t, 1, got.Unread.Visitor)
	assert.Equal(t, "ada@example.com", got.Meta.Email)
	assert.Equal(t, "site-1", got.WebsiteID, "of the request, where the answer does not name it")
	var paths []string
	for _, p := range got.Problems {
		paths = append(paths, p.Path)
	}
	assert.Equal(t, []string{
		"unread.operator", "active", "assigned", "created_at", "meta.nickname", "meta.device.timezone", "meta.device.locales",
		"participants[0].target", "participants[1]",
	}, paths)
}

func TestDataThatAreNoObjectAreAProblem(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":["private"]}`))
	got, err := client.Conversation(t.Context(), testRef)
	require.NoError(t, err)
	assert.Equal(t, []crisp.FieldProblem{{Wanted: "object", Got: "array"}}, got.Problems)
}

// paged answers the pages of a list, and counts the requests.
func paged(t *testing.T, client *crisp.Client, mock *httpmock.MockTransport, path string, pages ...string) {
	t.Helper()
	for i, page := range append(pages, `[]`) {
		mock.RegisterResponder("GET", fmt.Sprintf("%s%s/%d", testAPI, path, i+1), answer(200, `{"data":`+page+`}`))
	}
}

func TestConversationsAreListedPageByPage(t *testing.T) {
	client, mock := mockedClient(t)
	paged(t, client, mock, "website/site-1/conversations",
		`[{"session_id":"session_1"},{"session_id":"session_2"}]`, `[{"session_id":"session_3","state":5}]`)

	var sessions []string
	for conversation, err := range client.Conversations(t.Context(), "site-1", crisp.ConversationQuery{}) {
		require.NoError(t, err)
		sessions = append(sessions, conversation.SessionID)
		assert.Equal(t, "site-1", conversation.WebsiteID)
		if conversation.SessionID == "session_2" {
			assert.Equal(t, 1, mock.GetTotalCallCount(), "the next page is not fetched before it is needed")
		}
	}
	assert.Equal(t, []string{"session_1", "session_2", "session_3"}, sessions)
	assert.Equal(t, 3, mock.GetTotalCallCount())
}

func TestALoopThatEndsFetchesNoMore(t *testing.T) {
	client, mock := mockedClient(t)
	paged(t, client, mock, "website/site-1/conversations", `[{"session_id":"session_1"}]`)
	for _, err := range client.Conversations(t.Context(), "site-1", crisp.ConversationQuery{}) {
		require.NoError(t, err)
		break
	}
	assert.Equal(t, 1, mock.GetTotalCallCount())
}

func TestAListEndsWithItsFirstError(t *testing.T) {
	client, mock := mockedClient(t)
	paged(t, client, mock, "website/site-1/conversations", `[{"session_id":"session_1"}]`)
	mock.RegisterResponder("GET", testAPI+"website/site-1/conversations/2", answer(403, `{"error":true,"reason":"not_allowed"}`))
	var sessions []string
	var errs []error
	for conversation, err := range client.Conversations(t.Context(), "site-1", crisp.ConversationQuery{}) {
		if err != nil {
			errs = append(errs, err)
			assert.Nil(t, conversation)
			continue
		}
		sessions = append(sessions, conversation.SessionID)
	}
	assert.Equal(t, []string{"session_1"}, sessions)
	require.Len(t, errs, 1)
	assert.ErrorIs(t, errs[0], crisp.ErrScope)
}

func TestAListThatIsNoListIsAnError(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":{"private":1}}`))
	var unusable *crisp.AnswerError
	require.ErrorAs(t, exhaust(client.Websites(t.Context())), &unusable)
	assert.NotContains(t, unusable.Error(), "private")
}

func TestWebsitesDecode(t *testing.T) {
	client, mock := mockedClient(t)
	paged(t, client, mock, "plugin/connect/websites/all",
		`[{"website_id":"site-1","token":"secret","settings":{"a":1}},{"website_id":2,"settings":null}]`)
	var websites []*crisp.PluginWebsite
	for website, err := range client.Websites(t.Context()) {
		require.NoError(t, err)
		websites = append(websites, website)
	}
	require.Len(t, websites, 2)
	assert.Equal(t, "site-1", websites[0].WebsiteID)
	assert.JSONEq(t, `{"a":1}`, string(websites[0].Settings))
	assert.Empty(t, websites[0].Problems)
	assert.Equal(t, []crisp.FieldProblem{{Path: "website_id", Wanted: "string", Got: "number"}}, websites[1].Problems)
	assert.Nil(t, websites[1].Settings)
}

func TestCreatedConversationsHaveASession(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(201, `{"data":{"session_id":"session_9"}}`))
	ref, err := client.CreateConversation(t.Context(), "site-1")
	require.NoError(t, err)
	assert.Equal(t, crisp.SessionRef{WebsiteID: "site-1", SessionID: "session_9"}, ref)

	mock.RegisterNoResponder(answer(201, `{"data":{}}`))
	_, err = client.CreateConversation(t.Context(), "site-1")
	assert.EqualError(t, err, "crisp: POST website/site-1/conversation: the conversation was made, but its session is missing from the answer")
}
