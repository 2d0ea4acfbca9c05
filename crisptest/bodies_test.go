package crisptest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// message returns the body of a message with these members in addition, or
// instead, of those of a text.
func message(t *testing.T, members string) string {
	t.Helper()
	body := map[string]any{"type": "text", "from": "operator", "origin": "chat", "content": "x"}
	require.NoError(t, json.Unmarshal([]byte("{"+members+"}"), &body), members)
	whole, err := json.Marshal(body)
	require.NoError(t, err)
	return string(whole)
}

// contents has for each type of message a content that has nothing optional, and
// one that has everything.
var contents = map[string][2]string{
	"text":      {`"x"`, `"x"`},
	"note":      {`"x"`, `"x"`},
	"file":      {`{"name":"n","url":"https://a.example/f","type":"t/t"}`, `{"name":"n","url":"https://a.example/f","type":"t/t"}`},
	"animation": {`{"url":"https://a.example/f","type":"t/t"}`, `{"url":"https://a.example/f","type":"t/t"}`},
	"audio":     {`{"url":"https://a.example/f","type":"t/t","duration":1}`, `{"url":"https://a.example/f","type":"t/t","duration":1.5}`},
	"picker": {`{"id":"i","text":"t","choices":[{"value":"v","label":"l"}]}`,
		`{"id":"i","text":"t","choices":[{"value":"v","label":"l","icon":"c","selected":true,"action":{"type":"t","target":"x"}}],"required":true}`},
	"field":    {`{"id":"i","text":"t","explain":"e"}`, `{"id":"i","text":"t","explain":"e","value":"v","required":true}`},
	"carousel": {`{"text":"t","targets":[{"title":"t","description":"d"}]}`, `{"text":"t","targets":[{"title":"t","description":"d","image":"https://a.example/i","actions":[{"label":"l","url":"https://a.example/u"}]}]}`},
	"event":    {`{"namespace":"n"}`, `{"namespace":"n","text":"t"}`},
}

func TestMessagesThatAreTaken(t *testing.T) {
	srv := crisptest.NewServer(t)
	var bodies []string
	for kind, both := range contents {
		for _, content := range both {
			bodies = append(bodies, message(t, `"type":"`+kind+`","content":`+content))
		}
	}
	for _, members := range []string{
		`"from":"user"`, `"origin":"email"`, `"origin":"urn:crisp.im:messenger:0"`,
		`"fingerprint":9007199254740991`, `"timestamp":1700000000000`, `"timestamp":null`,
		`"user":{}`, `"user":{"type":"website","user_id":"u","nickname":"n","avatar":null}`,
		`"mentions":[]`, `"mentions":["u"]`, `"references":[{"type":"link","name":"n","target":"https://a.example"}]`,
		`"original":{"original_id":"o"}`, `"original":{"type":"text/html","content":"<p>x</p>"}`,
		`"properties":{"s":"x","n":1,"b":true,"0":null}`, `"stealth":true,"translated":true,"automated":true`,
		`"of a later day":[1]`,
		`"type":"poem","content":"a type of a later day"`, `"type":"poem","content":{"lines":4}`, `"type":"poem","content":[1]`,
	} {
		bodies = append(bodies, message(t, members))
	}
	for _, body := range bodies {
		answer := call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", body)
		assert.Equal(t, http.StatusAccepted, answer.Status, body)
	}
	assert.Len(t, srv.Sent(), len(bodies))
}

func TestMessagesThatAreRefused(t *testing.T) {
	srv := crisptest.NewServer(t)
	bodies := []string{``, `{`, `{}`, `null`, `[]`, `"x"`, message(t, "") + "}", message(t, "") + message(t, "")}
	for _, members := range []string{
		`"type":null`, `"type":""`, `"type":1`,
		`"from":null`, `"from":""`, `"from":"bot"`, `"from":"Operator"`,
		`"origin":null`, `"origin":""`, `"origin":"Chat"`, `"origin":"telegram"`, `"origin":"urn:"`,
		`"content":null`, `"content":""`, `"content":{}`, `"content":1`, `"type":"poem","content":null`,
		`"fingerprint":-1`, `"fingerprint":1.5`, `"fingerprint":"1"`, `"fingerprint":9007199254740992`,
		`"timestamp":"now"`, `"timestamp":-1`,
		`"user":"u"`, `"user":{"nickname":1}`, `"user":{"avatar":1}`,
		`"mentions":"u"`, `"mentions":[1]`, `"mentions":[""]`,
		`"references":{}`, `"references":[{"type":"link","name":"n"}]`,
		`"original":{}`, `"original":{"type":"text/html"}`, `"original":{"content":"x"}`, `"original":"x"`,
		`"properties":[]`, `"properties":{"a":{}}`,
		`"stealth":1`, `"translated":"yes"`, `"automated":0`,
	} {
		bodies = append(bodies, message(t, members))
	}
	for kind := range contents {
		for _, content := range wrongContents(t, kind) {
			bodies = append(bodies, message(t, `"type":"`+kind+`","content":`+content))
		}
	}
	for _, body := range bodies {
		answer := call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", body)
		assert.Equal(t, http.StatusBadRequest, answer.Status, body)
		assert.Equal(t, "invalid_data", answer.Reason, body)
	}
	assert.Empty(t, srv.Sent())
	_, begun := srv.Conversation("w", "s")
	assert.False(t, begun, "what is refused leaves no trace")
}

// wrongContents returns contents that a type of message can't have: another type's
// kind of value, and those in which one member that is needed is away, empty or of
// another type.
func wrongContents(t *testing.T, kind string) []string {
	t.Helper()
	least := contents[kind][0]
	if strings.HasPrefix(least, `"`) {
		return []string{`""`, `{"text":"x"}`, `1`}
	}
	wrong := []string{`"x"`, `[]`, `{}`}
	var content any
	require.NoError(t, json.Unmarshal([]byte(least), &content))
	each(content, func(object map[string]any, key string) {
		was := object[key]
		for _, v := range []any{nil, "", false, []any{}, map[string]any{}} {
			object[key] = v
			body, err := json.Marshal(content)
			require.NoError(t, err)
			wrong = append(wrong, string(body))
		}
		object[key] = was
	})
	return wrong
}

// each calls f for each member within a value.
func each(v any, f func(object map[string]any, key string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			f(v, key)
			each(member, f)
		}
	case []any:
		for _, element := range v {
			each(element, f)
		}
	}
}

func TestPatchesThatAreRefused(t *testing.T) {
	srv := crisptest.NewServer(t)
	v := srv.Visitor("w")
	v.SetMeta(map[string]any{"email": "a@b.example"})
	call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/"+v.SessionID+"/message", message(t, `"fingerprint":7`))
	before := v.Conversation()
	for path, bodies := range map[string][]string{
		"message/7": {`{}`, `{"content":null}`, `{"content":""}`, `{"content":{}}`, `{"text":"x"}`},
		"compose":   {`{}`, `{"type":"start"}`, `{"type":"pause","from":"user"}`, `{"type":"stop","from":"bot"}`, `{"type":"start","from":"user","excerpt":1}`, `{"type":"start","from":"user","automated":"x"}`},
		"read":      {`{}`, `{"from":"user"}`, `{"origin":"chat"}`, `{"from":"bot","origin":"chat"}`, `{"from":"operator","origin":"nowhere"}`, `{"from":"operator","origin":"chat","fingerprints":7}`, `{"from":"operator","origin":"chat","fingerprints":["x"]}`},
		"delivered": {`{}`, `{"from":"operator","origin":"nowhere"}`, `{"from":"operator","origin":"chat","fingerprints":[-1]}`},
		"unread":    {`{}`, `{"from":"bot"}`},
		"state":     {`{}`, `{"state":null}`, `{"state":"done"}`, `{"state":1}`, `{"state":"resolved","origin":"nowhere"}`, `{"state":"resolved","user":1}`, `{"state":"resolved"} {}`},
		"routing":   {`{}`, `{"assigned":"u"}`, `{"assigned":{}}`, `{"assigned":{"user_id":""}}`, `{"assigned":null,"silent":"x"}`},
		"inbox":     {`{}`, `{"inbox_id":""}`, `{"inbox_id":1}`, `"i"`},
		"meta": {`[]`, `null`, `{"email":1}`, `{"nickname":{}}`, `{"segments":"vip"}`, `{"segments":[1]}`, `{"data":[]}`, `{"data":{"a":{}}}`,
			`{"device":"phone"}`, `{"phone":true}`, `{"subject":[]}`, `{"address":1}`, `{"avatar":1}`, `{"origin":1}`, `{"ip":1}`, `{"connection":1}`},
	} {
		for _, body := range bodies {
			answer := call(t, srv, srv.Token(), http.MethodPatch, "website/w/conversation/"+v.SessionID+"/"+path, body)
			assert.Equal(t, http.StatusBadRequest, answer.Status, "%s %s", path, body)
			assert.Equal(t, "invalid_data", answer.Reason, "%s %s", path, body)
		}
	}
	assert.Equal(t, before, v.Conversation(), "nothing has changed")
}

func TestFingerprintsMayBeTexts(t *testing.T) {
	srv := crisptest.NewServer(t)
	v := srv.Visitor("w")
	sent := v.Say("x")
	body := `{"from":"user","origin":"chat","fingerprints":["` + jsonOf(t, sent.Fingerprint) + `"]}`
	answer := call(t, srv, srv.Token(), http.MethodPatch, "website/w/conversation/"+v.SessionID+"/read", body)
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Equal(t, "chat", v.Conversation().Messages[0].Read)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// An original is sent with the message, and comes back as an ID by which it can be
// got.
func TestOriginalComesBackAsID(t *testing.T) {
	srv := crisptest.NewServer(t)
	l := listen(t, srv)
	client := srv.Client()
	v := srv.Visitor()
	_, err := client.SendMessage(t.Context(), v.Session(), crisp.Message{
		Content:  crisp.TextContent("Hi"),
		Original: crisp.OriginalSource{Type: "text/html", Content: "<p>Hi</p>"},
	})
	require.NoError(t, err)

	m := srv.Sent()[0]
	assert.JSONEq(t, `{"type":"text/html","content":"<p>Hi</p>"}`, string(m.Source))
	var original crisp.Original
	require.NoError(t, json.Unmarshal(m.Original, &original))
	require.NotEmpty(t, original.OriginalID)
	assert.JSONEq(t, `{"original_id":"`+original.OriginalID+`"}`, string(m.Original))
	assert.Contains(t, l.events()[0], `"original":{"original_id":"`+original.OriginalID+`"}`)
	for past, err := range client.Messages(t.Context(), v.Session()) {
		require.NoError(t, err)
		assert.Equal(t, original.OriginalID, past.Original.OriginalID)
	}

	at := "website/" + v.WebsiteID + "/conversation/" + v.SessionID + "/original/"
	answer := call(t, srv, srv.Token(), http.MethodGet, at+original.OriginalID, "")
	assert.JSONEq(t, `{"website_id":"`+v.WebsiteID+`","session_id":"`+v.SessionID+`","original_id":"`+original.OriginalID+
		`","type":"text/html","content":"<p>Hi</p>","timestamp":`+jsonOf(t, m.Timestamp)+`}`, string(answer.Data))
	assert.Equal(t, "original_not_found", call(t, srv, srv.Token(), http.MethodGet, at+"another", "").Reason)

	again, err := client.SendMessage(t.Context(), v.Session(), crisp.Message{Content: crisp.TextContent("Hi"), Original: crisp.OriginalSource{ID: "o1"}})
	require.NoError(t, err)
	assert.NotZero(t, again)
	assert.JSONEq(t, `{"original_id":"o1"}`, string(srv.Sent()[1].Original))
}

// Whatever is sent is taken or refused, and what is taken can be read.
func FuzzMessageBody(f *testing.F) {
	for kind, both := range contents {
		for _, content := range both {
			f.Add([]byte(`{"type":"` + kind + `","from":"user","origin":"email","content":` + content + `,"fingerprint":1,"original":{"type":"t","content":"c"}}`))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		answer := call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", string(body))
		if answer.Status != http.StatusAccepted {
			assert.Equal(t, http.StatusBadRequest, answer.Status)
			assert.Empty(t, srv.Sent())
			return
		}
		require.Len(t, srv.Sent(), 1)
		_, err := crisp.Decode("message:received", []byte(jsonOf(t, srv.Sent()[0])))
		require.NoError(t, err)
	})
}
