package crisptest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// All contacts begin without segments; those whom a batch is of get one.
func TestBatchOfPeople(t *testing.T) {
	filter := func(nickname string) map[string]any {
		return map[string]any{"model": "people", "criterion": "person.nickname", "operator": "eq", "query": []string{nickname}}
	}
	both := []any{filter("Ada"), filter("Bob")}
	for name, c := range map[string]struct {
		people rest.BatchPeople
		want   []string
	}{
		"a list, one of whom is unknown": {rest.BatchPeople{Profiles: []string{"bob@example.com", "nobody"}}, []string{"Bob"}},
		"a text":                         {rest.BatchPeople{Search: "ADA@"}, []string{"Ada"}},
		"filters":                        {rest.BatchPeople{Search: map[string]any{"filter": both}}, nil},
		"one of the filters": {rest.BatchPeople{Search: map[string]any{"filter": both, "operator": "or"}},
			[]string{"Ada", "Bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := crisptest.NewServer(t)
			ctx, site := t.Context(), website(t, srv)
			for _, nickname := range []string{"Ada", "Bob", "Eve"} {
				create(t, site.People, card(nickname+"@example.com", nickname))
			}
			elsewhere := srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "w2")
			require.NoError(t, site.Batch.UpdatePeopleSegments(ctx, c.people, []string{"vip"}))
			require.NoError(t, site.Batch.UpdatePeopleData(ctx, c.people, map[string]any{"plan": "gold"}))
			var changed, left []string
			for _, p := range srv.Profiles() {
				if list, _ := p.Card["segments"].([]any); len(list) > 0 && assert.Equal(t, map[string]any{"plan": "gold"}, p.Data) {
					changed = append(changed, p.Nickname())
				}
			}
			assert.ElementsMatch(t, c.want, changed)

			require.NoError(t, site.Batch.RemovePeople(ctx, c.people))
			for _, p := range srv.Profiles() {
				left = append(left, p.Nickname())
			}
			assert.Len(t, left, 4-len(c.want))
			_, there := srv.Profile("w2", elsewhere.PeopleID)
			assert.True(t, there, "of another website")
		})
	}
}

func TestBatchOfPeopleSendsTheEventsOfEach(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, site := t.Context(), website(t, srv)
		id := create(t, site.People, card("ada@example.com", "Ada"))
		ada := rest.BatchPeople{Profiles: []string{id}}
		l := listen(t, srv)
		of := `"email":"ada@example.com","people_id":"` + id + `"`
		require.NoError(t, site.Batch.UpdatePeopleSegments(ctx, ada, []string{"vip"}))
		assert.Equal(t, []string{`people:profile:updated {` + of +
			`,"update":{"segments":["vip"],"updated_at":946684800000},"website_id":"w"}`}, l.events())
		require.NoError(t, site.Batch.RemovePeople(ctx, ada))
		assert.Equal(t, []string{`people:profile:removed {` + of + `,"website_id":"w"}`}, l.events())
	})
}

func TestInvalidBatchesOfPeopleAreRefused(t *testing.T) {
	srv := crisptest.NewServer(t)
	ada := srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "w")
	id := `{"profiles":["` + ada.PeopleID + `"]}`
	for _, c := range []struct{ path, body string }{
		{"remove", `{"people":{}}`},
		{"remove", `{"people":{"profiles":[]}}`},
		{"remove", `{"people":{"search":""}}`},
		{"remove", `{"people":{"search":{"filter":[]}}}`},
		{"remove", `{"people":{"profiles":["` + ada.PeopleID + `"],"search":"a"}}`},
		{"remove", `{"people":` + id + `,"sessions":["s"]}`},
		{"data", `{"people":` + id + `}`},
		{"data", `{"people":` + id + `,"data":{"plan":[]}}`},
		{"segments", `{"people":` + id + `,"segments":"vip"}`},
	} {
		answer := call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPatch, "website/w/batch/"+c.path, c.body)
		assert.Equal(t, http.StatusBadRequest, answer.Status, c)
	}
	answer := call(t, srv, srv.Token(), http.MethodPatch, "website/w/batch/remove", `{"people":`+id+`}`)
	assert.Equal(t, http.StatusForbidden, answer.Status, "only users may")
	after, _ := srv.Profile("w", ada.PeopleID)
	assert.Equal(t, ada, after)
}
