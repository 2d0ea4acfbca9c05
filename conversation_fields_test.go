package crisp_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestConversationsSayWhoTypes(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"resolved","data":{"session_id":"session_1","status":2,"compose":{
		"operator":{"type":"start","excerpt":"Hel","timestamp":1721383384123,"user":{"user_id":"user-1","nickname":"Ada","avatar":null},"automated":true},
		"visitor":{"type":"stop","timestamp":1721383384,"more":1},"more":1}}}`))
	got, err := client.Conversation(t.Context(), testRef)
	require.NoError(t, err)
	assert.Empty(t, got.Problems)
	assert.Equal(t, 2, got.Status)
	assert.Equal(t, crisp.ConversationCompose{
		Operator: crisp.ComposeStatus{
			State: crisp.ComposeStateStart, Excerpt: "Hel", Time: testAt.UTC(), User: crisp.User{UserID: "user-1", Nickname: "Ada"}, Automated: true,
		},
		Visitor: crisp.ComposeStatus{State: crisp.ComposeStateStop, Time: testAt.UTC().Truncate(1e9)},
	}, got.Compose)
}

// null is absent in what REST answers, too, but not instead of all of it.
func TestNullInRESTData(t *testing.T) {
	for data, problems := range map[string][]crisp.FieldProblem{
		`{"session_id":null,"status":null,"active":null,"verifications":[null],"mentions":null,"compose":null,"meta":null,"created_at":null}`: nil,
		`{"active":{"now":null,"last":null},"participants":[{"type":null}],"compose":{"operator":null},"unread":{"operator":null}}`:           nil,
	} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"resolved","data":`+data+`}`))
		got, err := client.Conversation(t.Context(), testRef)
		require.NoError(t, err)
		assert.Equal(t, problems, got.Problems, data)
	}
	client, mock := mockedClient(t)
	paged(t, client, mock, "website/site-1/conversations", `[null]`)
	for got, err := range client.Conversations(t.Context(), "site-1", crisp.ConversationQuery{}) {
		require.NoError(t, err)
		assert.Equal(t, []crisp.FieldProblem{{Wanted: "object", Got: "null"}}, got.Problems)
	}
}

// The website is known, whatever the answer says of it.
func TestAConversationHasItsWebsite(t *testing.T) {
	for data, want := range map[string]string{
		`{"session_id":"session_1"}`:       testRef.WebsiteID,
		`{"website_id":null}`:              testRef.WebsiteID,
		`{"website_id":7}`:                 testRef.WebsiteID,
		`{"website_id":"another"}`:         "another",
		`{"website_id":"","status":"two"}`: testRef.WebsiteID,
	} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"resolved","data":`+data+`}`))
		got, err := client.Conversation(t.Context(), testRef)
		require.NoError(t, err)
		assert.Equal(t, want, got.WebsiteID, data)
		assert.JSONEq(t, data, string(got.Raw))
	}
}

// So is it of a message, and its conversation.
func TestAMessageHasItsConversation(t *testing.T) {
	for data, want := range map[string]crisp.SessionRef{
		`{"type":"text","content":"a"}`:                     testRef,
		`{"website_id":null,"session_id":null}`:             testRef,
		`{"website_id":7,"session_id":["session_1"]}`:       testRef,
		`{"website_id":"another","session_id":"session_9"}`: {WebsiteID: "another", SessionID: "session_9"},
	} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"listed","data":[`+data+`]}`))
		got, err := client.MessagesAround(t.Context(), testRef, testAt)
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, want, (*crisp.MessageSend)(got[0]).Session(), data)
		assert.Equal(t, want.WebsiteID, got[0].Meta.WebsiteID, data)
	}
}

func TestPluginWebsites(t *testing.T) {
	client, mock := mockedClient(t)
	paged(t, client, mock, "plugin/connect/websites/all",
		`[{"website_id":"site-1","token":"hush-hush","price":25,"plan":{"id":"p","name":"Plus","trialing":true},"difference":"updated"},{"website_id":"site-2","token":null,"plan":null}]`)
	var websites []*crisp.PluginWebsite
	for website, err := range client.Websites(t.Context()) {
		require.NoError(t, err)
		assert.Empty(t, website.Problems)
		websites = append(websites, website)
	}
	require.Len(t, websites, 2)
	website := *websites[0]
	assert.Equal(t, "hush-hush", website.Token)
	assert.InDelta(t, 25, website.Price, 0)
	assert.Equal(t, crisp.Plan{ID: "p", Name: "Plus", Trialing: true}, website.Plan)
	assert.Equal(t, "updated", website.Difference)
	assert.Empty(t, websites[1].Token)

	var printed strings.Builder
	logger := slog.New(slog.NewJSONHandler(&printed, nil))
	logger.Info("website", "value", website, "pointer", &website)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&printed, verb+verb+verb, website, &website, struct{ W crisp.PluginWebsite }{website})
	}
	assert.Contains(t, printed.String(), "site-1")
	assert.NotContains(t, printed.String(), "hush")
	assert.NotContains(t, printed.String(), strings.Trim(fmt.Sprintf("%d", []byte("hush")), "[]"))
}

func TestWebsitesAreAskedForByOptions(t *testing.T) {
	for want, opts := range map[string][]crisp.WebsitesOption{
		"":                                   nil,
		"filter_configured=1":                {crisp.OnlyConfigured()},
		"filter_configured=1&include_plan=1": {crisp.IncludePlan(), crisp.OnlyConfigured()},
	} {
		client, mock := mockedClient(t)
		var queries []string
		mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			queries = append(queries, r.URL.RawQuery)
			data := `[]`
			if len(queries) == 1 {
				data = `[{"website_id":"site-1"}]`
			}
			return answer(200, `{"error":false,"reason":"listed","data":`+data+`}`)(r)
		})
		for _, err := range client.Websites(t.Context(), opts...) {
			require.NoError(t, err)
		}
		assert.Equal(t, []string{want, want}, queries)
	}
}

func TestConversationsAreSearchedByFilters(t *testing.T) {
	vip := crisp.SearchCriterion{Criterion: "segments", Model: "session", Operator: crisp.FilterEqual, Query: []string{"vip", "a&b"}}
	for _, c := range []struct {
		query crisp.ConversationQuery
		want  url.Values
	}{
		{crisp.ConversationQuery{Filters: []crisp.SearchCriterion{vip}}, url.Values{
			"search_type": {"filter"}, "search_operator": {"and"},
			"search_query": {`[{"model":"session","criterion":"segments","operator":"eq","query":["vip","a\u0026b"]}]`},
		}},
		{crisp.ConversationQuery{Filters: []crisp.SearchCriterion{vip, {Criterion: "topic", Model: "session", Operator: "empty"}}, AnyFilter: true}, url.Values{
			"search_type": {"filter"}, "search_operator": {"or"},
			"search_query": {`[{"model":"session","criterion":"segments","operator":"eq","query":["vip","a\u0026b"]},` +
				`{"model":"session","criterion":"topic","operator":"empty","query":[]}]`},
		}},
		{crisp.ConversationQuery{Search: `[{}]`, SearchType: crisp.SearchFilter, AnyFilter: true}, url.Values{
			"search_type": {"filter"}, "search_operator": {"or"}, "search_query": {`[{}]`},
		}},
	} {
		client, mock := mockedClient(t)
		var got url.Values
		mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			got = r.URL.Query()
			return answer(200, `{"error":false,"reason":"listed","data":[]}`)(r)
		})
		for _, err := range client.Conversations(t.Context(), "site-1", c.query) {
			require.NoError(t, err)
		}
		assert.Equal(t, c.want, got)
	}
	for field, query := range map[string]crisp.ConversationQuery{
		"search_query":              {Search: "a", Filters: []crisp.SearchCriterion{vip}},
		"search_type":               {SearchType: crisp.SearchText, Search: "", Filters: []crisp.SearchCriterion{vip}},
		"search_operator":           {AnyFilter: true},
		"search_query[0].model":     {Filters: []crisp.SearchCriterion{{Criterion: "c", Operator: "eq"}}},
		"search_query[0].criterion": {Filters: []crisp.SearchCriterion{{Model: "m", Operator: "eq"}}},
		"search_query[0].operator":  {Filters: []crisp.SearchCriterion{{Model: "m", Criterion: "c"}}},
	} {
		client, mock := mockedClient(t)
		for _, err := range client.Conversations(t.Context(), "site-1", query) {
			var invalid *crisp.InvalidError
			require.ErrorAs(t, err, &invalid, field)
			assert.Equal(t, field, invalid.Field)
			assert.Zero(t, mock.GetTotalCallCount())
		}
	}
}
