package crisptest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

const chat = `"session_id":"session_00000000-0000-4000-8000-000000000001","website_id":"w"`

// Each step is what a visitor or an operator does, and the events that RTM
// sessions receive.
func TestVisitorsAreHeard(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		l := listen(t, srv)
		v := srv.Visitor("w")
		alice := srv.Operator("alice")
		const user = `"user":{"user_id":"session_00000000-0000-4000-8000-000000000001","nickname":"visitor"}`
		steps := []struct {
			name   string
			do     func()
			events []string
		}{
			{"arrive", v.Arrive, []string{`session:update_availability {"availability":"online",` + chat + `}`, `website:update_visitors_count {"visitors_count":1,"website_id":"w"}`}},
			{"visit", func() { v.Visit("Prices", "https://nova.example/prices") },
				[]string{`session:sync:pages {"pages":[{"page_title":"Prices","page_url":"https://nova.example/prices","timestamp":946684800000}],` + chat + `}`}},
			{"type", func() { v.Type("He") }, []string{`message:compose:send {"excerpt":"He","timestamp":946684800000,"type":"start",` + chat + `}`}},
			{"stop typing", v.StopTyping, []string{`message:compose:send {"timestamp":946684800000,"type":"stop",` + chat + `}`}},
			{"say", func() { v.Say("Hello") }, []string{
				`message:send {"type":"text","from":"user","origin":"chat","content":"Hello","fingerprint":946684800000000,"timestamp":946684800000,"stamped":true,` + user + `,` + chat + `}`}},
			{"send", func() {
				v.Send("file", &crisp.FileContent{Name: "a.png", URL: "https://nova.example/a.png", Type: "image/png"})
			}, []string{
				`message:send {"type":"file","from":"user","origin":"chat","content":{"name":"a.png","url":"https://nova.example/a.png","type":"image/png"},"fingerprint":946684800000001,"timestamp":946684800001,"stamped":true,` + user + `,` + chat + `}`}},
			{"operator takes", func() { alice.Take(v) }, []string{`session:set_routing {"previous_routing_id":null,"routing_id":"operator-alice",` + chat + `}`}},
			{"operator says", func() { alice.Say(v, "Hi") }, []string{
				`message:received {"type":"text","from":"operator","origin":"chat","content":"Hi","fingerprint":946684800000002,"timestamp":946684800002,"stamped":true,"user":{"nickname":"alice","type":"participant","user_id":"operator-alice"},` + chat + `}`,
				`session:set_state {"state":"unresolved",` + chat + `}`}},
			{"read", v.Read, []string{`message:acknowledge:read:received {"fingerprints":[946684800000002],"origin":"chat",` + chat + `}`}},
			{"operator resolves", func() { alice.Resolve(v) }, []string{`session:set_state {"state":"resolved",` + chat + `}`}},
			{"rate", func() { v.Rate(4, "ok") }, []string{`session:sync:rating {"rating":{"comment":"ok","stars":4},` + chat + `}`}},
			{"meta", func() { v.SetMeta(map[string]any{"email": "a@b.c", "segments": []string{"vip"}}) }, []string{
				`session:set_email {"email":"a@b.c",` + chat + `}`, `session:set_segments {"segments":["vip"],` + chat + `}`}},
			{"say again", func() { v.Say("One more thing") }, []string{
				`message:send {"type":"text","from":"user","origin":"chat","content":"One more thing","fingerprint":946684800000003,"timestamp":946684800003,"stamped":true,` + user + `,` + chat + `}`,
				`session:set_state {"state":"unresolved",` + chat + `}`}},
			{"leave", v.Leave, []string{`session:update_availability {"availability":"offline",` + chat + `}`, `website:update_visitors_count {"visitors_count":0,"website_id":"w"}`}},
		}
		for _, step := range steps {
			step.do()
			assert.Equal(t, sorted(t, step.events), l.events(), step.name)
		}
		c := v.Conversation()
		assert.Equal(t, "unresolved", c.State)
		assert.Equal(t, "operator-alice", c.Assigned)
		assert.Equal(t, "offline", c.Availability)
		assert.Equal(t, "a@b.c", c.Meta["email"])
		assert.Equal(t, crisptest.Unread{Operator: 3}, c.Unread)
		assert.Len(t, c.Messages, 4)
		assert.Len(t, c.Pages, 1)
	})
}

// Whatever events the server makes by itself are decoded without problems.
func TestLiveEventsDecode(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { t.Error(err) }))
		router.Use(srv.Watch)
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			_, unknown := ev.(*crisp.UnknownEvent)
			assert.False(t, unknown, ev.EventName())
			return nil
		})
		webhook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		srv.AddPluginHook(srv.Serve(webhook))
		v, alice := srv.Visitor(), srv.Operator("alice")
		v.Arrive()
		v.Visit("t", "u")
		v.Type("x")
		v.Say("x")
		v.SetMeta(map[string]any{"email": "e", "phone": "p", "address": "a", "subject": "s", "avatar": "a", "nickname": "n", "origin": "o", "data": map[string]any{"k": 1}, "segments": []string{"s"}})
		v.Rate(5, "c")
		alice.Take(v)
		alice.Say(v, "y")
		v.Read()
		alice.Resolve(v)
		for _, step := range []struct{ method, path, body string }{
			{"POST", "/initiate", ``},
			{"PATCH", "/compose", `{"type":"start","from":"operator"}`},
			{"PATCH", "/inbox", `{"inbox_id":"i"}`},
			{"PATCH", "/read", `{"from":"user","origin":"chat"}`},
			{"PATCH", "/unread", `{"from":"user"}`},
			{"PATCH", "/delivered", `{"from":"operator","origin":"chat"}`},
			{"PATCH", "/routing", `{"assigned":null}`},
			{"DELETE", "", ``},
		} {
			require.Less(t, call(t, srv, srv.Token(), step.method, "website/"+v.WebsiteID+"/conversation/"+v.SessionID+step.path, step.body).Status, 300, step.path)
		}
		_, err = srv.WaitHandled(t.Context(), func(h crisptest.Handled) bool { return h.Event.EventName() == "session:removed" })
		require.NoError(t, err)
		for _, h := range srv.Handled() {
			assert.Empty(t, h.Event.EventMeta().Problems, h)
			assert.Equal(t, v.WebsiteID, h.Event.EventMeta().WebsiteID, h)
		}
		assert.Len(t, srv.Handled(), 29)
	})
}

func TestAnswersToAVisitor(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		v := srv.Visitor()
		path := "website/" + v.WebsiteID + "/conversation/" + v.SessionID + "/message"
		client := srv.Client()
		go func() {
			for _, body := range []string{
				`{"type":"note","from":"operator","origin":"chat","content":"a note"}`,
				`{"type":"text","from":"operator","origin":"chat","content":"in stealth","stealth":true}`,
				`{"type":"text","from":"user","origin":"chat","content":"the visitor's own"}`,
				`{"type":"text","from":"operator","origin":"chat","content":"first"}`,
				`{"type":"text","from":"operator","origin":"chat","content":"second"}`,
			} {
				<-time.After(time.Second)
				assert.NoError(t, client.Do(context.Background(), http.MethodPost, path, json.RawMessage(body), nil))
			}
		}()
		for _, want := range []string{"first", "second"} {
			answer, err := v.WaitAnswer(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, answer.Text())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := v.WaitAnswer(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `"first"`, "the error has what was sent instead")
		assert.Len(t, v.Answers(), 2)
		assert.Len(t, srv.Sent(), 5)
	})
}

func TestVisitorsOfFixedWebsites(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1", "w2"))
	assert.Equal(t, "w1", srv.Visitor().WebsiteID)
	assert.Equal(t, "w2", srv.Visitor("w2").WebsiteID)
	one, other := srv.Visitor(), srv.Visitor()
	assert.NotEqual(t, one.SessionID, other.SessionID)
}

func TestConversationThatIsNotThere(t *testing.T) {
	srv := crisptest.NewServer(t)
	_, ok := srv.Conversation("w", "s")
	assert.False(t, ok)
	v := srv.Visitor()
	call(t, srv, srv.Token(), http.MethodDelete, "website/"+v.WebsiteID+"/conversation/"+v.SessionID, "")
	assert.Empty(t, v.Conversation().Messages)
	v.Say("I am back")
	assert.Len(t, v.Conversation().Messages, 1)
}

// Messages that come faster than one in a millisecond are dated later than now.
func TestAConversationHasNotChangedBeforeItsLastMessage(t *testing.T) {
	v := crisptest.NewServer(t).Visitor()
	for range 100 {
		v.Say("quick")
		c := v.Conversation()
		require.False(t, c.Updated.Before(time.UnixMilli(c.Messages[len(c.Messages)-1].Timestamp)))
	}
}
