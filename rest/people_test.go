package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/rest"
)

// request is what a server got.
type request struct {
	method, path, query, body string
}

// crispAnswering returns a client of a server that gives the answers one after the
// other, and what the server has got. An answer is the "data"; after the last come
// empty lists.
func crispAnswering(t *testing.T, token crisp.Token, answers ...string) (*crisp.Client, func() []request) {
	t.Helper()
	return crispServing(t, token, func() string {
		if len(answers) == 0 {
			return "[]"
		}
		data := answers[0]
		answers = answers[1:]
		return data
	})
}

// crispServing is crispAnswering with a function for the next answer.
func crispServing(t *testing.T, token crisp.Token, next func() string) (*crisp.Client, func() []request) {
	t.Helper()
	var got []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got = append(got, request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body)})
		w.Header().Set("Content-Type", "application/json")
		_, err = io.WriteString(w, `{"error":false,"reason":"resolved","data":`+next()+`}`)
		assert.NoError(t, err)
	}))
	t.Cleanup(server.Close)
	client, err := crisp.New(token, crisp.WithBaseURL(server.URL))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client, func() []request { return got }
}

var pluginToken = crisp.PluginToken("identifier", "key")

func TestAProfileHasWhatCrispAnswered(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `{"people_id":"p1","email":"ada@example.com","person":{"nickname":"Ada","geolocation":{"coordinates":{"latitude":51.5}}},"active":{"now":true},"created_at":1893456000000,"new_field":1}`)
	p, err := rest.Website(client, "w1").People.Profile(t.Context(), "ada@example.com")
	require.NoError(t, err)
	assert.Equal(t, []request{{"GET", "/website/w1/people/profile/ada@example.com", "", ""}}, got())
	assert.Equal(t, "p1", p.PeopleID)
	assert.Equal(t, "Ada", p.Person.Nickname)
	assert.InDelta(t, 51.5, p.Person.Geolocation.Coordinates.Latitude, 0)
	assert.True(t, p.Active.Now)
	assert.Equal(t, int64(1893456000000), p.CreatedAt.UnixMilli())
	assert.Contains(t, string(p.Raw), "new_field")
	assert.Empty(t, p.Problems)
}

func TestAFieldOfAnotherTypeCostsThatFieldAlone(t *testing.T) {
	client, _ := crispAnswering(t, pluginToken, `{"people_id":"p1","email":7,"person":{"nickname":["Ada"],"phone":"+1"},"segments":{}}`)
	p, err := rest.Website(client, "w1").People.Profile(t.Context(), "p1")
	require.NoError(t, err)
	assert.Equal(t, "p1", p.PeopleID)
	assert.Equal(t, "+1", p.Person.Phone)
	assert.Equal(t, []crisp.FieldProblem{
		{Path: "email", Wanted: "string", Got: "number"},
		{Path: "person.nickname", Wanted: "string", Got: "array"},
		{Path: "segments", Wanted: "array", Got: "object"},
	}, p.Problems)
}

func TestProfilesFetchesPagesAsTheLoopGoesOn(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `[{"people_id":"p1"},{"people_id":"p2"}]`, `[{"people_id":"p3"}]`)
	people := rest.Website(client, "w1").People
	var ids []string
	for p, err := range people.Profiles(t.Context(), rest.ProfilesQuery{SearchText: "a&b"}) {
		require.NoError(t, err)
		if ids = append(ids, p.PeopleID); len(ids) == 1 {
			assert.Len(t, got(), 1, "the second page can wait")
		}
	}
	assert.Equal(t, []string{"p1", "p2", "p3"}, ids)
	const path = "/website/w1/people/profiles/"
	assert.Equal(t, []request{
		{"GET", path + "1", "search_text=a%26b", ""},
		{"GET", path + "2", "search_text=a%26b", ""},
		{"GET", path + "3", "search_text=a%26b", ""},
	}, got())
}

func TestAServerThatHeedsNoPageNumberIsNotAskedForever(t *testing.T) {
	for name, c := range map[string]struct {
		pages    []string // then again from the first
		elements int
	}{
		"the same":        {[]string{`[{"people_id":"p1"}]`}, 1},
		"another time":    {[]string{`[{"people_id":"p1","score":1}]`, `[{"people_id":"p1","score":2}]`}, 1},
		"in a circle":     {[]string{`[{"people_id":"p1"}]`, `[{"people_id":"p2"}]`}, 2},
		"without an id":   {[]string{`[{"score":1}]`, `[{"score":2}]`}, 2},
		"a part is again": {[]string{`[{"people_id":"p1"},{"people_id":"p2"}]`, `[{"people_id":"p2"},{"people_id":"p3"}]`}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			client, _ := crispServing(t, pluginToken, func() string {
				requests++
				return c.pages[(requests-1)%len(c.pages)]
			})
			var last error
			elements := 0
			for _, err := range rest.Website(client, "w1").People.Profiles(t.Context(), rest.ProfilesQuery{}) {
				require.Less(t, requests, 10, "it does not end")
				if last = err; err == nil {
					elements++
				}
			}
			var unusable *crisp.AnswerError
			require.ErrorAs(t, last, &unusable)
			assert.Equal(t, c.elements, elements)
		})
	}
}

func TestAListCanBeReadAgain(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `[{"people_id":"p1"}]`, `[]`, `[{"people_id":"p1"}]`, `[]`)
	list := rest.Website(client, "w1").People.Profiles(t.Context(), rest.ProfilesQuery{})
	for range 2 {
		var ids []string
		for p, err := range list {
			require.NoError(t, err)
			ids = append(ids, p.PeopleID)
		}
		assert.Equal(t, []string{"p1"}, ids)
	}
	assert.Len(t, got(), 4)
}

// What is added to the front while the loop goes on moves the last to another page.
func TestAnElementThatMovesToThePageBehindIsNoError(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `[{"people_id":"p2"},{"people_id":"p1"}]`, `[{"people_id":"p1"}]`)
	var ids []string
	for p, err := range rest.Website(client, "w1").People.Profiles(t.Context(), rest.ProfilesQuery{}) {
		require.NoError(t, err)
		ids = append(ids, p.PeopleID)
	}
	assert.Equal(t, []string{"p2", "p1"}, ids)
	assert.Len(t, got(), 3)
}

func TestACancelledLoopSendsNothingMore(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `[{"people_id":"p1"},{"people_id":"p2"}]`, `[{"people_id":"p3"}]`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ids []string
	var last error
	for p, err := range rest.Website(client, "w1").People.Profiles(ctx, rest.ProfilesQuery{}) {
		cancel()
		if last = err; err == nil {
			ids = append(ids, p.PeopleID)
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	assert.Equal(t, []string{"p1", "p2"}, ids, "what was there already")
	assert.Len(t, got(), 1)
}

func TestCreateProfileSendsWhatIsSetAndReturnsTheIdentifier(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `{"people_id":"p1"}`)
	id, err := rest.Website(client, "w1").People.CreateProfile(t.Context(), rest.ProfileCard{
		Email:    rest.Set("ada@example.com"),
		Notepad:  rest.Null[string](),
		Segments: []string{},
		Person:   &rest.PersonInput{Nickname: rest.Set("Ada"), Address: rest.Set("")},
	})
	require.NoError(t, err)
	assert.Equal(t, "p1", id)
	assert.JSONEq(t, `{"email":"ada@example.com","notepad":null,"segments":[],"person":{"nickname":"Ada","address":""}}`, got()[0].body)
}

func TestUpdateDataWrapsTheData(t *testing.T) {
	client, got := crispAnswering(t, pluginToken, `{}`)
	require.NoError(t, rest.Website(client, "w1").People.UpdateData(t.Context(), "p/1", map[string]any{"plan": "pro"}))
	assert.Equal(t, []request{{"PATCH", "/website/w1/people/data/p%2F1", "", `{"data":{"plan":"pro"}}`}}, got())
}

func TestAnEmptyIdentifierIsInvalid(t *testing.T) {
	client, got := crispAnswering(t, pluginToken)
	var invalid *crisp.InvalidError
	_, err := rest.Website(client, "w1").People.Profile(t.Context(), "")
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "people_id", invalid.Field)
	_, err = rest.Website(client, "").People.Statistics(t.Context())
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "website_id", invalid.Field)
	for _, err := range rest.Website(client, "w1").People.Events(t.Context(), "") {
		assert.ErrorAs(t, err, &invalid)
	}
	_, err = rest.Website(client, "..").People.Statistics(t.Context())
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "website_id", invalid.Field)
	_, err = rest.Account(client).HasWebsite(t.Context(), "")
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "domain", invalid.Field)
	_, err = rest.Website(client, "w1").Conversation("s1").Message(t.Context(), 0)
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "fingerprint", invalid.Field)
	assert.Empty(t, got())
}

func TestATokenOfAnotherTierSendsNothing(t *testing.T) {
	client, got := crispAnswering(t, pluginToken)
	err := rest.Website(client, "w1").People.Export(t.Context())
	var wrong *rest.TierError
	require.ErrorAs(t, err, &wrong)
	assert.ErrorIs(t, err, crisp.ErrScope)
	assert.Equal(t, []crisp.Tier{crisp.TierUser}, wrong.Tiers)
	assert.Empty(t, got())
}

func TestAnswersCanBeEmbedded(t *testing.T) {
	type contact struct {
		rest.Profile
		Note string `json:"note"`
	}
	var c contact
	require.NoError(t, json.Unmarshal([]byte(`{"email":"ada@example.com","note":"mine"}`), &c))
	assert.Equal(t, "mine", c.Note)
	assert.Equal(t, "ada@example.com", c.Email)
}
