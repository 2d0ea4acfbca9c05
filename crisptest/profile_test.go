package crisptest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// ada is a card as tests write it.
func ada() map[string]any {
	return map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}
}

// What a test does to a contact is what a program reads, and is told.
func TestATestChangesContacts(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		people := peopleOf(t, srv, crisp.TierPlugin, "w")
		l := listen(t, srv)
		added := srv.AddProfile(ada(), "w")
		id := added.PeopleID
		assert.Equal(t, sorted(t, []string{`people:profile:created {"website_id":"w","people_id":"` + id + `","email":"ada@example.com"}`}), l.events())
		assert.Equal(t, "Ada", added.Nickname())
		assert.True(t, added.Subscribed)
		p, err := people.Profile(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, "Ada", p.Person.Nickname)

		<-time.After(10 * time.Second)
		srv.UpdateProfile("w", "ada@example.com", map[string]any{"company": map[string]any{"name": "Engines"}, "segments": []string{"vip"}})
		assert.Equal(t, sorted(t, []string{`people:profile:updated {"website_id":"w","people_id":"` + id + `","email":"ada@example.com",
			"update":{"company":{"name":"Engines"},"segments":["vip"],"updated_at":946684810000}}`}), l.events())
		now, ok := srv.Profile("w", id)
		require.True(t, ok)
		assert.Equal(t, map[string]any{"name": "Engines"}, now.Card["company"])
		assert.Equal(t, 10*time.Second, now.Updated.Sub(now.Created))
		assert.Equal(t, map[string]any{}, added.Card["company"], "what was returned doesn't change")

		srv.Subscribe("w", id, false)
		srv.Subscribe("w", id, false)
		assert.Equal(t, sorted(t, []string{`email:subscribe {"website_id":"w","email":"ada@example.com","subscribed":false}`}), l.events())
		s, err := people.Subscription(t.Context(), id)
		require.NoError(t, err)
		assert.False(t, s.Email)

		srv.RemoveProfile("w", id)
		assert.Equal(t, sorted(t, []string{`people:profile:removed {"website_id":"w","people_id":"` + id + `","email":"ada@example.com"}`}), l.events())
		_, ok = srv.Profile("w", id)
		assert.False(t, ok)
	})
}

func TestWhatCrispFindsOutOfAContact(t *testing.T) {
	srv := crisptest.NewServer(t)
	id := srv.AddProfile(ada()).PeopleID
	l := listen(t, srv)
	company := map[string]any{"company": map[string]any{"name": "Engines"}}
	srv.SyncProfile(crisptest.WebsiteID, id, company)
	const fields = `"website_id":"` + crisptest.WebsiteID + `","identity":{"company":{"name":"Engines"}},"people_id":`
	assert.Equal(t, sorted(t, []string{fmt.Sprintf(`people:sync:profile {%s%q}`, fields, id)}), l.events())

	visitor := srv.Visitor()
	visitor.SetMeta(map[string]any{"email": "ada@example.com"})
	l.events()
	srv.SyncProfile(crisptest.WebsiteID, id, company)
	assert.Equal(t, sorted(t, []string{fmt.Sprintf(`people:sync:profile {%s%q,"session_id":%q}`, fields, id, visitor.SessionID)}), l.events())
	p, _ := srv.Profile(crisptest.WebsiteID, id)
	assert.Equal(t, map[string]any{"name": "Engines"}, p.Card["company"])
}

func TestWhatNoContactCanBePanics(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddProfile(ada(), "w")
	for name, do := range map[string]func(){
		"no address":        func() { srv.AddProfile(map[string]any{"person": map[string]any{"nickname": "Ada"}}) },
		"no name":           func() { srv.AddProfile(map[string]any{"email": "ada@example.com"}) },
		"an address taken":  func() { srv.AddProfile(ada(), "w") },
		"no such contact":   func() { srv.UpdateProfile("w", "eve@example.com", nil) },
		"another website":   func() { srv.RemoveProfile("another", "ada@example.com") },
		"a list of nothing": func() { srv.UpdateProfile("w", "ada@example.com", map[string]any{"segments": "vip"}) },
		"a channel":         func() { srv.SyncProfile("w", "ada@example.com", map[string]any{"x": make(chan int)}) },
	} {
		assert.Panics(t, do, name)
	}
	assert.Len(t, srv.Profiles(), 1, "and the server goes on")
}

func TestContactsAreOfAWebsite(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1", "w2"))
	first, second := srv.AddProfile(ada()), srv.AddProfile(ada(), "w2")
	assert.Equal(t, "w1", first.WebsiteID)
	assert.Equal(t, []crisptest.Profile{first, second}, srv.Profiles())
	_, ok := srv.Profile("w2", first.PeopleID)
	assert.False(t, ok)
	people := peopleOf(t, srv, crisp.TierPlugin, "w2")
	assert.Len(t, all(t, people.Profiles(t.Context(), rest.ProfilesQuery{})), 1)
	require.NoError(t, people.RemoveProfile(t.Context(), "ada@example.com"))
	assert.Equal(t, []crisptest.Profile{first}, srv.Profiles())
}

func TestAWebsiteIsKnownByItsContacts(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddProfile(ada(), "w2")
	var ids []string
	for site, err := range srv.Client().Websites(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, site.WebsiteID)
	}
	assert.Equal(t, []string{crisptest.WebsiteID, "w2"}, ids)
}

func TestWaitProfileReturnsWhatTheProgramWrites(t *testing.T) {
	srv := crisptest.NewServer(t)
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	var program sync.WaitGroup
	defer program.Wait()
	program.Go(func() {
		id, err := people.CreateProfile(t.Context(), card("ada@example.com", "Ada"))
		if assert.NoError(t, err) {
			assert.NoError(t, people.UpdateData(t.Context(), id, map[string]any{"plan": "pro"}))
		}
	})
	p, err := srv.WaitProfile(t.Context(), func(p crisptest.Profile) bool { return p.Data["plan"] == "pro" })
	require.NoError(t, err)
	assert.Equal(t, "ada@example.com", p.Email)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = srv.WaitProfile(ctx, func(p crisptest.Profile) bool { return p.Email == "" })
	require.ErrorContains(t, err, "contact "+p.PeopleID+" of website w: Ada <ada@example.com>")
}

func TestContactsAreForgotten(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHistory(3))
	people := peopleOf(t, srv, crisp.TierPlugin, "w")
	ctx := t.Context()
	visitor := srv.Visitor("w")
	visitor.SetMeta(map[string]any{"email": "p1@example.com"})
	for i := range 3 {
		create(t, people, card(fmt.Sprintf("p%d@example.com", i), "P"))
	}
	assert.NotEmpty(t, visitor.Conversation().PeopleID)
	require.NoError(t, people.UpdateProfile(ctx, "p0@example.com", rest.ProfileCard{Notepad: rest.Set("changed")}))
	create(t, people, card("p3@example.com", "P"))
	emails := func() (list []string) {
		for _, p := range srv.Profiles() {
			list = append(list, p.Email)
		}
		return list
	}
	assert.Equal(t, []string{"p0@example.com", "p2@example.com", "p3@example.com"}, emails(), "what has not changed for longest is gone")
	exists, err := people.HasProfile(ctx, "p1@example.com")
	require.NoError(t, err)
	assert.False(t, exists)
	assert.Empty(t, visitor.Conversation().PeopleID)
	create(t, people, card("p1@example.com", "its address is free"))

	for i := range 5 {
		require.NoError(t, people.AddEvent(ctx, fmt.Sprintf("p%d@example.com", i%2*2+1), rest.ProfileEventInput{Text: rest.Set(fmt.Sprint(i))}))
	}
	var texts []string
	for _, p := range srv.Profiles() {
		for _, event := range p.Events {
			texts = append(texts, event["text"].(string))
		}
	}
	assert.ElementsMatch(t, []string{"2", "3", "4"}, texts, "of all contacts together")
}

// What Crisp finds out may be another address, by which the contact gets conversations.
func TestAnAddressThatCrispFindsOutBindsConversations(t *testing.T) {
	srv := crisptest.NewServer(t)
	id := srv.AddProfile(ada()).PeopleID
	visitor := srv.Visitor()
	visitor.SetMeta(map[string]any{"email": "ada@example.org"})
	require.Empty(t, visitor.Conversation().PeopleID)
	l := listen(t, srv)
	srv.SyncProfile(crisptest.WebsiteID, id, map[string]any{"email": "Ada@example.org"})
	assert.Equal(t, id, visitor.Conversation().PeopleID)
	events := l.events()
	require.Len(t, events, 2)
	assert.Contains(t, events[0], "people:bind:session ")
	assert.Contains(t, events[1], "people:sync:profile ")
	assert.Contains(t, events[1], visitor.SessionID)
}
