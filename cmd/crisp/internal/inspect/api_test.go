package inspect

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

func TestInfo(t *testing.T) {
	b := begin(t, func(c *Config) { c.Capture = "today.jsonl" })
	var info Info
	b.get("/api/info", &info)
	assert.Len(t, info.Events, len(crisp.Events()))
	assert.Equal(t, "today.jsonl", info.Capture)
	assert.Empty(t, info.Oldest)
	status, text := b.do("GET", "/api/info", "")
	assert.Equal(t, 200, status)
	assert.NotContains(t, text, testSecret)
}

func TestEvents(t *testing.T) {
	b := begin(t)
	b.ring = various(t)
	b.cfg.Ring = b.ring
	type part struct {
		Records []Summary `json:"records"`
		IDs     []string  `json:"ids"`
		Next    string    `json:"next"`
		More    bool      `json:"more"`
	}
	var got part
	b.get("/api/events?limit=4", &got)
	assert.Len(t, got.Records, 4)
	assert.Equal(t, "r-4", got.Next)
	assert.True(t, got.More)
	assert.Equal(t, "r-2", got.Records[3].Of)
	got = part{}
	b.get("/api/events?after=r-4&q=kind:event&only=ids", &got)
	assert.Equal(t, part{IDs: []string{"r-9", "r-10", "r-11", "r-12", "r-13"}, Next: "r-13"}, got)
	got = part{}
	b.get("/api/events?after=r-13&only=ids", &got)
	assert.Equal(t, part{IDs: []string{}, Next: "r-13"}, got)
	for query, want := range map[string]string{
		"q=is:ill":  `{"error":"the filter, at character 1: is: is \"ill\"; it must be one of failed, problem, gap"}`,
		"limit=0":   `{"error":"limit is \"0\"; it must be a number from 1 to 20000"}`,
		"limit=all": `{"error":"limit is \"all\"; it must be a number from 1 to 20000"}`,
	} {
		status, text := b.do("GET", "/api/events?"+query, "")
		assert.Equal(t, 400, status)
		assert.Equal(t, want+"\n", text)
	}
	status, text := b.do("GET", "/api/events/r-99", "")
	assert.Equal(t, 404, status)
	assert.Contains(t, text, `{"error":"it is not there any more`)
}

func TestDetail(t *testing.T) {
	b := begin(t)
	event := messageOf(t, "session_1", "Hi")
	event.Body = []byte("{\n  " + string(event.Body[1:]))
	n := b.add(event).N
	b.add(&record.Delivery{Of: n, Event: "message:send", Target: "http://127.0.0.1/", Attempt: 1, Limit: 5, Outcome: record.Refused, Status: 500})
	b.add(eventOf(t, "message:send", `{"session_id":"session_2","type":"text","from":"user","content":"x","user":{"nickname":7}}`))
	var d Detail
	b.get("/api/events/"+testRun+"-1", &d)
	assert.Equal(t, string(event.Body), d.EnvelopeText)
	var envelope, asCame any
	require.NoError(t, json.Unmarshal(d.Envelope, &envelope))
	require.NoError(t, json.Unmarshal(event.Body, &asCame))
	assert.Equal(t, asCame, envelope)
	assert.Equal(t, field{Type: "string", Doc: d.Fields["session_id"].Doc}, d.Fields["session_id"])
	assert.NotEmpty(t, d.Fields["from"].Enum)
	assert.NotEmpty(t, d.Fields["user.nickname"].Type)
	status, text := b.do("GET", "/api/events/"+testRun+"-1", "")
	assert.Equal(t, 200, status)
	assert.Contains(t, text, `"outcome":"refused","status":500`)
	d = Detail{}
	b.get("/api/events/"+testRun+"-3", &d)
	assert.Equal(t, []problem{{Path: "user.nickname", Expected: "string", Got: "number"}}, d.Problems)
	assert.Empty(t, d.EnvelopeText)
	d = Detail{}
	b.get("/api/events/"+testRun+"-2", &d)
	assert.JSONEq(t, `{"n":2,"at":"`+d.recordAt(t)+`","kind":"delivery","of":1,"event":"message:send","target":"http://127.0.0.1/","attempt":1,"limit":5,"outcome":"refused","status":500,"took_ms":0}`, string(d.Record))
}

func (d *Detail) recordAt(t *testing.T) string {
	var of struct{ At string }
	require.NoError(t, json.Unmarshal(d.Record, &of))
	return of.At
}

// UnmarshalJSON keeps the summary, which is all that a client sees.
func (e *Entry) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &e.Summary); err != nil {
		return err
	}
	e.Run, e.N, _ = parseID(e.Summary.ID)
	return nil
}

// Whatever an event is, and whatever is in it, it is shown, and its JSON has no
// character in it that does anything to a terminal.
func TestDetailOfAnyEvent(t *testing.T) {
	b := begin(t)
	for _, info := range crisp.Events() {
		b.add(record.FromRTM(crisptest.Sample(info.Name)))
	}
	b.add(messageOf(t, "session_1", "\x1b[2J\u202e <script>alert(1)</script>\x00\x7f"))
	b.add(eventOf(t, "future:event", `{"deep":`+strings.Repeat("[", 9990)+strings.Repeat("]", 9990)+`}`))
	list, _, _ := b.ring.Read(0, 1000)
	for _, e := range list {
		status, text := b.do("GET", "/api/events/"+e.ID(), "")
		assert.Equal(t, 200, status, e.Summary.Event)
		assert.False(t, strings.ContainsAny(text, "\x1b\x00\x7f\u202e"), e.Summary.Event)
		var d Detail
		require.NoError(t, json.Unmarshal([]byte(text), &d), e.Summary.Event)
		if d.Envelope == nil {
			assert.Equal(t, string(e.Body), d.EnvelopeText)
		} else {
			assert.JSONEq(t, string(e.Body), string(d.Envelope))
		}
	}
}

// An export is a capture: it is read again as what it was made of.
func TestExport(t *testing.T) {
	b := begin(t)
	older := &filler{ring: b.ring, run: "older"}
	older.add(messageOf(t, "session_1", "before\n\t"))
	older.add(&record.Delivery{Of: 1, Event: "message:send", Target: "http://127.0.0.1/", Outcome: record.GivenUp})
	b.add(&record.Connected{Endpoint: "client.example", Attempt: 1})
	b.add(messageOf(t, "session_2", "\x1b[2J"))
	b.add(messageOf(t, "session_1", "last"))
	read := func(query string) (ids []string) {
		status, text := b.do("GET", "/api/export"+query, "")
		require.Equal(t, 200, status)
		path := t.TempDir() + "/export.jsonl"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, capture.Tail(path, 1<<20, func(run string, r record.Record) {
			e := FromRecord(run, r)
			ids = append(ids, e.ID())
			was, ok := b.ring.Get(e.ID())
			require.True(t, ok, e.ID())
			assert.Equal(t, was.summary(), e.summary())
			assert.Equal(t, string(was.Body), string(e.Body))
		}))
		return ids
	}
	assert.Equal(t, []string{"older-1", "older-2", testRun + "-1", testRun + "-2", testRun + "-3"}, read(""))
	assert.Equal(t, []string{"older-1", testRun + "-3"}, read("?q=session:session_1"))
	assert.Empty(t, read("?q=session:nobody"))
	status, _ := b.do("GET", "/api/export?q=is:ill", "")
	assert.Equal(t, 400, status)
}

// The page is small, and nothing in it can be a script that is not a file of its own.
func TestPage(t *testing.T) {
	files, err := page.ReadDir("page")
	require.NoError(t, err)
	size := 0
	for _, file := range files {
		text, err := page.ReadFile("page/" + file.Name())
		require.NoError(t, err)
		size += len(text)
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "javascript:", " style=\"", " onclick="} {
			assert.NotContains(t, string(text), forbidden, file.Name())
		}
	}
	t.Logf("%d bytes", size)
	assert.LessOrEqual(t, size, 60<<10)
	b := begin(t)
	status, text := b.do("GET", "/", "")
	assert.Equal(t, 200, status)
	assert.Contains(t, text, `<script type="module" src="/assets/`)
	assert.NotContains(t, text, testToken)
}

func TestLargeBodiesAreRefused(t *testing.T) {
	b := begin(t)
	status, text := b.do("POST", "/api/replay", `{"body":"`+strings.Repeat("x", maxBody)+`"}`)
	assert.Equal(t, 413, status)
	assert.Contains(t, text, "too large")
	for body, want := range map[string]string{
		`{"bodi":"x"}`:               `unknown field`,
		`{"body":"x"} {}`:            `something after`,
		``:                           `the body: EOF`,
		`{}`:                         `envelope or body is missing`,
		`{"body":"x","envelope":{}}`: `one of them`,
		`{"body":"x","attempt":-1}`:  `attempt is -1`,
	} {
		status, text := b.do("POST", "/api/replay", body)
		assert.Equal(t, 400, status)
		assert.Contains(t, text, want)
	}
}
