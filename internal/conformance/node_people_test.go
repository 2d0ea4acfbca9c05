//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

const peopleWebsite = crisptest.WebsiteID

// fields are members of an object, as a test writes them and as JSON.
type fields map[string]any

// nodePeople is the official Node SDK, which makes REST calls for a website.
type nodePeople struct{ *node }

// startPeople starts the Node SDK, and returns the same with package rest.
func startPeople(t *testing.T, srv *crisptest.Server, tier crisp.Tier) (nodePeople, *rest.Site) {
	t.Helper()
	n := startNode(t, "people.mjs", map[string]any{
		"host":  strings.TrimSuffix(srv.URL(), "/v1/"),
		"token": tokenOf(srv.TokenFor(tier)),
	})
	client, err := crisp.New(srv.TokenFor(tier), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	return nodePeople{n}, rest.Website(client, peopleWebsite)
}

// ask calls a method, whose arguments follow the website, and returns what it
// resolves to.
func (n nodePeople) ask(method string, args ...any) json.RawMessage {
	n.t.Helper()
	a := n.attempt(method, args...)
	require.Empty(n.t, a.Error, method)
	return a.Result
}

// attempt is ask for methods that may fail.
func (n nodePeople) attempt(method string, args ...any) answer {
	n.t.Helper()
	return n.try("call", map[string]any{"method": method, "args": append([]any{peopleWebsite}, args...)})
}

// create creates a contact with the Node SDK.
func (n nodePeople) create(card fields) (peopleID string) {
	n.t.Helper()
	var created struct {
		PeopleID string `json:"people_id"`
	}
	require.NoError(n.t, json.Unmarshal(n.ask("addNewPeopleProfile", card), &created))
	require.NotEmpty(n.t, created.PeopleID)
	return created.PeopleID
}

func TestWhatTheNodeSDKWritesOfAContactIsReadInGo(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, site := startPeople(t, srv, crisp.TierPlugin)
	people, ctx := site.People, t.Context()

	id := n.create(fields{
		"email":    "carol@example.com",
		"person":   fields{"nickname": "Carol", "timezone": -60, "geolocation": fields{"coordinates": fields{"latitude": 47.2}}},
		"company":  fields{"name": "Example", "metrics": fields{"employees": 12}},
		"segments": []string{"gold"},
		"notepad":  "Calls in the morning.",
		"active":   1893456000000,
		"crm_id":   4711,
	})
	p, err := people.Profile(ctx, "carol@example.com")
	require.NoError(t, err)
	assert.Empty(t, p.Problems)
	assert.Equal(t, id, p.PeopleID)
	assert.Equal(t, "Carol", p.Person.Nickname)
	assert.InDelta(t, 47.2, p.Person.Geolocation.Coordinates.Latitude, 0)
	assert.Equal(t, "Example", p.Company.Name)
	assert.Equal(t, []string{"gold"}, p.Segments)
	assert.Equal(t, "Calls in the morning.", p.Notepad)
	assert.Equal(t, int64(1893456000000), p.Active.Last.UnixMilli())
	assert.Contains(t, string(p.Raw), `"crm_id":4711`)

	n.ask("updatePeopleProfile", id, fields{"person": fields{"phone": "+33"}})
	p, err = people.Profile(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, "Carol +33", p.Person.Nickname+" "+p.Person.Phone)
	n.ask("savePeopleProfile", id, fields{"email": "carol@example.org", "person": fields{"nickname": "C."}})
	p, err = people.Profile(ctx, "carol@example.org")
	require.NoError(t, err)
	assert.Equal(t, "C.", p.Person.Nickname)
	assert.Empty(t, p.Segments)

	n.ask("savePeopleData", id, fields{"data": fields{"type": "client", "paid": true}})
	n.ask("updatePeopleData", id, fields{"data": fields{"seats": 3}})
	data, err := people.Data(ctx, id)
	require.NoError(t, err)
	assert.JSONEq(t, `{"data":{"type":"client","paid":true,"seats":3}}`, string(data.Raw))

	n.ask("addPeopleEvent", id, fields{"text": "Opened the shop", "data": fields{"price": 9.5}, "color": "red"})
	var events []*rest.ProfileEvent
	for event, err := range people.Events(ctx, id) {
		require.NoError(t, err)
		events = append(events, event)
	}
	require.Len(t, events, 1)
	assert.Equal(t, "Opened the shop, red", events[0].Text+", "+events[0].Color)

	n.ask("updatePeopleSubscriptionStatus", id, fields{"email": false})
	subscription, err := people.Subscription(ctx, id)
	require.NoError(t, err)
	assert.False(t, subscription.Email)

	n.ask("removePeopleProfile", id)
	exists, err := people.HasProfile(ctx, id)
	require.NoError(t, err)
	assert.False(t, exists)
}

func TestWhatGoWritesOfAContactIsReadByTheNodeSDK(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, site := startPeople(t, srv, crisp.TierPlugin)
	people, ctx := site.People, t.Context()

	id, err := people.CreateProfile(ctx, rest.ProfileCard{
		Email:    rest.Set("ada@example.com"),
		Person:   &rest.PersonInput{Nickname: rest.Set("Ada"), Timezone: rest.Set(-time.Hour)},
		Segments: []string{"vip"},
		Notepad:  rest.Set("Writes letters."),
	})
	require.NoError(t, err)
	require.NoError(t, people.SaveData(ctx, id, map[string]any{"plan": "pro"}))
	require.NoError(t, people.UpdateData(ctx, id, map[string]any{"seats": 3}))
	require.NoError(t, people.AddEvent(ctx, id, rest.ProfileEventInput{Text: rest.Set("Bought"), Data: map[string]any{"price": 9.5}}))
	require.NoError(t, people.UpdateSubscription(ctx, id, rest.EmailSubscriptionInput{Email: rest.Set(false)}))

	n.ask("checkPeopleProfileExists", "ada@example.com")
	var profile struct {
		PeopleID string `json:"people_id"`
		Person   struct {
			Nickname string
			Timezone int
		}
		Segments []string
		Notepad  string
	}
	require.NoError(t, json.Unmarshal(n.ask("getPeopleProfile", "ada@example.com"), &profile))
	assert.Equal(t, id, profile.PeopleID)
	assert.Equal(t, "Ada -60", fmt.Sprint(profile.Person.Nickname, " ", profile.Person.Timezone))
	assert.Equal(t, []string{"vip"}, profile.Segments)
	assert.Equal(t, "Writes letters.", profile.Notepad)
	assert.JSONEq(t, `{"data":{"plan":"pro","seats":3}}`, string(n.ask("getPeopleData", id)))
	var events []struct{ Text string }
	require.NoError(t, json.Unmarshal(n.ask("listPeopleEvents", id, 1), &events))
	assert.Equal(t, []struct{ Text string }{{"Bought"}}, events)
	assert.JSONEq(t, `{"email":false}`, string(n.ask("getPeopleSubscriptionStatus", id)))

	var list []struct {
		PeopleID string `json:"people_id"`
	}
	filter := []fields{{"model": "people", "criterion": "segments", "operator": "eq", "query": []string{"vip"}}}
	require.NoError(t, json.Unmarshal(n.ask("listPeopleProfiles", 1, "email", "ascending", "and", filter, "ada"), &list))
	require.Len(t, list, 1)
	assert.Equal(t, id, list[0].PeopleID)

	require.NoError(t, people.RemoveProfile(ctx, id))
	assert.Contains(t, n.attempt("getPeopleProfile", id).Error, "people_not_found")
	assert.Contains(t, n.attempt("checkPeopleProfileExists", id).Error, "404")
}

func TestTheNodeSDKReadsTheRefusalsOfContacts(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, _ := startPeople(t, srv, crisp.TierPlugin)
	n.create(fields{"email": "ada@example.com", "person": fields{"nickname": "Ada"}})
	assert.Contains(t, n.attempt("addNewPeopleProfile", fields{"email": "ADA@example.com", "person": fields{"nickname": "Ada"}}).Error, "people_exists")
	assert.Contains(t, n.attempt("addNewPeopleProfile", fields{"email": "eve@example.com"}).Error, "invalid_data")
	assert.Contains(t, n.attempt("exportPeopleProfiles").Error, "restricted_route_tier")
}

// All that the Node SDK can ask about contacts is modelled.
func TestTheNodeSDKFindsAllRoutesOfContacts(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, _ := startPeople(t, srv, crisp.TierUser)
	id := n.create(fields{"email": "ada@example.com", "person": fields{"nickname": "Ada"}, "segments": []string{"vip"}})
	n.ask("savePeopleData", id, fields{"data": fields{"plan": "pro"}})
	n.ask("addPeopleEvent", id, fields{"text": "Bought"})
	assert.JSONEq(t, `{"total":1}`, string(n.ask("getPeopleStatistics")))
	assert.JSONEq(t, `[{"segment":"vip","count":1}]`, string(n.ask("listSuggestedPeopleSegments", 1)))
	assert.JSONEq(t, `[{"key":"plan","count":1}]`, string(n.ask("listSuggestedPeopleDataKeys", 1)))
	assert.JSONEq(t, `[{"text":"Bought","count":1}]`, string(n.ask("listSuggestedPeopleEvents", 1)))
	n.ask("deleteSuggestedPeopleSegment", "vip")
	n.ask("deleteSuggestedPeopleDataKey", "plan")
	n.ask("deleteSuggestedPeopleEvent", "Bought")
	for _, list := range []string{"listSuggestedPeopleSegments", "listSuggestedPeopleDataKeys", "listSuggestedPeopleEvents"} {
		assert.JSONEq(t, `[]`, string(n.ask(list, 1)), list)
	}
	assert.JSONEq(t, `[]`, string(n.ask("listPeopleCampaigns", id, 1)))
	n.ask("exportPeopleProfiles")
	n.ask("importPeopleProfiles", fields{
		"url":     "https://files.example.com/contacts.csv",
		"mapping": []fields{{"column": 1, "field": "email"}},
		"options": fields{"column_separator": ";", "skip_header": true},
	})
	for _, r := range srv.Requests() {
		assert.False(t, r.NoRoute, r)
		assert.Less(t, r.Status, 400, r)
	}
}

func TestConversationsGoBetweenGoAndTheNodeSDK(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, site := startPeople(t, srv, crisp.TierPlugin)
	client, ctx := srv.Client(), t.Context()
	contact := n.create(fields{"email": "ada@example.com", "person": fields{"nickname": "Ada"}})

	// What Node writes is read in Go.
	var created struct {
		SessionID string `json:"session_id"`
	}
	require.NoError(t, json.Unmarshal(n.ask("createNewConversation"), &created))
	ref := crisp.SessionRef{WebsiteID: peopleWebsite, SessionID: created.SessionID}
	n.ask("updateConversationMetas", ref.SessionID, fields{"email": "ada@example.com", "nickname": "Ada", "data": fields{"plan": "pro"}})
	n.ask("sendMessageInConversation", ref.SessionID, fields{"type": "text", "from": "user", "origin": "chat", "content": "Anybody there?"})
	c, err := client.Conversation(ctx, ref)
	require.NoError(t, err)
	assert.Equal(t, contact, c.PeopleID)
	assert.Equal(t, "ada@example.com", c.Meta.Email)
	var ids []string
	for id, err := range site.People.Conversations(ctx, "ada@example.com", rest.PeopleConversationsQuery{}) {
		require.NoError(t, err)
		ids = append(ids, id)
	}
	assert.Equal(t, []string{ref.SessionID}, ids)

	// What Go writes is read by Node.
	_, err = client.SendMessage(ctx, ref, crisp.Message{Content: crisp.TextContent("Yes!")})
	require.NoError(t, err)
	require.NoError(t, client.SetState(ctx, ref, crisp.StateChange{State: crisp.SessionStateResolved}))
	var messages []struct{ From, Content string }
	require.NoError(t, json.Unmarshal(n.ask("getMessagesInConversation", ref.SessionID), &messages))
	assert.Equal(t, []struct{ From, Content string }{{"user", "Anybody there?"}, {"operator", "Yes!"}}, messages)
	var conversation struct {
		State    string
		PeopleID string `json:"people_id"`
	}
	require.NoError(t, json.Unmarshal(n.ask("getConversation", ref.SessionID), &conversation))
	assert.Equal(t, "resolved", conversation.State)
	assert.Equal(t, contact, conversation.PeopleID)
	assert.JSONEq(t, `["`+ref.SessionID+`"]`, string(n.ask("listPeopleConversations", contact, 1)))
}
