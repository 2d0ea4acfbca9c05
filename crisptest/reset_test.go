package crisptest_test

import (
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestReset(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		e := newEverything(t, srv)
		e.do(2)
		e.connect()
		c := authenticate(t, srv, srv.Token(), "")
		srv.Install("another")
		srv.SavePluginSettings("w", map[string]any{"a": 1})
		srv.FailREST(http.StatusInternalServerError, -1)
		srv.ReorderHooks(100)
		e.v.Say("held back")
		known := srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "w")
		before := e.v.Conversation().Messages
		synctest.Wait()

		srv.Reset()
		_, exists := srv.Conversation(e.v.WebsiteID, e.v.SessionID)
		assert.False(t, exists)
		assert.Empty(t, srv.Requests())
		assert.Empty(t, srv.Sent())
		assert.Empty(t, srv.Deliveries())
		assert.Empty(t, srv.Handled())
		assert.Empty(t, srv.Binds())
		assert.Empty(t, srv.PastSessions())
		assert.Empty(t, srv.PluginSettings("w"))
		assert.Empty(t, srv.Profiles())
		assert.NotEqual(t, known.PeopleID, srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}}, "w").PeopleID)
		assert.Len(t, srv.Sessions(), 1)

		assert.Equal(t, http.StatusNotFound, call(t, srv, srv.Token(), http.MethodGet, "website/another/conversations/1", "").Status)
		assert.Equal(t, http.StatusOK, call(t, srv, srv.Token(), http.MethodGet, "website/w/conversations/1", "").Status, "it is healed")
		said := srv.Visitor().Say("anew")
		assert.NotEqual(t, e.v.SessionID, said.SessionID)
		assert.Greater(t, said.Fingerprint, before[len(before)-1].Fingerprint)
		<-time.After(time.Second)
		for _, d := range srv.Deliveries() {
			assert.NotContains(t, string(d.Body), "held back")
		}
		assert.NoError(t, c.ws.CloseNow())
	}, crisptest.WithWebsites("w"), crisptest.WithHookRetries(1, 0))
}

// Whoever gives the server a new field decides whether Reset empties it.
func TestResetKnowsAllFields(t *testing.T) {
	kept := []string{
		"config", "began", "client", "ctx", "stop", "wg", "changes", "rest", "mux", "custom", "others", "tiers", "rtmOnly", "mu",
		"closed", "servers", "rtm", "engines", "sessions", "subscribers",
	}
	emptied := []string{"past", "binds", "requests", "deliveries", "handled", "model", "sites", "dispatches", "people", "plugin", "faults", "journal"}
	var fields []string
	all := reflect.TypeFor[crisptest.Server]()
	for i := range all.NumField() {
		fields = append(fields, all.Field(i).Name)
	}
	assert.ElementsMatch(t, fields, append(kept, emptied...))
}

func TestLimitREST(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		status := func() int {
			return call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints", "").Status
		}
		srv.LimitREST(2, time.Minute)
		assert.Equal(t, []int{200, 200, 429}, []int{status(), status(), status()})
		<-time.After(time.Minute)
		assert.Equal(t, []int{200, 200, 429}, []int{status(), status(), status()})
		srv.Heal()
		assert.Equal(t, []int{200, 200, 200}, []int{status(), status(), status()})
	})
}

func TestVisitorOf(t *testing.T) {
	srv := crisptest.NewServer(t)
	session := crisp.SessionRef{WebsiteID: "w", SessionID: "session_known"}
	v := srv.VisitorOf(session)
	assert.Equal(t, session, v.Session())
	assert.Equal(t, "pending", v.Conversation().State)
	v.Say("Hello?")
	assert.Len(t, srv.VisitorOf(session).Conversation().Messages, 1)
}

func TestOperatorActs(t *testing.T) {
	srv := crisptest.NewServer(t)
	v, o := srv.Visitor(), srv.Operator("ben")
	v.Say("Hello?")
	assert.Equal(t, 1, v.Conversation().Unread.Operator)
	o.Read(v)
	assert.Zero(t, v.Conversation().Unread.Operator)
	note := o.Note(v, "I know her")
	assert.Equal(t, "note", note.Type)
	assert.Empty(t, v.Answers())
	assert.Equal(t, "pending", v.Conversation().State, "a note is no answer")
	file := o.Send(v, "file", map[string]any{"name": "a.pdf", "url": "https://a.example/a.pdf", "type": "application/pdf"})
	assert.JSONEq(t, `{"type":"participant","user_id":"operator-ben","nickname":"ben"}`, string(file.User))
	assert.Len(t, v.Answers(), 1)
	o.SetState(v, "pending")
	assert.Equal(t, "pending", v.Conversation().State)
	o.Resolve(v)
	assert.Equal(t, "resolved", v.Conversation().State)
}
