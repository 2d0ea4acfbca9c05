package control_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// begin starts a server in memory, and returns a client that drives it.
func begin(t *testing.T, c control.Config, opts ...crisptest.Option) (*crisptest.Server, *control.Client) {
	t.Helper()
	srv := crisptest.NewServer(t, append(opts, crisptest.InMemory(), crisptest.WithJournal(1000))...)
	if c.WebsiteID == "" {
		c.WebsiteID = crisptest.WebsiteID
	}
	handler, err := control.Handler(srv, c)
	require.NoError(t, err)
	srv.Handle(control.Prefix, handler)
	client, err := control.NewClient(srv.URL(), control.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	return srv, client
}

func bubble(t *testing.T, body func(t *testing.T, srv *crisptest.Server, client *control.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv, client := begin(t, control.Config{})
		body(t, srv, client)
	})
}

// run runs a program that keeps the payloads of all events.
func run(t *testing.T, srv *crisptest.Server) chan crisp.Event {
	t.Helper()
	events := make(chan crisp.Event, 100)
	router := crisp.NewRouter()
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		events <- ev
		return nil
	})
	rtm, err := srv.Client().NewRTM(router)
	require.NoError(t, err)
	srv.Run(t, rtm)
	return events
}

func TestEmitIsExact(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		const data = `{ "website_id":"w",  "text":"a<b>&\u00e9 é", "n": 1.50 }`
		require.NoError(t, client.Emit(t.Context(), "my:event", json.RawMessage(data)))
		sent := srv.Journal(0)
		require.Len(t, sent, 1)
		assert.Equal(t, "my:event", sent[0].Event.Name)
		assert.Equal(t, data, string(sent[0].Event.Payload)) //nolint:testifylint // byte for byte is what is promised

		require.NoError(t, client.Emit(t.Context(), "session:set_email", nil))
		assert.Contains(t, string(srv.Journal(1)[0].Event.Payload), crisptest.WebsiteID, "a sample")
		assert.EqualError(t, client.Emit(t.Context(), "my:event", nil), "crisp serve: there is no sample of my:event: give its data")
		assert.EqualError(t, client.Emit(t.Context(), "my:event", json.RawMessage("{")), "crisp serve: the body, which is the event's data, is no JSON")
	})
}

func TestActs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		ctx := t.Context()
		ada, err := client.NewVisitor(ctx, control.NewVisitor{Meta: map[string]any{"nickname": "Ada"}})
		require.NoError(t, err)
		assert.Equal(t, crisptest.WebsiteID, ada.WebsiteID)
		assert.Regexp(t, `^session_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, ada.SessionID)

		visitor := func(act string, with control.Act) {
			t.Helper()
			_, err := client.VisitorAct(ctx, ada.SessionID, act, with)
			require.NoError(t, err)
		}
		operator := func(act string, with control.Act) {
			t.Helper()
			with.SessionID = ada.SessionID
			_, err := client.OperatorAct(ctx, "ben", act, with)
			require.NoError(t, err)
		}
		visitor("arrive", control.Act{})
		visitor("open", control.Act{URL: "https://a.example/", Title: "A page"})
		visitor("type", control.Act{Text: "Hel"})
		visitor("stop-typing", control.Act{})
		said, err := client.VisitorAct(ctx, ada.SessionID, "say", control.Act{Text: "Hello?"})
		require.NoError(t, err)
		assert.Equal(t, "Hello?", said.Message.Text())
		visitor("send", control.Act{Type: "file", Content: json.RawMessage(`{"name":"a","url":"https://a.example/a","type":"image/png"}`)})
		operator("read", control.Act{})
		operator("take", control.Act{})
		operator("note", control.Act{Text: "I know her"})
		operator("say", control.Act{Text: "Hello!"})
		operator("send", control.Act{Type: "text", Content: json.RawMessage(`"Anything else?"`)})
		visitor("read", control.Act{})
		visitor("set", control.Act{Meta: map[string]any{"email": "ada@example.com"}})
		visitor("rate", control.Act{Stars: 5, Text: "quick"})
		operator("set-state", control.Act{State: "resolved"})
		visitor("leave", control.Act{})

		c, err := client.Conversation(ctx, ada.SessionID)
		require.NoError(t, err)
		assert.Len(t, c.Messages, 5)
		assert.Equal(t, "resolved", c.State)
		assert.Equal(t, "operator-ben", c.Assigned)
		assert.Equal(t, "offline", c.Availability)
		assert.Equal(t, "ada@example.com", c.Meta["email"])
		assert.Equal(t, "Ada", c.Meta["nickname"])
		var names []string
		for _, entry := range srv.Journal(0) {
			names = append(names, entry.Event.Name)
		}
		for _, name := range []string{
			"session:set_nickname", "session:update_availability", "session:sync:pages", "message:compose:send", "message:send",
			"message:received", "message:acknowledge:read:send", "message:acknowledge:read:received", "session:set_routing",
			"session:set_state", "session:set_email", "session:sync:rating",
		} {
			assert.Contains(t, names, name)
		}
	})
}

func TestFaultsHooksAndReset(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		ctx := t.Context()
		require.NoError(t, client.Fault(ctx, "fail-rest", map[string]string{"status": "503"}))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := srv.Client().ConnectEndpoints(short)
		require.Error(t, err)
		assert.Equal(t, 503, srv.Requests()[0].Status)
		require.NoError(t, client.Heal(ctx))
		_, err = srv.Client().ConnectEndpoints(ctx)
		require.NoError(t, err)

		at := srv.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) + "/hooks?key=not-to-be-told"
		require.NoError(t, client.AddHook(ctx, control.Hook{URL: at, Events: []string{"my:event"}}))
		require.NoError(t, client.Emit(ctx, "my:event", json.RawMessage("{}")))
		delivery, err := client.Wait(ctx, control.Condition{Kind: "delivery", Event: "my:event", Status: 200})
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSuffix(at, "?key=not-to-be-told"), delivery.Delivery.URL)
		state, err := client.State(ctx)
		require.NoError(t, err)
		assert.Equal(t, []string{delivery.Delivery.URL}, state.Hooks)
		assert.Equal(t, delivery.Number, state.Latest)
		require.NoError(t, client.RemoveHook(ctx, at))
		assert.EqualError(t, client.RemoveHook(ctx, at), "crisp serve: no web hooks are sent to that URL")

		require.NoError(t, client.Reset(ctx))
		part, err := client.Journal(ctx, 0, 0)
		require.NoError(t, err)
		assert.Empty(t, part.Entries)
	})
}

func TestJournalWaits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		time.AfterFunc(5*time.Second, func() { srv.EmitRaw("later", []byte("{}")) })
		began := time.Now()
		part, err := client.Journal(t.Context(), 0, time.Minute)
		require.NoError(t, err)
		require.Len(t, part.Entries, 1)
		assert.Equal(t, "later", part.Entries[0].Event.Name)
		assert.Equal(t, 5*time.Second, time.Since(began))
		part, err = client.Journal(t.Context(), part.Latest, time.Second)
		require.NoError(t, err)
		assert.Equal(t, control.Journal{Entries: []control.Entry{}, Latest: 1}, part)
	})
}

func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		ctx := t.Context()
		_, err := client.Wait(ctx, control.Condition{Kind: "connection", Timeout: "1s"})
		require.True(t, control.IsTimeout(err), "%v", err)
		run(t, srv)
		entry, err := client.Wait(ctx, control.Condition{Kind: "connection"})
		require.NoError(t, err)
		assert.True(t, entry.Connection.Authenticated)

		v := srv.Visitor()
		api := srv.Client()
		time.AfterFunc(time.Second, func() {
			_, _ = api.SendMessage(context.Background(), v.Session(), crisp.Message{From: crisp.FromOperator, Origin: "chat", Content: crisp.TextContent("We do ship there.")})
		})
		entry, err = client.Wait(ctx, control.Condition{Kind: "message", SessionID: v.SessionID, Text: "ship"})
		require.NoError(t, err)
		assert.Equal(t, "We do ship there.", entry.Message.Text())
		entry, err = client.Wait(ctx, control.Condition{Kind: "request", Method: "POST", Path: v.SessionID, Status: 202})
		require.NoError(t, err)
		assert.Equal(t, "/message", entry.Request.Path[len(entry.Request.Path)-len("/message"):])
		_, err = client.Wait(ctx, control.Condition{Kind: "message", After: entry.Number, Timeout: "1s"})
		assert.True(t, control.IsTimeout(err))

		srv.DropConnections()
		entry, err = client.Wait(ctx, control.Condition{Kind: "connection", Ended: true})
		require.NoError(t, err)
		assert.Equal(t, "dropped by the test", entry.Connection.Ended)
		_, err = client.Wait(ctx, control.Condition{Kind: "answer"})
		assert.EqualError(t, err, `crisp serve: kind is "answer"; it must be event, message, request, connection, bind, delivery`)
	})
}

func TestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, _ *crisptest.Server, client *control.Client) {
		ctx := t.Context()
		_, err := client.VisitorAct(ctx, "session_1", "sing", control.Act{})
		assert.EqualError(t, err, `crisp serve: a visitor can't "sing", but arrive, leave, open, rate, read, say, send, set, stop-typing, type`)
		_, err = client.VisitorAct(ctx, "session_1", "say", control.Act{})
		assert.EqualError(t, err, "crisp serve: text is missing: what to say")
		_, err = client.OperatorAct(ctx, "ben", "say", control.Act{Text: "Hello!"})
		assert.EqualError(t, err, "crisp serve: session_id is missing: that of the visitor")
		assert.ErrorContains(t, client.Fault(ctx, "fire", nil), `there is no fault "fire"; there are drop, `)
		assert.ErrorContains(t, client.AddHook(ctx, control.Hook{URL: "nowhere?key=secret"}), "must be like http://")
	})
}

// A page in a browser can't drive the server, and neither can another machine.
func TestWhoMayDrive(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithJournal(10))
	handler, err := control.Handler(srv, control.Config{Key: "the key", Hosts: []string{"fake.example"}})
	require.NoError(t, err)
	tests := map[string]struct {
		host, from string
		header     map[string]string
		want       int
	}{
		"this machine":              {"127.0.0.1:7700", "127.0.0.1:50000", nil, 200},
		"by name":                   {"localhost:7700", "[::1]:50000", nil, 200},
		"IPv6":                      {"[::1]:7700", "[::1]:50000", nil, 200},
		"a name that was allowed":   {"fake.example:7700", "127.0.0.1:50000", nil, 200},
		"a page of the same origin": {"127.0.0.1:7700", "127.0.0.1:50000", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"a name that was rebound":   {"evil.example", "127.0.0.1:50000", nil, 403},
		"… with loopback in it":     {"127.0.0.1.evil.example", "127.0.0.1:50000", nil, 403},
		"a page of another origin":  {"127.0.0.1:7700", "127.0.0.1:50000", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"… in an older browser":     {"127.0.0.1:7700", "127.0.0.1:50000", map[string]string{"Origin": "https://evil.example"}, 403},
		"a file's page":             {"127.0.0.1:7700", "127.0.0.1:50000", map[string]string{"Origin": "null"}, 403},
		"another port's page":       {"127.0.0.1:7700", "127.0.0.1:50000", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"another machine":           {"127.0.0.1:7700", "10.0.0.7:50000", nil, 403},
		"… with another key":        {"10.0.0.1:7700", "10.0.0.7:50000", map[string]string{"Authorization": "Bearer a key"}, 403},
		"… with the key":            {"10.0.0.1:7700", "10.0.0.7:50000", map[string]string{"Authorization": "Bearer the key"}, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, control.Prefix+"events/my:event", strings.NewReader("{}"))
			r.Host, r.RemoteAddr = test.host, test.from
			for key, value := range test.header {
				r.Header.Set(key, value)
			}
			w := httptest.NewRecorder()
			before := len(srv.Journal(0))
			handler.ServeHTTP(w, r)
			assert.Equal(t, test.want, w.Code, w.Body)
			assert.Equal(t, test.want == 200, len(srv.Journal(0)) > before)
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
		})
	}
}

// Without a key, nobody else's is taken.
func TestNoKeyIsNoKey(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithJournal(10))
	handler, err := control.Handler(srv, control.Config{})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, control.Prefix+"state", nil)
	r.RemoteAddr = "10.0.0.7:50000"
	r.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	assert.Equal(t, http.StatusForbidden, w.Code)
}

func TestClientNeedsAServersURL(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:7700", "ftp://127.0.0.1", "http://127.0.0.1:7700/elsewhere"} {
		_, err := control.NewClient(text)
		assert.Error(t, err, text)
	}
	for _, text := range []string{"http://127.0.0.1:7700", "http://127.0.0.1:7700/", "http://127.0.0.1:7700/v1/"} {
		_, err := control.NewClient(text)
		assert.NoError(t, err, text)
	}
}

// What the journal tells holds no key: neither headers nor the query of a hook.
func TestEntriesHoldNoKeys(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server, client *control.Client) {
		require.NoError(t, client.AddHook(t.Context(), control.Hook{URL: "http://127.0.0.1:1/hooks?key=hidden"}))
		run(t, srv)
		srv.Visitor().Say("Hello?")
		_, err := client.Wait(t.Context(), control.Condition{Kind: "delivery"})
		require.NoError(t, err)
		part, err := client.Journal(t.Context(), 0, 0)
		require.NoError(t, err)
		text, err := json.Marshal(part)
		require.NoError(t, err)
		assert.NotContains(t, string(text), srv.Token().Key)
		assert.NotContains(t, string(text), "hidden")
		assert.NotContains(t, string(text), "Authorization")
	})
}
