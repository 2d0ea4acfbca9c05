package inspect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

const (
	testToken  = "0123456789abcdef0123456789abcdef"
	testSecret = "hidden-secret"
	testRun    = "run00001"
)

// eventOf makes the record of an event.
func eventOf(t testing.TB, name, payload string) *record.Event {
	t.Helper()
	ev, err := record.Parse(record.Body("w-1", name, []byte(payload), time.UnixMilli(1795681520364)))
	require.NoError(t, err)
	return ev
}

// messageOf makes the record of a message.
func messageOf(t testing.TB, session, text string) *record.Event {
	t.Helper()
	quoted, err := json.Marshal(text)
	require.NoError(t, err)
	return eventOf(t, "message:send", `{"website_id":"w-1","session_id":"`+session+`","type":"text","from":"user","content":`+string(quoted)+
		`,"fingerprint":1,"timestamp":1795681520364,"user":{"nickname":"Ada","user_id":"`+session+`"}}`)
}

// filler adds records of a run to a ring, as a stream does.
type filler struct {
	ring *Ring
	run  string
	n    uint64
}

func (f *filler) add(what record.What) record.Record {
	f.n++
	r := record.Record{N: f.n, At: time.Now(), What: what}
	f.ring.Add(FromRecord(f.run, r))
	return r
}

func (f *filler) Repeat(what record.What) (record.Record, error) { return f.add(what), nil }

// begun is an inspector that runs for a test.
type begun struct {
	*Server
	*filler
	t testing.TB
}

func begin(t testing.TB, change ...func(*Config)) *begun {
	t.Helper()
	fill := &filler{ring: NewRing(0), run: testRun}
	cfg := Config{
		Addr: "127.0.0.1:0", Token: testToken, Command: "listen", Run: testRun, Ring: fill.ring,
		Signing: forward.Signing{Secret: testSecret}, Repeat: fill.Repeat,
	}
	for _, set := range change {
		set(&cfg)
	}
	fill.ring, fill.run = cfg.Ring, cfg.Run
	server, err := Start(cfg)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return &begun{server, fill, t}
}

// do makes a request with the token, and returns the status and the body.
func (b *begun) do(method, path, body string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, strings.TrimSuffix(b.url, "/")+path, strings.NewReader(body))
	require.NoError(b.t, err)
	r.Header.Set("Authorization", "Bearer "+testToken)
	response, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return response.StatusCode, string(text)
}

// get reads an answer into a value.
func (b *begun) get(path string, into any) {
	b.t.Helper()
	status, text := b.do("GET", path, "")
	require.Equal(b.t, 200, status, text)
	require.NoError(b.t, json.Unmarshal([]byte(text), into), text)
}

// post sends a value, and reads the answer into another.
func (b *begun) post(path string, value, into any) {
	b.t.Helper()
	body, err := json.Marshal(value)
	require.NoError(b.t, err)
	status, text := b.do("POST", path, string(body))
	require.Equal(b.t, 200, status, text)
	require.NoError(b.t, json.Unmarshal([]byte(text), into), text)
}

// sse is a server-sent event.
type sse struct{ name, id, data string }

// follow reads a stream of the server until the test ends, or it is closed.
type follow struct {
	t      testing.TB
	lines  *bufio.Scanner
	Close  func() error
	lastID string
}

func (b *begun) follow(after string) *follow {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"api/stream?token="+testToken, nil)
	require.NoError(b.t, err)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	require.Equal(b.t, 200, response.StatusCode)
	require.Equal(b.t, "text/event-stream", response.Header.Get("Content-Type"))
	b.t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 32<<20)
	return &follow{t: b.t, lines: lines, Close: response.Body.Close, lastID: after}
}

// next returns the next event that is not about how things go.
func (f *follow) next() (e sse) {
	f.t.Helper()
	for f.lines.Scan() {
		line := f.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && e.name != "" && e.name != "stats":
			if e.id != "" {
				f.lastID = e.id
			}
			return e
		case line == "":
			e = sse{}
		case name == "event":
			e.name = value
		case name == "id":
			e.id = value
		case name == "data":
			e.data = value
		}
	}
	require.Fail(f.t, "the stream has ended", "%v", f.lines.Err())
	return e
}

// records returns the IDs of the next records.
func (f *follow) records(count int) (ids []string) {
	f.t.Helper()
	for len(ids) < count {
		if e := f.next(); e.name == "record" {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// ids are those of a run, from a number to another.
func ids(run string, from, to uint64) (list []string) {
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprintf("%s-%d", run, n))
	}
	return list
}
