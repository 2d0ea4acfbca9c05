package crisptest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// listener is an RTM session that receives all events.
type listener struct {
	*rawClient
	srv *crisptest.Server
}

func listen(t *testing.T, srv *crisptest.Server) *listener {
	t.Helper()
	return &listener{rawClient: authenticate(t, srv, srv.TokenFor(crisp.TierPlugin), ""), srv: srv}
}

// events returns what was received since the last call, each as `name payload`.
func (l *listener) events() []string {
	l.t.Helper()
	l.srv.EmitRaw("end", nil)
	return l.toEnd()
}

// toEnd returns what was received up to the next event of that name.
func (l *listener) toEnd() []string {
	l.t.Helper()
	var events []string
	for _, frame := range l.readTo(`42["end"]`) {
		if frame == "2" {
			l.write("3")
			continue
		}
		var parts []json.RawMessage
		require.NoError(l.t, json.Unmarshal([]byte(frame[2:]), &parts), frame)
		events = append(events, strings.Trim(string(parts[0]), `"`)+" "+string(parts[1]))
	}
	return sorted(l.t, events)
}

// sorted sorts the members of each payload, so that equal events are equal
// strings.
func sorted(t *testing.T, events []string) (inOrder []string) {
	t.Helper()
	for _, event := range events {
		name, payload, _ := strings.Cut(event, " ")
		var members any
		require.NoError(t, json.Unmarshal([]byte(payload), &members), event)
		again, err := json.Marshal(members)
		require.NoError(t, err)
		inOrder = append(inOrder, name+" "+string(again))
	}
	return inOrder
}

// bubble runs a test in virtual time: it begins at 2000-01-01, which is
// 946684800000 ms, and nothing takes any time.
func bubble(t *testing.T, test func(t *testing.T, srv *crisptest.Server), opts ...crisptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, crisptest.NewServer(t, append(opts, crisptest.InMemory())...))
	})
}

// Each step is a request, its answer, and the events that RTM sessions receive.
func TestConversationRoutes(t *testing.T) {
	const (
		ids  = `"session_id":"s","website_id":"w"`
		user = `"user":{"nickname":"crisptest","type":"participant","user_id":"a4815c3b-7f20-4e96-8d1b-52c9e06fa374"}`
		msg1 = `{"website_id":"w","session_id":"s","type":"text","from":"operator","origin":"chat","content":"1 < 2","fingerprint":946684800000000,"timestamp":946684800000,"stamped":true,` + user + `}`
		msg2 = `{"website_id":"w","session_id":"s","type":"file","from":"user","origin":"urn:x","content":{"name":"a","url":"https://a.example/a","type":"a/a"},"fingerprint":7,"timestamp":946684800001,"stamped":true,"user":{"user_id":"u"},` +
			`"mentions":["m"],"references":[{"type":"t","name":"n","target":"x"}],"original":{"original_id":"o"},"properties":{"k":1},"translated":true,"automated":true}`
	)
	const none = `{}`
	steps := []struct {
		method, path, body string
		status             int
		reason, data       string
		events             []string
	}{
		{"GET", "", "", 404, "conversation_not_found", none, nil},
		{"HEAD", "", "", 404, "", "", nil},
		{"POST", "/message", `{"type":"text","from":"operator","origin":"chat","content":"1 < 2"}`,
			202, "dispatched", `{"fingerprint":946684800000000}`,
			[]string{"message:received " + msg1, `session:set_state {` + ids + `,"state":"unresolved"}`}},
		{"HEAD", "", "", 200, "", "", nil},
		{"POST", "/message", `{"type":"file","from":"user","origin":"urn:x","content":{"name":"a","url":"https://a.example/a","type":"a/a"},"fingerprint":7,"user":{"user_id":"u"},
			"mentions":["m"],"references":[{"type":"t","name":"n","target":"x"}],"original":{"original_id":"o"},"properties":{"k":1},"translated":true,"automated":true}`,
			202, "dispatched", `{"fingerprint":7}`, []string{"message:send " + msg2}},
		{"GET", "/messages", "", 200, "listed", `[` + msg1 + `,` + msg2 + `]`, nil},
		{"GET", "/message/7", "", 200, "resolved", msg2, nil},
		{"GET", "/message/8", "", 404, "message_not_found", none, nil},
		{"GET", "/message/x", "", 400, "invalid_data", none, nil},
		{"PATCH", "/message/7", `{"content":{"name":"b","url":"https://a.example/b","type":"a/b"}}`, 200, "updated", none, []string{`message:updated {"content":{"name":"b","type":"a/b","url":"https://a.example/b"},"fingerprint":7,` + ids + `}`}},
		{"PATCH", "/message/7", `{"content":"text"}`, 400, "invalid_data", none, nil},
		{"DELETE", "/message/7", "", 200, "deleted", none, []string{`message:removed {"fingerprint":7,` + ids + `}`}},
		{"DELETE", "/message/7", "", 404, "message_not_found", none, nil},

		{"PATCH", "/compose", `{"type":"start","from":"operator","excerpt":"He","automated":true}`, 200, "dispatched", none,
			[]string{`message:compose:receive {"automated":true,"excerpt":"He",` + ids + `,"timestamp":946684800000,"type":"start",` + user + `}`}},
		{"PATCH", "/compose", `{"type":"stop","from":"user"}`, 200, "dispatched", none,
			[]string{`message:compose:send {` + ids + `,"timestamp":946684800000,"type":"stop"}`}},
		{"PATCH", "/compose", `{"type":"pause","from":"user"}`, 400, "invalid_data", none, nil},
		{"PATCH", "/compose", `{"type":"stop","from":"bot"}`, 400, "invalid_data", none, nil},

		{"PATCH", "/delivered", `{"from":"operator","origin":"chat"}`, 200, "dispatched", none,
			[]string{`message:acknowledge:delivered {"fingerprints":[946684800000000],"origin":"chat",` + ids + `}`}},
		{"PATCH", "/read", `{"from":"operator","origin":"chat","fingerprints":[946684800000000,9]}`, 200, "dispatched", none,
			[]string{`message:acknowledge:read:received {"fingerprints":[946684800000000],"origin":"chat",` + ids + `}`}},
		{"PATCH", "/read", `{"from":"operator","origin":"chat"}`, 200, "dispatched", none, nil},
		{"PATCH", "/read", `{"from":"operator"}`, 400, "invalid_data", none, nil},
		{"PATCH", "/delivered", `{"origin":"chat"}`, 400, "invalid_data", none, nil},
		{"POST", "/message", `{"type":"text","from":"user","origin":"chat","content":"?","fingerprint":9,"user":{}}`, 202, "dispatched", `{"fingerprint":9}`,
			[]string{`message:send {"website_id":"w","session_id":"s","type":"text","from":"user","origin":"chat","content":"?","fingerprint":9,"timestamp":946684800002,"stamped":true,"user":{}}`}},
		{"PATCH", "/read", `{"from":"user","origin":"chat"}`, 200, "dispatched", none,
			[]string{`message:acknowledge:read:send {"fingerprints":[9],"origin":"chat",` + ids + `}`}},
		{"PATCH", "/unread", `{"from":"user"}`, 200, "dispatched", none,
			[]string{`message:acknowledge:unread:send {"fingerprints":[9],"origin":"chat",` + ids + `}`}},
		{"PATCH", "/unread", `{"from":"operator"}`, 200, "dispatched", none, nil},
		{"PATCH", "/unread", `{}`, 400, "invalid_data", none, nil},

		{"PATCH", "/state", `{"state":"resolved","user":{},"origin":"chat"}`, 200, "updated", none, []string{`session:set_state {` + ids + `,"state":"resolved"}`}},
		{"PATCH", "/state", `{"state":"resolved"}`, 200, "updated", none, nil},
		{"PATCH", "/state", `{"state":"done"}`, 400, "invalid_data", none, nil},
		{"GET", "/state", "", 200, "resolved", `{"state":"resolved"}`, nil},

		{"PATCH", "/routing", `{"assigned":{"user_id":"u1"}}`, 200, "updated", none, []string{`session:set_routing {"previous_routing_id":null,"routing_id":"u1",` + ids + `}`}},
		{"GET", "/routing", "", 200, "resolved", `{"assigned":{"user_id":"u1"}}`, nil},
		{"PATCH", "/routing", `{"assigned":{"user_id":"u1"}}`, 200, "updated", none, nil},
		{"PATCH", "/routing", `{"assigned":null,"silent":true}`, 200, "updated", none, []string{`session:set_routing {"previous_routing_id":"u1","routing_id":null,` + ids + `}`}},
		{"PATCH", "/routing", `{"assigned":{}}`, 400, "invalid_data", none, nil},
		{"GET", "/routing", "", 200, "resolved", `{"assigned":null}`, nil},

		{"PATCH", "/meta", `{"email":"a@b.c","data":{"a":1},"segments":["vip"],"device":{"timezone":60}}`, 200, "updated", none, []string{
			`session:set_email {"email":"a@b.c",` + ids + `}`,
			`session:set_data {"data":{"a":1},` + ids + `}`,
			`session:set_segments {"segments":["vip"],` + ids + `}`,
		}},
		{"PATCH", "/meta", `{"nickname":"Al","email":null,"data":{"b":"x"}}`, 200, "updated", none, []string{
			`session:set_email {"email":null,` + ids + `}`,
			`session:set_nickname {"nickname":"Al",` + ids + `}`,
			`session:set_data {"data":{"a":1,"b":"x"},` + ids + `}`,
		}},
		{"PATCH", "/meta", `[]`, 400, "invalid_data", none, nil},
		{"PATCH", "/meta", `null`, 400, "invalid_data", none, nil},
		{"GET", "/meta", "", 200, "resolved", `{"nickname":"Al","email":null,"data":{"a":1,"b":"x"},"segments":["vip"],"device":{"timezone":60}}`, nil},

		{"PATCH", "/inbox", `{"inbox_id":"i"}`, 200, "updated", none, []string{`session:set_inbox {"inbox_id":"i","previous_inbox_id":null,` + ids + `}`}},
		{"POST", "/initiate", ``, 200, "initiated", none, []string{`session:request:initiated {"inbox_id":"i",` + ids + `}`}},
		{"PATCH", "/inbox", `{"inbox_id":null}`, 200, "updated", none, []string{`session:set_inbox {"inbox_id":null,"previous_inbox_id":"i",` + ids + `}`}},
		{"PATCH", "/inbox", `"i"`, 400, "invalid_data", none, nil},

		{"GET", "/pages/1", "", 200, "listed", `[]`, nil},
		{"GET", "/original/o", "", 404, "original_not_found", none, nil},
		{"GET", "/pages/0", "", 400, "invalid_data", none, nil},
		{"DELETE", "", "", 200, "deleted", none, []string{`session:removed {` + ids + `}`}},
		{"GET", "", "", 404, "conversation_not_found", none, nil},
		{"DELETE", "", "", 404, "conversation_not_found", none, nil},
	}
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		l := listen(t, srv)
		for _, step := range steps {
			name := fmt.Sprintf("%s %s %s", step.method, step.path, step.body)
			answer := call(t, srv, srv.Token(), step.method, "website/w/conversation/s"+step.path, step.body)
			require.Equal(t, step.status, answer.Status, name)
			if step.method != http.MethodHead {
				assert.Equal(t, step.reason, answer.Reason, name)
				assert.JSONEq(t, step.data, string(answer.Data), name)
			}
			assert.Equal(t, sorted(t, step.events), l.events(), name)
		}
	})
}

func TestConversationAsRESTGivesIt(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		created := call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation", "")
		require.Equal(t, http.StatusCreated, created.Status)
		var data struct {
			SessionID string `json:"session_id"`
		}
		require.NoError(t, json.Unmarshal(created.Data, &data))
		assert.Regexp(t, `^session_[0-9a-f-]{36}$`, data.SessionID)

		path := "website/w/conversation/" + data.SessionID
		call(t, srv, srv.Token(), http.MethodPatch, path+"/routing", `{"assigned":{"user_id":"u1"}}`)
		call(t, srv, srv.Token(), http.MethodPatch, path+"/compose", `{"type":"start","from":"operator"}`)
		call(t, srv, srv.Token(), http.MethodPost, path+"/message", `{"type":"text","from":"user","origin":"chat","content":"hi"}`)
		call(t, srv, srv.Token(), http.MethodPost, path+"/message", `{"type":"note","from":"operator","origin":"chat","content":"n","stealth":true}`)
		<-time.After(time.Minute)
		call(t, srv, srv.Token(), http.MethodPatch, path+"/compose", `{"type":"start","from":"user"}`)

		answer := call(t, srv, srv.Token(), http.MethodGet, path, "")
		assert.JSONEq(t, `{
			"website_id":"w", "session_id":"`+data.SessionID+`", "inbox_id":null, "state":"pending", "status":0,
			"is_verified":false, "is_blocked":false, "availability":"offline", "active":{"now":false,"last":946684860000},
			"last_message":"n", "participants":[], "mentions":[], "compose":{"visitor":{"type":"start"}},
			"unread":{"operator":1,"visitor":0}, "meta":{"nickname":"visitor","segments":[],"data":{}},
			"assigned":{"user_id":"u1"}, "created_at":946684800000, "updated_at":946684860000
		}`, string(answer.Data))
	})
}

func TestStrictSessions(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithStrictSessions())
	const body = `{"type":"text","from":"operator","origin":"chat","content":"x"}`
	answer := call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", body)
	assert.Equal(t, "conversation_not_found", answer.Reason)
	v := srv.Visitor()
	answer = call(t, srv, srv.Token(), http.MethodPost, "website/"+v.WebsiteID+"/conversation/"+v.SessionID+"/message", body)
	assert.Equal(t, http.StatusAccepted, answer.Status)
}

func TestMessagesByTime(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		v := srv.Visitor()
		for i := range 50 { // at 946684800000 ms, and a millisecond more each
			v.Say(fmt.Sprint(i))
		}
		tests := []struct {
			query       string
			first, last int
		}{
			{"", 30, 49},
			{"?timestamp_before=946684800010", 0, 9},
			{"?timestamp_before=946684800040", 20, 39},
			{"?timestamp_after=946684800010", 11, 30},
			{"?timestamp_after=946684800039", 40, 49},
			{"?timestamp_around=946684800025", 15, 34},
			{"?timestamp_around=946684800003", 0, 12},
			{"?timestamp_after=946684800049", 0, -1},
			{"?timestamp_before=946684800000", 0, -1},
			{"?timestamp_before=999999999999999", 30, 49},
		}
		for _, test := range tests {
			answer := call(t, srv, srv.Token(), http.MethodGet, "website/"+v.WebsiteID+"/conversation/"+v.SessionID+"/messages"+test.query, "")
			var messages []crisptest.Message
			require.NoError(t, json.Unmarshal(answer.Data, &messages))
			var got, want []string
			for _, m := range messages {
				got = append(got, m.Text())
			}
			for i := test.first; i <= test.last; i++ {
				want = append(want, fmt.Sprint(i))
			}
			assert.Equal(t, want, got, test.query)
		}
		answer := call(t, srv, srv.Token(), http.MethodGet, "website/"+v.WebsiteID+"/conversation/"+v.SessionID+"/messages?timestamp_after=yesterday", "")
		assert.Equal(t, http.StatusBadRequest, answer.Status)
	})
}

func TestListOfConversations(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.Visitor("other").Say("elsewhere")
		operator := srv.Operator("alice")
		begin := func(text string) *crisptest.Visitor {
			v := srv.Visitor("w")
			<-time.After(time.Minute)
			if text != "" {
				v.Say(text)
			}
			return v
		}
		a, b, c, empty := begin("Where is my order?"), begin("second"), begin("third"), begin("")
		operator.Say(b, "Let me see")
		operator.Resolve(b)
		operator.Take(c)
		a.SetMeta(map[string]any{"segments": []string{"vip"}})
		call(t, srv, srv.Token(), http.MethodPatch, "website/w/conversation/"+a.SessionID+"/inbox", `{"inbox_id":"i"}`)
		call(t, srv, srv.Token(), http.MethodPatch, "website/w/conversation/"+b.SessionID+"/read", `{"from":"user","origin":"chat"}`)
		<-time.After(time.Minute)
		c.Say("again") // at 5 minutes; a and b have changed at 4, b by a millisecond more

		tests := []struct {
			path string
			want []*crisptest.Visitor
		}{
			{"1", []*crisptest.Visitor{c, b, a}},
			{"1?order_date_updated=1", []*crisptest.Visitor{c, b, a}},
			{"1?order_date_created=1", []*crisptest.Visitor{c, b, a}},
			{"1?include_empty=1&order_date_created=1", []*crisptest.Visitor{empty, c, b, a}},
			{"2", nil},
			{"1?per_page=2", []*crisptest.Visitor{c, b}},
			{"2?per_page=2", []*crisptest.Visitor{a}},
			{"1?filter_resolved=1", []*crisptest.Visitor{b}},
			{"1?filter_not_resolved=1", []*crisptest.Visitor{c, a}},
			{"1?filter_not_resolved=0", []*crisptest.Visitor{c, b, a}},
			{"1?filter_unread=1", []*crisptest.Visitor{c, a}},
			{"1?filter_assigned=operator-alice", []*crisptest.Visitor{c}},
			{"1?filter_unassigned=1", []*crisptest.Visitor{b, a}},
			{"1?filter_inbox_id=i", []*crisptest.Visitor{a}},
			{"1?filter_date_start=2000-01-01T00:04:30Z", []*crisptest.Visitor{c}},
			{"1?filter_date_end=2000-01-01T00:04:30.000Z", []*crisptest.Visitor{b, a}},
			{"1?search_query=ORDER&search_type=text", []*crisptest.Visitor{a}},
			{"1?search_query=vip&search_type=segment", []*crisptest.Visitor{a}},
		}
		for _, test := range tests {
			answer := call(t, srv, srv.Token(), http.MethodGet, "website/w/conversations/"+test.path, "")
			require.Equal(t, http.StatusOK, answer.Status, test.path)
			var list []struct {
				SessionID string `json:"session_id"`
			}
			require.NoError(t, json.Unmarshal(answer.Data, &list))
			var got, want []string
			for _, item := range list {
				got = append(got, item.SessionID)
			}
			for _, v := range test.want {
				want = append(want, v.SessionID)
			}
			assert.Equal(t, want, got, test.path)
		}
		for _, wrong := range []string{"0", "x", "1?per_page=0", "1?per_page=x", "1?filter_date_start=yesterday", "1?search_type=filter&search_query=[]"} {
			assert.Equal(t, http.StatusBadRequest, call(t, srv, srv.Token(), http.MethodGet, "website/w/conversations/"+wrong, "").Status, wrong)
		}
	})
}

func TestWebsitesOfAPlugin(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Visitor("w2")
	list := func(srv *crisptest.Server, page string) string {
		answer := call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/all/"+page, "")
		require.Equal(t, http.StatusOK, answer.Status)
		return string(answer.Data)
	}
	assert.JSONEq(t, `[{"website_id":"`+crisptest.WebsiteID+`","settings":{}},{"website_id":"w2","settings":{}}]`, list(srv, "1"))
	assert.JSONEq(t, `[]`, list(srv, "2"))
	assert.Equal(t, http.StatusBadRequest, call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/all/0", "").Status)
	assert.Equal(t, http.StatusForbidden, call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodGet, "plugin/connect/websites/all/1", "").Status)

	var ids []string
	for i := range 25 {
		ids = append(ids, fmt.Sprint("w", i))
	}
	many := crisptest.NewServer(t, crisptest.WithWebsites(ids...))
	assert.Equal(t, 5, strings.Count(list(many, "2"), "website_id"))
}

func TestRateLimit(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ask := func() restAnswer {
			return call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints", "")
		}
		for range 2 {
			assert.Equal(t, http.StatusOK, ask().Status)
			<-time.After(20 * time.Second)
			assert.Equal(t, http.StatusOK, ask().Status)
			refused := ask()
			assert.Equal(t, http.StatusTooManyRequests, refused.Status)
			assert.Equal(t, "rate_limited", refused.Reason)
			assert.Equal(t, "40", refused.Header.Get("Retry-After"))
			<-time.After(40 * time.Second)
		}
		assert.Equal(t, http.StatusOK, ask().Status)
		exhausted := ask()
		assert.Equal(t, http.StatusLocked, exhausted.Status)
		assert.Equal(t, "quota_limit_exceeded", exhausted.Reason)
	}, crisptest.WithRateLimit(2, time.Minute), crisptest.WithDailyQuota(5))
}

func TestHandleREST(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.HandleREST("GET website/{website_id}/people/profile/{people_id}", func(r *http.Request) (int, any) {
		if r.PathValue("people_id") == "nobody" {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, map[string]string{"people_id": r.PathValue("people_id")}
	})
	answer := call(t, srv, srv.Token(), http.MethodGet, "website/w/people/profile/p", "")
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.JSONEq(t, `{"people_id":"p"}`, string(answer.Data))

	answer = call(t, srv, srv.Token(), http.MethodGet, "website/w/people/profile/nobody", "")
	assert.Equal(t, "not_found", answer.Reason)
	assert.True(t, answer.IsError)

	answer = call(t, srv, crisp.PluginToken("who", "knows"), http.MethodGet, "website/w/people/profile/p", "")
	assert.Equal(t, http.StatusUnauthorized, answer.Status)
	assert.Len(t, srv.Requests(), 3)
}
