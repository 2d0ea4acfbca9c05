package crisptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// peopleOf returns the calls for the contacts of a website, with a token of a tier.
func peopleOf(t *testing.T, srv *crisptest.Server, tier crisp.Tier, website string) *rest.PeopleService {
	t.Helper()
	client, err := crisp.New(srv.TokenFor(tier), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	return rest.Website(client, website).People
}

// card is the least that Crisp takes of a contact.
func card(email, nickname string) rest.ProfileCard {
	return rest.ProfileCard{Email: rest.Set(email), Person: &rest.PersonInput{Nickname: rest.Set(nickname)}}
}

// create creates a contact, and returns its identifier.
func create(t *testing.T, people *rest.PeopleService, card rest.ProfileCard) string {
	t.Helper()
	id, err := people.CreateProfile(t.Context(), card)
	require.NoError(t, err)
	return id
}

// all returns all of a list.
func all[T any](t *testing.T, list iter.Seq2[T, error]) (found []T) {
	t.Helper()
	for v, err := range list {
		require.NoError(t, err)
		found = append(found, v)
	}
	return found
}

// assertRefused checks that a call was refused with a status and a reason.
func assertRefused(t *testing.T, err error, status int, reason string, what ...any) {
	t.Helper()
	var refusal *crisp.APIError
	require.ErrorAs(t, err, &refusal, what...)
	assert.Equal(t, status, refusal.StatusCode, what...)
	assert.Equal(t, reason, refusal.Reason, what...)
}

// Each step is a request, its answer, and the events that RTM sessions receive. The
// contact is the first, so that its identifier is known.
func TestPeopleRoutes(t *testing.T) {
	const (
		id   = "00000000-0000-4000-9000-000000000001"
		of   = `"people_id":"` + id + `","website_id":"w"`
		none = `{}`
		then = `946684800000`
		read = `"people_id":"` + id + `","score":0,"created_at":` + then + `,"updated_at":` + then
	)
	steps := []struct {
		method, path, body string
		status             int
		reason, data       string
		events             []string
	}{
		{"GET", "stats", "", 200, "resolved", `{"total":0}`, nil},
		{"HEAD", "profile/ada@example.com", "", 404, "", "", nil},
		{"GET", "profile/" + id, "", 404, "people_not_found", none, nil},
		{"POST", "profile", `{"email":"Ada@example.com","person":{"nickname":"Ada"},"active":5,"people_id":"mine","tag":1.50}`, 201, "added", `{"people_id":"` + id + `"}`,
			[]string{`people:profile:created {"email":"Ada@example.com",` + of + `}`}},
		{"HEAD", "profile/ada@example.com", "", 200, "", "", nil},
		{"HEAD", "profile/" + id, "", 200, "", "", nil},
		{"GET", "profile/ada@example.com", "", 200, "resolved",
			`{"email":"Ada@example.com","person":{"nickname":"Ada"},"company":{},"segments":[],"notepad":"","active":{"now":false,"last":5},"tag":1.50,` + read + `}`, nil},
		{"POST", "profile", `{"email":"ADA@example.com","person":{"nickname":"Ada"}}`, 409, "people_exists", none, nil},
		{"PATCH", "profile/" + id, `{"person":{"phone":"+1","employment":{"title":"Countess"}},"segments":["vip"],"tag":null,"score":99,"created_at":1}`, 200, "updated", none,
			[]string{`people:profile:updated {"email":"Ada@example.com","people_id":"` + id + `","update":{"person":{"employment":{"title":"Countess"},"phone":"+1"},"segments":["vip"],"tag":null,"updated_at":` + then + `},"website_id":"w"}`}},
		{"GET", "profile/" + id, "", 200, "resolved",
			`{"email":"Ada@example.com","person":{"nickname":"Ada","phone":"+1","employment":{"title":"Countess"}},"company":{},"segments":["vip"],"notepad":"","active":{"now":false,"last":5},` + read + `}`, nil},
		{"PUT", "profile/Ada@example.com", `{"email":"ada@example.org","person":{"nickname":"A."}}`, 200, "saved", none,
			[]string{`people:profile:updated {"email":"ada@example.org","people_id":"` + id + `","update":{"active":{"last":` + then + `,"now":false},"company":{},"email":"ada@example.org","notepad":"","person":{"nickname":"A."},"segments":[],"updated_at":` + then + `},"website_id":"w"}`}},
		{"GET", "profile/ada@example.com", "", 404, "people_not_found", none, nil},
		{"GET", "profile/ada@example.org", "", 200, "resolved",
			`{"email":"ada@example.org","person":{"nickname":"A."},"company":{},"segments":[],"notepad":"","active":{"now":false,"last":` + then + `},` + read + `}`, nil},

		{"GET", "data/" + id, "", 200, "resolved", `{"data":{}}`, nil},
		{"PUT", "data/" + id, `{"data":{"plan":"pro","seats":3}}`, 200, "saved", none, nil},
		{"PATCH", "data/" + id, `{"data":{"seats":null,"paid":true}}`, 200, "updated", none, nil},
		{"GET", "data/ada@example.org", "", 200, "resolved", `{"data":{"plan":"pro","paid":true}}`, nil},
		{"POST", "events/" + id, `{"text":"Bought","data":{"price":9.90},"color":"red"}`, 201, "added", none, nil},
		{"GET", "events/" + id + "/list/1", "", 200, "listed", `[{"text":"Bought","data":{"price":9.90},"color":"red","timestamp":` + then + `}]`, nil},
		{"GET", "events/" + id + "/list/2", "", 200, "listed", `[]`, nil},
		{"GET", "events/" + id + "/list/0", "", 400, "invalid_data", none, nil},
		{"GET", "subscription/" + id, "", 200, "resolved", `{"email":true}`, nil},
		{"PATCH", "subscription/" + id, `{"email":false}`, 200, "updated", none, []string{`email:subscribe {"email":"ada@example.org","subscribed":false,"website_id":"w"}`}},
		{"PATCH", "subscription/" + id, `{"email":false}`, 200, "updated", none, nil},
		{"GET", "subscription/" + id, "", 200, "resolved", `{"email":false}`, nil},
		{"GET", "conversations/" + id + "/list/1", "", 200, "listed", `[]`, nil},
		{"GET", "campaigns/" + id + "/list/1", "", 403, "restricted_route_tier", none, nil},
		{"POST", "export/profiles", "", 403, "restricted_route_tier", none, nil},
		{"POST", "import/profiles", "", 403, "restricted_route_tier", none, nil},
		{"GET", "suggest/data/1", "", 200, "listed", `[{"key":"paid","count":1},{"key":"plan","count":1}]`, nil},
		{"GET", "stats", "", 200, "resolved", `{"total":1}`, nil},

		{"PATCH", "profile/" + id, `{"email":null}`, 200, "updated", none,
			[]string{`people:profile:updated {"people_id":"` + id + `","update":{"email":null,"updated_at":` + then + `},"website_id":"w"}`}},
		{"GET", "profile/ada@example.org", "", 404, "people_not_found", none, nil},
		{"DELETE", "profile/" + id, "", 200, "deleted", none, []string{`people:profile:removed {` + of + `}`}},
		{"DELETE", "profile/" + id, "", 404, "people_not_found", none, nil},
		{"GET", "stats", "", 200, "resolved", `{"total":0}`, nil},
	}
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		l := listen(t, srv)
		for _, step := range steps {
			name := fmt.Sprintf("%s %s %s", step.method, step.path, step.body)
			answer := call(t, srv, srv.Token(), step.method, "website/w/people/"+step.path, step.body)
			require.Equal(t, step.status, answer.Status, name)
			if step.method != http.MethodHead {
				assert.Equal(t, step.reason, answer.Reason, name)
				assert.JSONEq(t, step.data, string(answer.Data), name)
			}
			assert.Equal(t, sorted(t, step.events), l.events(), name)
		}
	})
}

func TestWhatIsWrittenOfAContactIsRead(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	active := time.UnixMilli(1893456000000)
	id := create(t, people, rest.ProfileCard{
		Email: rest.Set("ada@example.com"),
		Person: &rest.PersonInput{
			Nickname:    rest.Set("Ada"),
			Avatar:      rest.Set("https://example.com/ada.png"),
			Gender:      rest.Set("female"),
			Phone:       rest.Set("+1"),
			Address:     rest.Set("1 Main Street"),
			Description: rest.Set("Writes programs."),
			Website:     rest.Set("https://ada.example.com"),
			Timezone:    rest.Set(-90 * time.Minute),
			Profiles:    []rest.SocialProfileInput{{Type: rest.Set("x"), Handle: rest.Set("ada")}},
			Employment:  &rest.EmploymentInput{Title: rest.Set("Countess"), Seniority: rest.Set("executive")},
			Geolocation: &rest.GeolocationInput{Country: rest.Set("GB"), Coordinates: &rest.CoordinatesInput{Latitude: rest.Set(51.5), Longitude: rest.Set(-0.1)}},
			Locales:     []string{"en", "fr"},
		},
		Company: &rest.CompanyInput{
			Name:    rest.Set("Engines"),
			Phones:  []string{"+2"},
			Metrics: &rest.MetricsInput{Employees: rest.Set(2)},
			Tags:    []string{"steam"},
		},
		Segments: []string{"vip"},
		Notepad:  rest.Set("Prefers letters."),
		Active:   rest.Set(active),
	})
	for _, name := range []string{id, "ada@example.com"} {
		p, err := people.Profile(t.Context(), name)
		require.NoError(t, err)
		assert.Empty(t, p.Problems)
		assert.Equal(t, id, p.PeopleID)
		assert.Equal(t, "ada@example.com", p.Email)
		assert.Equal(t, []string{"vip"}, p.Segments)
		assert.Equal(t, "Prefers letters.", p.Notepad)
		assert.Equal(t, active.UnixMilli(), p.Active.Last.UnixMilli())
		assert.Equal(t, "Ada", p.Person.Nickname)
		assert.Equal(t, "Countess", p.Person.Employment.Title)
		assert.Equal(t, "ada", p.Person.Profiles[0].Handle)
		assert.Equal(t, []string{"en", "fr"}, p.Person.Locales)
		assert.InDelta(t, -0.1, p.Person.Geolocation.Coordinates.Longitude, 0)
		assert.Equal(t, "Engines", p.Company.Name)
		assert.Equal(t, []string{"steam"}, p.Company.Tags)
		assert.False(t, p.CreatedAt.IsZero())
	}
	require.NoError(t, people.UpdateProfile(t.Context(), id, rest.ProfileCard{Company: &rest.CompanyInput{Domain: rest.Set("engines.example.com")}}))
	p, err := people.Profile(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "Engines", p.Company.Name, "what is not changed stays")
	assert.Equal(t, "engines.example.com", p.Company.Domain)
	assert.Equal(t, "Ada", p.Person.Nickname)

	require.NoError(t, people.SaveProfile(t.Context(), id, card("ada@example.com", "A.")))
	p, err = people.Profile(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "A.", p.Person.Nickname)
	assert.Empty(t, p.Person.Phone, "what is not saved is gone")
	assert.Empty(t, p.Company.Name)
	assert.Empty(t, p.Segments)
}

func TestWhatIsNotKnownOfAContactIsKeptAsItCame(t *testing.T) {
	srv := crisptest.NewServer(t)
	const custom = `"crm":{"id":12345678901234567890,"list":[1.0,null,{"a":"é"}]}`
	answer := call(t, srv, srv.Token(), http.MethodPost, "website/w/people/profile", `{"email":"a@b.c","person":{"nickname":"A","pronoun":"she"},`+custom+`}`)
	require.Equal(t, http.StatusCreated, answer.Status)
	answer = call(t, srv, srv.Token(), http.MethodPut, "website/w/people/data/a@b.c", `{"data":{"id":12345678901234567890}}`)
	require.Equal(t, http.StatusOK, answer.Status)

	profile := call(t, srv, srv.Token(), http.MethodGet, "website/w/people/profile/a@b.c", "")
	assert.Contains(t, string(profile.Data), custom)
	assert.Contains(t, string(profile.Data), `"pronoun":"she"`)
	data := call(t, srv, srv.Token(), http.MethodGet, "website/w/people/data/a@b.c", "")
	assert.Contains(t, string(data.Data), `12345678901234567890}`)
}

func TestInvalidContactsAreRefused(t *testing.T) {
	srv := crisptest.NewServer(t)
	id := srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "w").PeopleID
	before, _ := srv.Profile("w", id)
	cards := []string{
		`{"email":7}`, `{"email":"nobody"}`, `{"email":"a b@c.d"}`, `{"email":"@c.d"}`, `{"person":[]}`, `{"person":{"nickname":7}}`,
		`{"person":{"timezone":"60"}}`, `{"person":{"timezone":1.5}}`, `{"person":{"locales":"en"}}`, `{"person":{"profiles":[{"type":1}]}}`,
		`{"person":{"geolocation":{"coordinates":{"latitude":"1"}}}}`, `{"person":{"employment":"Countess"}}`, `{"company":"Engines"}`,
		`{"company":{"phones":[1]}}`, `{"company":{"metrics":{"employees":"2"}}}`, `{"segments":"vip"}`, `{"segments":[1]}`,
		`{"notepad":{}}`, `{"active":{"now":true}}`, `{"active":-1}`, `[]`, `null`, ``, `{`,
	}
	type request struct{ method, path, body string }
	requests := []request{
		{"POST", "profile", `{"email":"x@example.com"}`},
		{"POST", "profile", `{"email":"x@example.com","person":{}}`},
		{"POST", "profile", `{"email":"x@example.com","person":{"nickname":""}}`},
		{"POST", "profile", `{"person":{"nickname":"X"}}`},
		{"PUT", "profile/" + id, `{"person":{"nickname":"X"}}`},
		{"PUT", "data/" + id, `{"plan":"pro"}`},
		{"PUT", "data/" + id, `{"data":{"plan":{}}}`},
		{"PATCH", "data/" + id, `{"data":[]}`},
		{"POST", "events/" + id, `{}`},
		{"POST", "events/" + id, `{"text":""}`},
		{"POST", "events/" + id, `{"text":"Bought","data":"9.5"}`},
		{"POST", "events/" + id, `{"text":"Bought","color":7}`},
		{"POST", "events/" + id, `{"text":"Bought","timestamp":"now"}`},
		{"PATCH", "subscription/" + id, `{}`},
		{"PATCH", "subscription/" + id, `{"email":"yes"}`},
		{"DELETE", "suggest/segment", `{"key":"vip"}`},
		{"DELETE", "suggest/data", `{}`},
		{"DELETE", "suggest/event", ``},
		{"GET", "profiles/0", ""},
		{"GET", "profiles/x", ""},
		{"GET", "profiles/1?sort_order=up", ""},
		{"GET", "profiles/1?search_operator=xor", ""},
		{"GET", "profiles/1?search_filter=vip", ""},
		{"GET", `profiles/1?search_filter=[{"model":"session","criterion":"email","operator":"eq","query":["x"]}]`, ""},
		{"GET", `profiles/1?search_filter=[{"model":"people","criterion":"email","operator":"like","query":["x"]}]`, ""},
		{"GET", "conversations/" + id + "/list/0", ""},
	}
	for _, body := range cards {
		requests = append(requests, request{"POST", "profile", body}, request{"PUT", "profile/" + id, body}, request{"PATCH", "profile/" + id, body})
	}
	l := listen(t, srv)
	for _, r := range requests {
		answer := call(t, srv, srv.Token(), r.method, "website/w/people/"+r.path, r.body)
		assert.Equal(t, http.StatusBadRequest, answer.Status, r)
		assert.Equal(t, "invalid_data", answer.Reason, r)
	}
	assert.Empty(t, l.events())
	assert.Equal(t, []crisptest.Profile{before}, srv.Profiles())
}

func TestAnAddressIsThatOfOneContact(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	ada, bob := create(t, people, card("ada@example.com", "Ada")), create(t, people, card("bob@example.com", "Bob"))
	create(t, peopleOf(t, srv, crisp.TierPlugin, "another"), card("ada@example.com", "Ada"))

	_, err := people.CreateProfile(t.Context(), card("Ada@Example.com", "Eve"))
	assertRefused(t, err, http.StatusConflict, "people_exists")
	assertRefused(t, people.UpdateProfile(t.Context(), bob, rest.ProfileCard{Email: rest.Set("ada@example.com")}), http.StatusConflict, "people_exists")
	assertRefused(t, people.SaveProfile(t.Context(), bob, card("ada@example.com", "Bob")), http.StatusConflict, "people_exists")
	require.NoError(t, people.UpdateProfile(t.Context(), ada, rest.ProfileCard{Email: rest.Set("ADA@example.com")}), "it is the contact's own")

	require.NoError(t, people.UpdateProfile(t.Context(), ada, rest.ProfileCard{Email: rest.Set("ada@example.org")}))
	require.NoError(t, people.UpdateProfile(t.Context(), bob, rest.ProfileCard{Email: rest.Set("ada@example.com")}), "it is free now")
	p, err := people.Profile(t.Context(), "ada@example.com")
	require.NoError(t, err)
	assert.Equal(t, "Bob", p.Person.Nickname)
	require.NoError(t, people.RemoveProfile(t.Context(), bob))
	create(t, people, card("ada@example.com", "Bob"))
}

func TestWhoIsNoContactIsNotFound(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "another")
	people := peopleOf(t, srv, crisp.TierUser, "w")
	ctx := t.Context()
	for _, who := range []string{"00000000-0000-4000-9000-000000000001", "ada@example.com"} {
		exists, err := people.HasProfile(ctx, who)
		require.NoError(t, err)
		assert.False(t, exists)
		first := func(list iter.Seq2[*rest.ProfileEvent, error]) (err error) {
			for _, err = range list {
				return err
			}
			return nil
		}
		_, profile := people.Profile(ctx, who)
		_, data := people.Data(ctx, who)
		_, subscription := people.Subscription(ctx, who)
		for i, err := range []error{
			profile,
			people.SaveProfile(ctx, who, card("eve@example.com", "Eve")),
			people.UpdateProfile(ctx, who, rest.ProfileCard{}),
			people.RemoveProfile(ctx, who),
			data,
			people.SaveData(ctx, who, map[string]any{"a": 1}),
			people.UpdateData(ctx, who, map[string]any{"a": 1}),
			people.AddEvent(ctx, who, rest.ProfileEventInput{Text: rest.Set("Bought")}),
			first(people.Events(ctx, who)),
			subscription,
			people.UpdateSubscription(ctx, who, rest.EmailSubscriptionInput{Email: rest.Set(true)}),
		} {
			assertRefused(t, err, http.StatusNotFound, "people_not_found", i)
		}
	}
}

func TestContactsAreListed(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	for i := range 45 {
		c := card(fmt.Sprintf("p%02d@example.com", i), fmt.Sprintf("Person %02d", 44-i))
		if i < 3 {
			c.Segments = []string{"vip", fmt.Sprint("s", i)}
		}
		id := create(t, people, c)
		require.NoError(t, people.SaveData(t.Context(), id, map[string]any{"seats": i}))
	}
	create(t, peopleOf(t, srv, crisp.TierPlugin, "another"), card("elsewhere@example.com", "Person"))
	filter := func(criterion, operator string, query ...string) rest.ProfileFilter {
		return rest.ProfileFilter{Model: rest.Set("people"), Criterion: rest.Set(criterion), Operator: rest.Set(operator), Query: query}
	}
	tests := []struct {
		name        string
		query       rest.ProfilesQuery
		count       int
		first, last string // the part of the address before the @
	}{
		{"as they were created", rest.ProfilesQuery{}, 45, "p00", "p44"},
		{"latest first", rest.ProfilesQuery{SortOrder: "descending"}, 45, "p44", "p00"},
		{"by name", rest.ProfilesQuery{SortField: "nickname", SortOrder: "ascending"}, 45, "p44", "p00"},
		{"by a path", rest.ProfilesQuery{SortField: "person.nickname", SortOrder: "descending"}, 45, "p00", "p44"},
		{"by a number", rest.ProfilesQuery{SortField: "data.seats", SortOrder: "desc"}, 45, "p44", "p00"},
		{"with a text", rest.ProfilesQuery{SearchText: "PERSON 0"}, 10, "p35", "p44"},
		{"with a text in the address", rest.ProfilesQuery{SearchText: "p07@"}, 1, "p07", "p07"},
		{"with a text in a segment", rest.ProfilesQuery{SearchText: "s1"}, 1, "p01", "p01"},
		{"with a text that nobody has", rest.ProfilesQuery{SearchText: "xyz"}, 0, "", ""},
		{"in a segment", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("segments", "eq", "VIP")}}, 3, "p00", "p02"},
		{"in one of two", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("segments", "eq", "s0", "s2")}}, 2, "p00", "p02"},
		{"in none", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("segments", "neq", "vip")}}, 42, "p03", "p44"},
		{"with few seats", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("data.seats", "lte", "10")}}, 11, "p00", "p10"},
		{"with fewer seats", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("data.seats", "lt", "10")}}, 10, "p00", "p09"},
		{"with many seats", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("data.seats", "gt", "40")}}, 4, "p41", "p44"},
		{"with more seats", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("data.seats", "gte", "9")}}, 36, "p09", "p44"},
		{"with both", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("segments", "eq", "vip"), filter("email", "eq", "p01@example.com")}}, 1, "p01", "p01"},
		{"with either", rest.ProfilesQuery{SearchOperator: "or", SearchFilter: []rest.ProfileFilter{filter("segments", "eq", "vip"), filter("email", "eq", "p31@example.com")}}, 4, "p00", "p31"},
		{"with either of none", rest.ProfilesQuery{SearchOperator: "or"}, 45, "p00", "p44"},
		{"with what nobody has", rest.ProfilesQuery{SearchFilter: []rest.ProfileFilter{filter("company.name", "eq", "")}}, 0, "", ""},
	}
	for _, test := range tests {
		found := all(t, people.Profiles(t.Context(), test.query))
		require.Len(t, found, test.count, test.name)
		if test.count > 0 {
			assert.Equal(t, test.first+"@example.com", found[0].Email, test.name)
			assert.Equal(t, test.last+"@example.com", found[len(found)-1].Email, test.name)
		}
	}
	total, err := people.Statistics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 45, total.Total)
}

// Crisp's own Go library sends all keys of the query, and "null" for no filters.
func TestEmptyKeysOfTheQueryForContactsDoNotCount(t *testing.T) {
	srv := crisptest.NewServer(t)
	create(t, peopleOf(t, srv, crisp.TierPlugin, "w"), card("ada@example.com", "Ada"))
	answer := call(t, srv, srv.Token(), http.MethodGet, "website/w/people/profiles/1?sort_field=&sort_order=&search_operator=&search_filter=null&search_text=", "")
	require.Equal(t, http.StatusOK, answer.Status)
	assert.Contains(t, string(answer.Data), "ada@example.com")
}

func TestDataOfAContact(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	ctx, id := t.Context(), create(t, people, card("ada@example.com", "Ada"))
	require.NoError(t, people.SaveData(ctx, id, map[string]any{"plan": "pro", "seats": 3, "paid": true}))
	require.NoError(t, people.UpdateData(ctx, "ada@example.com", map[string]any{"plan": "free", "trial": false}))
	got, err := people.Data(ctx, id)
	require.NoError(t, err)
	assert.JSONEq(t, `{"data":{"plan":"free","seats":3,"paid":true,"trial":false}}`, string(got.Raw))
	require.NoError(t, people.SaveData(ctx, id, map[string]any{"seats": 4}))
	got, err = people.Data(ctx, id)
	require.NoError(t, err)
	assert.JSONEq(t, `{"data":{"seats":4}}`, string(got.Raw))
}

func TestEventsOfAContactAreListedLatestFirst(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	ctx, id := t.Context(), create(t, people, card("ada@example.com", "Ada"))
	for i := range 25 {
		require.NoError(t, people.AddEvent(ctx, id, rest.ProfileEventInput{
			Text:  rest.Set("Bought"),
			Data:  map[string]any{"number": i},
			Color: rest.Set("red"),
		}))
	}
	events := all(t, people.Events(ctx, "ada@example.com"))
	require.Len(t, events, 25)
	assert.JSONEq(t, `{"number":24}`, string(encoded(t, events[0].Data)))
	assert.JSONEq(t, `{"number":0}`, string(encoded(t, events[24].Data)))
	assert.Equal(t, "red", events[0].Color)
	assert.False(t, events[0].Timestamp.IsZero())
	p, _ := srv.Profile("w", id)
	assert.Len(t, p.Events, 25)
	assert.Equal(t, "Bought", p.Events[0]["text"])
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

func TestSuggestionsForContacts(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	ctx := t.Context()
	for i := range 3 {
		c := card(fmt.Sprintf("p%d@example.com", i), "P")
		c.Segments = []string{"customer", []string{"vip", "trial", "vip"}[i]}
		id := create(t, people, c)
		require.NoError(t, people.SaveData(ctx, id, map[string]any{"plan": i, fmt.Sprint("key", i): i}))
		require.NoError(t, people.AddEvent(ctx, id, rest.ProfileEventInput{Text: rest.Set("Bought")}))
	}
	require.NoError(t, people.AddEvent(ctx, "p0@example.com", rest.ProfileEventInput{Text: rest.Set("Left")}))
	segments := func() (list []string) {
		for _, s := range all(t, people.Segments(ctx)) {
			list = append(list, fmt.Sprint(s.Segment, " ", s.Count))
		}
		return list
	}
	keys := func() (list []string) {
		for _, k := range all(t, people.DataKeys(ctx)) {
			list = append(list, fmt.Sprint(k.Key, " ", k.Count))
		}
		return list
	}
	names := func() (list []string) {
		for _, e := range all(t, people.EventNames(ctx)) {
			list = append(list, fmt.Sprint(e.Text, " ", e.Count))
		}
		return list
	}
	assert.Equal(t, []string{"customer 3", "vip 2", "trial 1"}, segments())
	assert.Equal(t, []string{"plan 3", "key0 1", "key1 1", "key2 1"}, keys())
	assert.Equal(t, []string{"Bought 3", "Left 1"}, names())
	assert.Empty(t, all(t, peopleOf(t, srv, crisp.TierPlugin, "another").Segments(ctx)))

	require.NoError(t, people.ForgetSegment(ctx, "vip"))
	require.NoError(t, people.ForgetDataKey(ctx, "plan"))
	require.NoError(t, people.ForgetEventName(ctx, "Bought"))
	assert.Equal(t, []string{"customer 3", "trial 1"}, segments())
	assert.Equal(t, []string{"key0 1", "key1 1", "key2 1"}, keys())
	assert.Equal(t, []string{"Left 1"}, names())
	p, err := people.Profile(ctx, "p0@example.com")
	require.NoError(t, err)
	assert.Equal(t, []string{"customer", "vip"}, p.Segments, "the contact keeps it")

	require.NoError(t, people.UpdateProfile(ctx, "p1@example.com", rest.ProfileCard{Segments: []string{"vip"}}))
	require.NoError(t, people.UpdateData(ctx, "p1@example.com", map[string]any{"plan": 7}))
	require.NoError(t, people.AddEvent(ctx, "p1@example.com", rest.ProfileEventInput{Text: rest.Set("Bought")}))
	assert.Equal(t, []string{"vip 3", "customer 2"}, segments(), "what is written is suggested again")
	assert.Contains(t, keys(), "plan 3")
	assert.Contains(t, names(), "Bought 4")
}

func TestRoutesOfUsersAreRefusedToOtherTiers(t *testing.T) {
	srv := crisptest.NewServer(t)
	id := srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}).PeopleID
	const importBody = `{"url":"https://files.example.com/a.csv","mapping":[{"column":1,"field":"email"}],"options":{"column_separator":";","skip_header":true}}`
	for _, r := range []struct{ method, path, body string }{
		{"GET", "campaigns/" + id + "/list/1", ""},
		{"POST", "export/profiles", ""},
		{"POST", "import/profiles", importBody},
	} {
		for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierWebsite} {
			answer := call(t, srv, srv.TokenFor(tier), r.method, "website/"+crisptest.WebsiteID+"/people/"+r.path, r.body)
			assert.Equal(t, "restricted_route_tier", answer.Reason, r)
			assert.Equal(t, http.StatusForbidden, answer.Status, r)
		}
	}
	people := peopleOf(t, srv, crisp.TierUser, crisptest.WebsiteID)
	assert.Empty(t, all(t, people.Campaigns(t.Context(), id)))
	require.NoError(t, people.Export(t.Context()))
	importID, err := people.Import(t.Context(), rest.ImportSetup{
		URL:     rest.Set("https://files.example.com/a.csv"),
		Mapping: []rest.ImportMapping{{Column: rest.Set(1), Field: rest.Set("email")}},
	})
	require.NoError(t, err)
	assert.NotEmpty(t, importID)
	_, err = people.Import(t.Context(), rest.ImportSetup{URL: rest.Set("a.csv")})
	assertRefused(t, err, http.StatusBadRequest, "invalid_data")
	_, err = peopleOf(t, srv, crisp.TierWebsite, crisptest.WebsiteID).Profile(t.Context(), id)
	require.NoError(t, err)
	_, err = peopleOf(t, srv, crisp.TierWebsite, "another").Profile(t.Context(), id)
	assertRefused(t, err, http.StatusForbidden, "not_allowed")
}

func TestConversationsOfAContact(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		people := peopleOf(t, srv, crisp.TierPlugin, "w")
		ada := create(t, people, card("ada@example.com", "Ada"))
		var visitors []*crisptest.Visitor
		for range 22 {
			v := srv.Visitor("w")
			<-time.After(time.Minute)
			v.SetMeta(map[string]any{"email": "ada@example.com"})
			visitors = append(visitors, v)
		}
		srv.Visitor("w").SetMeta(map[string]any{"email": "bob@example.com"})
		visitors[0].Say("Anybody there?") // now it is the latest
		srv.Operator("alice").Resolve(visitors[1])

		ctx := t.Context()
		ids := all(t, people.Conversations(ctx, "ada@example.com", rest.PeopleConversationsQuery{}))
		require.Len(t, ids, 22)
		assert.ElementsMatch(t, []string{visitors[0].SessionID, visitors[1].SessionID}, ids[:2])
		assert.Equal(t, visitors[2].SessionID, ids[21])
		assert.Equal(t, []string{visitors[0].SessionID}, all(t, people.Conversations(ctx, ada, rest.PeopleConversationsQuery{FilterUnread: true})))
		assert.Equal(t, []string{visitors[1].SessionID}, all(t, people.Conversations(ctx, ada, rest.PeopleConversationsQuery{FilterResolved: true})))
		assert.Len(t, all(t, people.Conversations(ctx, ada, rest.PeopleConversationsQuery{FilterNotResolved: true})), 21)
	})
}

func TestContactsHaveTheConversationsOfTheirAddress(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	people := rest.Website(client, crisptest.WebsiteID).People
	ctx := t.Context()
	ada, bob := create(t, people, card("ada@example.com", "Ada")), create(t, people, card("bob@example.com", "Bob"))
	visitor := srv.Visitor()
	l := listen(t, srv)
	bound := func(to string) []string {
		return sorted(t, []string{fmt.Sprintf(`people:bind:session {"people_id":%q,"session_id":%q,"website_id":%q}`, to, visitor.SessionID, crisptest.WebsiteID)})
	}
	contact := func() string {
		c, err := client.Conversation(ctx, visitor.Session())
		require.NoError(t, err)
		assert.Equal(t, visitor.Conversation().PeopleID, c.PeopleID)
		return c.PeopleID
	}

	assert.Empty(t, contact())
	visitor.SetMeta(map[string]any{"email": "ADA@example.com"})
	assert.Equal(t, bound(ada), l.events()[1:], "after session:set_email")
	assert.Equal(t, ada, contact())
	visitor.SetMeta(map[string]any{"email": "ada@example.com", "nickname": "Ada"})
	assert.Len(t, l.events(), 2, "it is bound already")

	path := "website/" + crisptest.WebsiteID + "/conversation/" + visitor.SessionID + "/meta"
	require.Equal(t, http.StatusOK, call(t, srv, srv.Token(), http.MethodPatch, path, `{"email":"bob@example.com"}`).Status)
	assert.Equal(t, bound(bob), l.events()[1:])
	assert.Equal(t, bob, contact())
	require.NoError(t, people.UpdateProfile(ctx, bob, rest.ProfileCard{Email: rest.Set("bob@example.org")}))
	assert.Equal(t, bob, contact(), "the contact keeps the conversation")
	create(t, people, card("bob@example.com", "Another Bob"))
	assert.Equal(t, bob, contact(), "also from whoever gets the address")
	visitor.SetMeta(map[string]any{"phone": "+1"})
	assert.Equal(t, bob, contact())
	visitor.SetMeta(map[string]any{"email": "eve@example.com"})
	assert.Empty(t, contact())

	l.events()
	eve := create(t, people, card("eve@example.com", "Eve"))
	assert.Equal(t, bound(eve), l.events()[1:], "after people:profile:created")
	assert.Equal(t, eve, contact())
	require.NoError(t, people.RemoveProfile(ctx, eve))
	assert.Empty(t, contact())
	require.NoError(t, people.UpdateProfile(ctx, ada, rest.ProfileCard{Email: rest.Set("Eve@example.com")}))
	assert.Equal(t, ada, contact(), "it has the address now")
}

func TestPeopleEventsComeByWebHook(t *testing.T) {
	srv := crisptest.NewServer(t)
	got := make(chan *crisp.PeopleProfileUpdated, 1)
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.PeopleProfileUpdated) error {
		got <- ev
		return nil
	})
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
	require.NoError(t, err)
	srv.AddPluginHook(srv.Serve(hooks), "people:profile:updated")
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	id := create(t, people, card("ada@example.com", "Ada"))
	active := time.UnixMilli(1893456000000)
	require.NoError(t, people.UpdateProfile(t.Context(), id, rest.ProfileCard{Notepad: rest.Set("Prefers letters."), Active: rest.Set(active)}))
	ev := <-got
	assert.Empty(t, ev.Problems)
	assert.Equal(t, id, ev.PeopleID)
	assert.Equal(t, "ada@example.com", ev.Email)
	assert.Equal(t, "Prefers letters.", ev.Update.Notepad)
	assert.Equal(t, active.UnixMilli(), ev.Update.Active.Last.UnixMilli())
}
