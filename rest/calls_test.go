package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// crispRefusing returns a client of a server that answers everything with a status,
// and how often it was asked.
func crispRefusing(t *testing.T, status int) (*crisp.Client, func() int) {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, err := io.WriteString(w, `{"error":true,"reason":"some_reason","data":{}}`)
		assert.NoError(t, err)
	}))
	t.Cleanup(server.Close)
	client, err := crisp.New(userToken, crisp.WithBaseURL(server.URL))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client, func() int { return asked }
}

func TestWhatIsNotThereIsNoError(t *testing.T) {
	client, _ := crispRefusing(t, http.StatusNotFound)
	there, err := rest.Website(client, "w1").People.HasProfile(t.Context(), "p1")
	require.NoError(t, err)
	assert.False(t, there)

	client, _ = crispAnswering(t, userToken)
	there, err = rest.Website(client, "w1").People.HasProfile(t.Context(), "p1")
	require.NoError(t, err)
	assert.True(t, there)
}

func TestARefusalIsCrisps(t *testing.T) {
	client, _ := crispRefusing(t, http.StatusForbidden)
	site := rest.Website(client, "w1")
	var refusal *crisp.APIError
	_, err := site.People.HasProfile(t.Context(), "p1")
	assert.ErrorAs(t, err, &refusal)
	_, err = site.People.Profile(t.Context(), "p1")
	assert.ErrorAs(t, err, &refusal)
	_, err = site.Operators.List(t.Context())
	assert.ErrorAs(t, err, &refusal)
	_, err = site.Teams.Create(t.Context(), rest.TeamInput{})
	assert.ErrorAs(t, err, &refusal)
	_, err = site.Conversation("s1").Message(t.Context(), 1)
	assert.ErrorAs(t, err, &refusal)
	for _, err := range site.Inboxes.List(t.Context()) {
		assert.ErrorAs(t, err, &refusal)
	}
	assert.Equal(t, "some_reason", refusal.Reason)
}

func TestWhatMayHaveHadAnEffectIsNotSentAgain(t *testing.T) {
	calls := map[string]func(ctx context.Context, s *rest.Site) error{
		"POST": func(ctx context.Context, s *rest.Site) error {
			_, err := s.People.CreateProfile(ctx, rest.ProfileCard{})
			return err
		},
		"PUT": func(ctx context.Context, s *rest.Site) error {
			return s.People.SaveProfile(ctx, "p1", rest.ProfileCard{})
		},
		"PATCH": func(ctx context.Context, s *rest.Site) error {
			return s.People.UpdateProfile(ctx, "p1", rest.ProfileCard{})
		},
		"DELETE": func(ctx context.Context, s *rest.Site) error { return s.People.RemoveProfile(ctx, "p1") },
		"GET":    func(ctx context.Context, s *rest.Site) error { _, err := s.People.Profile(ctx, "p1"); return err },
		"HEAD":   func(ctx context.Context, s *rest.Site) error { _, err := s.People.HasProfile(ctx, "p1"); return err },
	}
	plain := func(ctx context.Context) context.Context { return ctx }
	for _, c := range []struct {
		status  int // of the first answer; 0 = the connection breaks
		ctx     func(context.Context) context.Context
		again   []string
		because string
	}{
		{http.StatusBadGateway, plain, []string{"GET", "HEAD"}, "may have had its effect"},
		{0, plain, []string{"GET", "HEAD"}, "may have had its effect"},
		{http.StatusBadGateway, crisp.Idempotent, []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"}, "is harmless"},
		{http.StatusTooManyRequests, plain, []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"}, "had no effect"},
		{http.StatusBadRequest, crisp.Idempotent, nil, "would be refused again"},
	} {
		for name, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				client, err := crisp.New(userToken, crisp.WithHTTPClient(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					sent++
					assert.Equal(t, name, r.Method)
					return firstly(sent, c.status)
				})}))
				require.NoError(t, err)
				err = call(c.ctx(t.Context()), rest.Website(client, "w1"))
				if slices.Contains(c.again, name) {
					assert.NoError(t, err, "%s after %d", name, c.status)
					assert.Equal(t, 2, sent, "%s after %d %s", name, c.status, c.because)
					return
				}
				assert.Error(t, err, "%s after %d", name, c.status)
				assert.Equal(t, 1, sent, "%s after %d %s", name, c.status, c.because)
			})
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// firstly answers with the status, or breaks the connection, and then with success.
func firstly(n, status int) (*http.Response, error) {
	text := `{"error":false,"reason":"done","data":{"people_id":"p1"}}`
	switch {
	case n > 1:
		status = http.StatusOK
	case status == 0:
		return nil, io.ErrUnexpectedEOF
	default:
		text = `{"error":true,"reason":"some_reason","data":{}}`
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)),
	}, nil
}

func TestAnOptTellsNothingNullAndAValueApart(t *testing.T) {
	type body struct {
		Text     rest.Opt[string]        `json:"text,omitzero"`
		Time     rest.Opt[time.Time]     `json:"time,omitzero"`
		Duration rest.Opt[time.Duration] `json:"duration,omitzero"`
	}
	for name, c := range map[string]struct {
		body body
		want string
	}{
		"nothing": {body{}, `{}`},
		"null":    {body{Text: rest.Null[string](), Time: rest.Null[time.Time]()}, `{"text":null,"time":null}`},
		"zero":    {body{Text: rest.Set("")}, `{"text":""}`},
		"units":   {body{Time: rest.Set(time.UnixMilli(1893456000000)), Duration: rest.Set(-time.Hour)}, `{"time":1893456000000,"duration":-60}`},
	} {
		got, err := json.Marshal(c.body)
		require.NoError(t, err, name)
		assert.JSONEq(t, c.want, string(got), name)
	}
	_, ok := rest.Null[int]().Get()
	assert.False(t, ok)
	n, ok := rest.Set(7).Get()
	assert.True(t, ok)
	assert.Equal(t, 7, n)
}

func TestNobodyIsNullWhereThatIsSaid(t *testing.T) {
	client, got := crispAnswering(t, userToken, `{}`, `{}`)
	batch := rest.Website(client, "w1").Batch
	require.NoError(t, batch.Assign(t.Context(), rest.BatchAssignment{Sessions: []string{"s1"}}))
	require.NoError(t, batch.MoveToInbox(t.Context(), rest.BatchMove{Sessions: []string{"s1"}}))
	assert.JSONEq(t, `{"sessions":["s1"],"assigned":null}`, got()[0].body)
	assert.JSONEq(t, `{"sessions":["s1"],"inbox_id":null}`, got()[1].body)
}

func TestAnAnswerThatIsOfNoUseIsToldSo(t *testing.T) {
	for name, data := range map[string]string{"missing": `{}`, "null": `{"team_id":null}`, "a number": `{"team_id":7}`} {
		client, _ := crispAnswering(t, userToken, data)
		_, err := rest.Website(client, "w1").Teams.Create(t.Context(), rest.TeamInput{Name: rest.Set("Support")})
		var unusable *crisp.AnswerError
		if assert.ErrorAs(t, err, &unusable, name) {
			assert.Equal(t, "website/w1/team", unusable.Route)
			assert.Equal(t, http.MethodPost, unusable.Method)
		}
	}
	client, _ := crispAnswering(t, userToken, `["spring",7]`, `[7]`)
	_, err := rest.Website(client, "w1").Campaigns.Tags(t.Context())
	require.ErrorContains(t, err, "an element of the list is no text")
	for _, err := range rest.Website(client, "w1").People.Conversations(t.Context(), "p1", rest.PeopleConversationsQuery{}) {
		require.ErrorContains(t, err, "an element of the list is no text")
	}
	client, _ = crispAnswering(t, userToken, `{"not":"a list"}`)
	_, err = rest.Website(client, "w1").Operators.List(t.Context())
	var unusable *crisp.AnswerError
	assert.ErrorAs(t, err, &unusable)
}

func TestWhereTheTierIsNotKnownCrispDecides(t *testing.T) {
	for name, c := range map[string]struct {
		token crisp.Token
		call  func(site *rest.Site) error
		sent  bool
	}{
		"plugin, for users":          {pluginToken, func(s *rest.Site) error { return s.Campaigns.Pause(t.Context(), "c1") }, false},
		"user, for users":            {userToken, func(s *rest.Site) error { return s.Campaigns.Pause(t.Context(), "c1") }, true},
		"website, for users":         {websiteToken, func(s *rest.Site) error { return s.Campaigns.Pause(t.Context(), "c1") }, true},
		"plugin, for nobody knows":   {pluginToken, func(s *rest.Site) error { return s.Teams.Delete(t.Context(), "t1") }, true},
		"plugin, for users, plugins": {pluginToken, func(s *rest.Site) error { return s.Conversation("s1").Remove(t.Context()) }, true},
	} {
		client, got := crispAnswering(t, c.token, `{}`)
		err := c.call(rest.Website(client, "w1"))
		assert.Equal(t, c.sent, err == nil, name)
		assert.Equal(t, c.sent, len(got()) == 1, name)
		if err != nil {
			assert.EqualError(t, err, "crisp: POST website/{website_id}/campaign/{campaign_id}/pause: needs a token of tier user, not plugin")
		}
	}
	client, got := crispAnswering(t, userToken)
	_, err := rest.Plugin(client).Account(t.Context())
	var wrong *rest.TierError
	assert.ErrorAs(t, err, &wrong)
	assert.Empty(t, got())
}

func TestAConversationIsReachedByItsReference(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `{"state":"pending"}`)
	state, err := rest.Conversation(client, crisp.SessionRef{WebsiteID: "w1", SessionID: "s1"}).State(t.Context())
	require.NoError(t, err)
	assert.Equal(t, crisp.SessionStatePending, state.State)
	assert.Equal(t, "/website/w1/conversation/s1/state", got()[0].path)
}

var websiteToken = crisp.WebsiteToken("w1", "identifier", "key")

func TestTheEndOfALoopIsTheEndOfItsCalls(t *testing.T) {
	client, got := crispAnswering(t, userToken, `["s1","s2"]`, `["s3"]`)
	for id, err := range rest.Website(client, "w1").People.Conversations(t.Context(), "p1", rest.PeopleConversationsQuery{FilterUnread: true}) {
		require.NoError(t, err)
		assert.Equal(t, "s1", id)
		break
	}
	require.Len(t, got(), 1)
	assert.Equal(t, "filter_unread=1", got()[0].query)
}
