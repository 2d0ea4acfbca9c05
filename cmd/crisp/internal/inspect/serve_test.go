package inspect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

// served is the inspector of a server.
func served(t *testing.T, options ...crisptest.Option) (*begun, *crisptest.Server) {
	t.Helper()
	srv := crisptest.NewServer(t, append([]crisptest.Option{crisptest.WithJournal(10_000)}, options...)...)
	ring := NewRing(0)
	journal := NewServe(srv, crisptest.WebsiteID, testRun, ring)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		journal.Feed(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return begin(t, func(c *Config) { c.Command, c.Ring, c.Serve, c.Repeat = "serve", ring, journal, journal.Repeat }), srv
}

// await returns the first entry that meets a query.
func (b *begun) await(query string) *Entry {
	b.t.Helper()
	q, err := ParseQuery(query)
	require.NoError(b.t, err)
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	for {
		end := b.ring.end()
		if list, _, _ := b.ring.Find(q, 0, 1); len(list) == 1 {
			return list[0]
		}
		select {
		case <-b.ring.Changed(end):
		case <-ctx.Done():
			require.Fail(b.t, "there is no "+query)
		}
	}
}

// What happens on a server is on its page: events with their deliveries, requests,
// connections.
func TestServeIsShown(t *testing.T) {
	h := newHook(t, ok)
	b, srv := served(t)
	srv.AddPluginHook(h.URL + "/hooks?key=hidden")
	visitor := srv.Visitor()
	visitor.Say("Where is my order?")
	e := b.await(`event:message:send kind:event "my order"`)
	assert.Equal(t, visitor.SessionID, e.Summary.SessionID)
	assert.Equal(t, crisptest.WebsiteID, e.Summary.WebsiteID)
	delivery := b.await("kind:delivery event:message:send")
	assert.Equal(t, e.ID(), delivery.Summary.Of)
	assert.Equal(t, h.URL+"/hooks", delivery.Summary.Target)
	assert.Equal(t, "accepted", delivery.Summary.Outcome)
	_, err := srv.Client().Conversation(t.Context(), visitor.Session())
	require.NoError(t, err)
	request := b.await("kind:request")
	assert.Equal(t, 200, request.Summary.Status)
	assert.Contains(t, request.Summary.Preview, "GET website/")
	srv.EmitRaw("no:json", []byte("<html>"))
	broken := b.await("event:no:json")
	var d Detail
	b.get("/api/events/"+broken.ID(), &d)
	assert.Contains(t, d.EnvelopeText, "<html>")
	list, _, _ := b.ring.Read(0, 1000)
	for i, e := range list {
		assert.Equal(t, uint64(i+1), e.N)
		status, text := b.do("GET", "/api/events/"+e.ID(), "")
		assert.Equal(t, 200, status)
		assert.NotContains(t, text, "hidden")
		assert.NotContains(t, text, srv.Token().Key)
	}
	status, _ := b.do("GET", "/api/export", "")
	assert.Equal(t, 200, status)
}

func TestServeSaysWhyAHookWasRefused(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such tenant: "+r.URL.String(), http.StatusInternalServerError)
	}))
	t.Cleanup(hook.Close)
	b, srv := served(t)
	srv.AddPluginHook(hook.URL + "/hooks?key=hid+den")
	srv.Visitor().Say("Where is my order?")
	delivery := b.await("kind:delivery event:message:send is:failed")
	assert.Equal(t, "no such tenant: /hooks?key=…", delivery.Summary.Answer)
}

func TestSendToPrograms(t *testing.T) {
	b, srv := served(t)
	var info Info
	b.get("/api/info", &info)
	assert.Equal(t, []targetName{{programs}}, info.Targets)
	assert.True(t, info.Chat)
	var made Summary
	b.post("/api/replay", map[string]any{
		"envelope": json.RawMessage(`{"event":"session:set_state","data":{"session_id":"session_x","state":"resolved"}}`), "target": programs,
	}, &made)
	assert.Equal(t, "accepted", made.Outcome)
	e, found := b.ring.Get(made.Of)
	require.True(t, found)
	assert.Equal(t, "session:set_state", e.Summary.Event)
	assert.Equal(t, "session_x", e.Summary.SessionID)
	journal := srv.Journal(0)
	assert.JSONEq(t, `{"session_id":"session_x","state":"resolved"}`, string(journal[len(journal)-1].Event.Payload))
	for _, body := range []string{`{"body":"no JSON","target":"programs"}`, `{"envelope":{"event":"x"},"target":"programs"}`} {
		status, _ := b.do("POST", "/api/replay", body)
		assert.Equal(t, 400, status)
	}
	sent := srv.Journal(0)
	for _, option := range []string{`"attempt":2`, `"keep_time":true`, `"bad_signature":true`, `"stale":true`} {
		status, text := b.do("POST", "/api/replay", `{"envelope":{"event":"session:set_state","data":{}},"target":"programs",`+option+`}`)
		assert.Equal(t, 400, status, option)
		assert.Contains(t, text, "programs are sent", option)
	}
	assert.Len(t, srv.Journal(0), len(sent), "nothing was sent")
	h := newHook(t, ok)
	b.post("/api/replay", map[string]any{"envelope": json.RawMessage(e.Body), "target": h.URL}, &made)
	assert.NotEmpty(t, made.Of)
	assert.Len(t, h.body, 1)
}

// A bot can be tried by hand: a visitor's side and an operator's.
func TestChat(t *testing.T) {
	b, srv := served(t)
	var begun struct {
		SessionID string `json:"session_id"`
	}
	b.post("/api/chat/new", map[string]any{"from": "user", "text": "Hello?", "nickname": "Ada"}, &begun)
	path := "/api/chat/" + begun.SessionID
	b.post(path, map[string]any{"from": "operator", "text": "Hi Ada"}, &struct{}{})
	b.post(path+"/compose", map[string]any{"from": "user", "typing": true, "excerpt": "I am"}, &struct{}{})
	b.post(path+"/compose", map[string]any{"from": "operator", "typing": true}, &struct{}{})
	b.await("event:message:compose:send")
	composing := b.await("event:message:compose:receive")
	assert.Equal(t, begun.SessionID, composing.Summary.SessionID)
	assert.Zero(t, composing.Summary.Problems)
	var one struct {
		Conversation chat
		Messages     []said
		Composing    []string
	}
	b.get(path, &one)
	require.Len(t, one.Messages, 2)
	assert.Equal(t, "user", one.Messages[0].From)
	assert.JSONEq(t, `"Hello?"`, string(one.Messages[0].Content))
	assert.Equal(t, "Ada", one.Messages[0].User.Nickname)
	assert.Equal(t, "operator", one.Messages[1].From)
	assert.Equal(t, operatorName, one.Messages[1].User.Nickname)
	assert.Contains(t, one.Composing, "user")
	b.post(path+"/state", map[string]any{"state": "resolved"}, &struct{}{})
	var all struct{ Conversations []chat }
	b.get("/api/chat", &all)
	require.Len(t, all.Conversations, 1)
	assert.Equal(t, "resolved", all.Conversations[0].State)
	assert.Equal(t, "Ada", all.Conversations[0].Nickname)
	assert.Equal(t, "Hi Ada", all.Conversations[0].Last)
	c, found := srv.Conversation(crisptest.WebsiteID, begun.SessionID)
	require.True(t, found)
	assert.Len(t, c.Messages, 2)

	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", path, `{"from":"user","text":""}`, 400},
		{"POST", path, `{"from":"somebody","text":"x"}`, 400},
		{"POST", path, `{"from":"user","text":"x","more":1}`, 400},
		{"POST", "/api/chat/session_nobody", `{"from":"user","text":"x"}`, http.StatusNotFound},
		{"GET", "/api/chat/session_nobody", "", http.StatusNotFound},
		{"POST", path + "/compose", `{"from":"x"}`, 400},
		{"POST", path + "/state", `{"state":"x"}`, 400},
		{"POST", "/api/chat/session_nobody/state", `{"state":"resolved"}`, http.StatusNotFound},
	} {
		status, text := b.do(test.method, test.path, test.body)
		assert.Equal(t, test.want, status, "%s %s: %s", test.path, test.body, text)
	}
}
