package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, `1. Before the program runs, there are Ada and Bob.
   ada@example.com | Ada
   bob@example.com | Bob
2. While it runs, Cleo comes, Ada moves to ACME, Bob leaves.
   ada@example.com | Ada | ACME
   cleo@example.com
3. While it does not run, Dora comes and Cleo leaves. It starts again.
   ada@example.com | Ada | ACME
   dora@example.com |  |  | vip
`, out.String())
}

func testStore(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "contacts and %more?.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.close()) })
	return s
}

// emails returns the email addresses of the contacts in a store.
func emails(t *testing.T, s *store) []string {
	t.Helper()
	contacts, err := s.contacts(t.Context())
	require.NoError(t, err)
	var all []string
	for _, c := range contacts {
		all = append(all, c.Email)
	}
	return all
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at returns the Meta of an event so many seconds after began.
func at(seconds int) crisp.Meta {
	return crisp.Meta{Time: began.Add(time.Duration(seconds) * time.Second)}
}

func TestEventsThatComeAgainChangeNothing(t *testing.T) {
	s := testStore(t)
	router := newSyncer(nil, s, nil).router()
	events := []crisp.Event{
		&crisp.PeopleProfileCreated{Meta: at(1), WebsiteID: "w", PeopleID: "ada", Email: "ada@example.com"},
		&crisp.PeopleSyncProfile{Meta: at(2), WebsiteID: "w", PeopleID: "ada", SessionID: "s", Identity: crisp.Profile{Person: crisp.Person{Nickname: "Ada", Phone: "1"}}},
		&crisp.PeopleProfileUpdated{Meta: at(3), WebsiteID: "w", PeopleID: "ada", Update: crisp.Profile{
			Person: crisp.Person{Phone: "2"}, Company: crisp.Company{Name: "ACME"}, Segments: []string{"vip"},
		}},
		&crisp.PeopleBindSession{Meta: at(4), WebsiteID: "w", PeopleID: "ada", SessionID: "s"},
		&crisp.PeopleProfileCreated{Meta: at(5), WebsiteID: "w", PeopleID: "bob", Email: "bob@example.com"},
		&crisp.PeopleProfileRemoved{Meta: at(6), WebsiteID: "w", PeopleID: "bob"},
	}
	want := []contact{{
		WebsiteID: "w", PeopleID: "ada", Email: "ada@example.com", Nickname: "Ada", Phone: "2", Company: "ACME", Segments: []string{"vip"},
	}}
	for range 2 {
		for _, ev := range events {
			require.NoError(t, router.Dispatch(t.Context(), ev))
		}
		contacts, err := s.contacts(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, contacts)
		peopleID, err := s.personOf(t.Context(), "s")
		require.NoError(t, err)
		assert.Equal(t, "ada", peopleID)
	}
	peopleID, err := s.personOf(t.Context(), "another")
	require.NoError(t, err)
	assert.Empty(t, peopleID)
}

func TestWhatIsNewerThanAListWins(t *testing.T) {
	s, ctx := testStore(t), t.Context()
	person := func(id, email string) contact { return contact{WebsiteID: "w", PeopleID: id, Email: email} }
	before, begun, after := at(1).Time, at(2).Time, at(3).Time
	require.NoError(t, s.merge(ctx, person("changed before", "b1"), before))
	require.NoError(t, s.merge(ctx, person("gone", "g1"), before))
	require.NoError(t, s.merge(ctx, person("changed since", "c2"), after))
	require.NoError(t, s.merge(ctx, person("came since", "d1"), after))
	require.NoError(t, s.remove(ctx, "w", "removed since", after))
	require.NoError(t, s.merge(ctx, contact{WebsiteID: "another", PeopleID: "elsewhere", Email: "z"}, before))

	for _, c := range []contact{
		person("changed before", "b2"), person("changed since", "c1"), person("removed since", "e1"), person("new", "f1"),
	} {
		require.NoError(t, s.replace(ctx, c, begun))
	}
	require.NoError(t, s.removeUnlisted(ctx, "w", begun))
	assert.Equal(t, []string{"b2", "c2", "d1", "f1", "z"}, emails(t, s))
}

func TestADatabaseThatIsLockedForAMomentLosesNothing(t *testing.T) {
	s := testStore(t)
	sync := newSyncer(nil, s, nil)
	failures := 1
	router := sync.router()
	crisp.On(router, func(context.Context, *crisp.PeopleProfileCreated) error {
		if failures--; failures >= 0 {
			return errors.New("database is locked")
		}
		return nil
	})
	require.NoError(t, router.Dispatch(t.Context(), &crisp.PeopleProfileCreated{WebsiteID: "w", PeopleID: "ada", Email: "ada@example.com"}))
	assert.Equal(t, -1, failures)
	assert.Equal(t, []string{"ada@example.com"}, emails(t, s))
	assert.Empty(t, sync.stale)
}

func TestALostEventMakesTheStoreStale(t *testing.T) {
	s := testStore(t)
	sync := newSyncer(nil, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as when the database is out of reach
	require.Error(t, sync.router().Dispatch(ctx, &crisp.PeopleProfileRemoved{WebsiteID: "w", PeopleID: "ada"}))
	assert.Len(t, sync.stale, 1)
	sync.markStale() // at most once
	assert.Len(t, sync.stale, 1)
}

func TestAListThatFailsIsAnError(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.HandleREST("GET website/{website}/people/profiles/{page}", func(*http.Request) (int, any) {
		return http.StatusOK, []map[string]any{{"people_id": 7}}
	})
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	sync := newSyncer(client, testStore(t), pluginWebsites(client))
	assert.ErrorContains(t, sync.list(t.Context()), "an entry of the list of contacts")
	srv.FailREST(http.StatusForbidden, 1)
	assert.ErrorIs(t, sync.list(t.Context()), crisp.ErrScope)
}

func TestADatabaseThatCanNotBeOpenedIsAnError(t *testing.T) {
	_, err := openStore(t.Context(), filepath.Join(t.TempDir(), "missing", "contacts.db"))
	assert.ErrorContains(t, err, "contacts.db")
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	crm := newPeople(srv)
	crm.set("ada", crisp.Profile{Email: "ada@example.com"})
	env := map[string]string{
		"CRISP_IDENTIFIER": srv.Token().Identifier, "CRISP_KEY": srv.Token().Key, "CRISP_BASE_URL": srv.URL(),
		"CRISP_WEBSITE_ID": crisptest.WebsiteID,
	}
	path := filepath.Join(t.TempDir(), "contacts.db")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live(ctx, func(key string) string { return env[key] }, path) }()
	_, err := srv.WaitRequest(t.Context(), func(r crisptest.Request) bool {
		return r.Path == "website/"+crisptest.WebsiteID+"/people/profiles/2" && r.Status == http.StatusOK
	})
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)

	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, []string{"ada@example.com"}, emails(t, s))
	require.NoError(t, s.close())
}

func TestContactsAreForThisUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, file)
	}
}
