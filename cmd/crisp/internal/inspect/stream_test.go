package inspect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// What has happened comes first, then what happens, each once and in order.
func TestStream(t *testing.T) {
	b := begin(t)
	for range 3 {
		b.add(&record.Dropped{Count: 1, Reason: "full"})
	}
	f := b.follow("")
	hello := f.next()
	assert.Equal(t, "hello", hello.name)
	assert.Empty(t, hello.id)
	var info Info
	require.NoError(t, json.Unmarshal([]byte(hello.data), &info))
	assert.Equal(t, Info{
		Run: testRun, Command: "listen", Version: info.Version, Targets: []targetName{}, Signing: true,
		Size: Size{Oldest: testRun + "-1", Latest: testRun + "-3", Records: 3, Bytes: info.Bytes, Max: maxBytes},
	}, info)
	assert.Equal(t, ids(testRun, 1, 3), f.records(3))
	b.add(messageOf(t, "session_1", "live"))
	e := f.next()
	assert.Equal(t, "record", e.name)
	assert.Equal(t, testRun+"-4", e.id)
	var s Summary
	require.NoError(t, json.Unmarshal([]byte(e.data), &s))
	assert.Equal(t, Summary{
		ID: testRun + "-4", N: 4, At: s.At, Kind: "event", Event: "message:send", WebsiteID: "w-1", SessionID: "session_1",
		Preview: "Ada: live", Size: s.Size,
	}, s)
	_, err := time.Parse(milliseconds, s.At)
	require.NoError(t, err)
}

// A page that comes back with the last ID that it has read gets what it has missed: no
// hole, and nothing twice, wherever it was cut off.
func TestStreamGoesOn(t *testing.T) {
	b := begin(t)
	var got []string
	const events = 300
	var adding sync.WaitGroup
	ev := messageOf(t, "session_1", "Hi")
	adding.Go(func() {
		for range events {
			b.add(ev)
			runtime.Gosched()
		}
	})
	last := ""
	for round := 0; len(got) < events; round++ {
		f := b.follow(last)
		got = append(got, f.records(min(7+round*13, events-len(got)))...)
		last = f.lastID
		require.NoError(t, f.Close())
	}
	adding.Wait()
	assert.Equal(t, ids(testRun, 1, events), got)
}

// The command was killed and runs again, with the same capture: what the page has not
// seen of the run before comes, and then what is of this one.
func TestStreamGoesOnBehindARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "capture.jsonl")
	ring := NewRing(0)
	run := func(name string, events int) {
		require.NoError(t, capture.Tail(path, ring.Size().Max, func(run string, r record.Record) { ring.Add(FromRecord(run, r)) }))
		w, err := capture.Create(path, capture.Options{Run: name})
		require.NoError(t, err)
		for n := range events {
			r := record.Record{N: uint64(n + 1), At: time.Now(), What: messageOf(t, "session_1", fmt.Sprint("Hi ", n))}
			if n%5 == 4 {
				r.What = &record.Delivery{Of: uint64(n), Event: "message:send", Target: "http://127.0.0.1/", Outcome: record.Accepted, Status: 200, Attempt: 1, Limit: 5}
			}
			require.NoError(t, w.Write(r))
			ring.Add(FromRecord(name, r))
		}
		require.NoError(t, w.Close())
	}
	run("first", 20)
	b := begin(t, func(c *Config) { c.Ring, c.Run = ring, "first" })
	f := b.follow("")
	got := f.records(13)
	seen := f.lastID
	var before Detail
	b.get("/api/events/first-14", &before)
	b.Close()

	ring = NewRing(0)
	run("second", 10)
	b = begin(t, func(c *Config) { c.Ring, c.Run = ring, "second" })
	f = b.follow(seen)
	hello := f.next()
	assert.NotContains(t, hello.data, "restarted")
	got = append(got, f.records(17)...)
	assert.Equal(t, append(ids("first", 1, 20), ids("second", 1, 10)...), got)
	var after Detail
	b.get("/api/events/first-14", &after)
	assert.Equal(t, before, after)
	require.Len(t, after.Deliveries, 1)
	assert.Equal(t, "first-15", after.Deliveries[0].ID())

	var part struct {
		IDs       []string `json:"ids"`
		Restarted bool     `json:"restarted"`
	}
	b.get("/api/events?only=ids&after="+seen+"&q=kind:delivery", &part)
	assert.Equal(t, []string{"first-15", "first-20", "second-5", "second-10"}, part.IDs)
	assert.False(t, part.Restarted)
}

// Without a capture, the page hears that what it has seen is of another run.
func TestStreamBehindARestartWithoutACapture(t *testing.T) {
	b := begin(t)
	b.add(&record.Dropped{Count: 1})
	f := b.follow("gone0000-7")
	assert.Contains(t, f.next().data, `"restarted":true`)
	assert.Equal(t, ids(testRun, 1, 1), f.records(1))
	var part struct {
		Restarted bool `json:"restarted"`
		Records   []Summary
	}
	b.get("/api/events?after=gone0000-7", &part)
	assert.True(t, part.Restarted)
	assert.Len(t, part.Records, 1)
}

// A page that reads nothing holds up nobody, and hears afterwards what it has missed.
func TestASlowPageHoldsUpNobody(t *testing.T) {
	b := begin(t, func(c *Config) { c.Ring = NewRing(2 << 20) })
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(b.url, "http://"), "/"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // nothing is left to be sent
	_, err = fmt.Fprintf(conn, "GET /api/stream?token=%s HTTP/1.1\r\nHost: %s\r\n\r\n", testToken, conn.RemoteAddr())
	require.NoError(t, err)
	ev := messageOf(t, "session_1", strings.Repeat("x", 500))
	b.add(ev)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && lines.Text() != "event: record" {
	}
	const events = 50_000 // far more than the buffers of a connection take
	for range events - 1 {
		b.add(ev)
	}
	var last, missed, holes uint64
	for lines.Scan() && last < events {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); {
		case name == "id":
			_, n, _ := parseID(value)
			require.Equal(t, last+missed+1, n)
			last, missed = n, 0
		case name == "data" && strings.HasPrefix(value, `{"from"`):
			var gone hole
			require.NoError(t, json.Unmarshal([]byte(value), &gone))
			assert.Equal(t, idOf(testRun, last), gone.From)
			assert.Equal(t, idOf(testRun, last+gone.Count+1), gone.To)
			missed = gone.Count
			holes++
		}
	}
	assert.Equal(t, uint64(events), last)
	assert.NotZero(t, holes, "nothing was missed, so that nothing was slow")
}

// Many pages may be open, and go away.
func TestClosingEndsStreams(t *testing.T) {
	b := begin(t)
	var pages []*follow
	for range 10 {
		pages = append(pages, b.follow(""))
	}
	began := time.Now()
	b.Close()
	assert.Less(t, time.Since(began), 5*time.Second)
	for _, f := range pages {
		for f.lines.Scan() {
		}
	}
}

func TestStats(t *testing.T) {
	now := time.Now()
	b := begin(t, func(c *Config) {
		c.Waiting = func() forward.Waiting {
			return forward.Waiting{Deliveries: 3, Bytes: 1234, Oldest: now.Add(-1500 * time.Millisecond)}
		}
	})
	old := record.Record{N: 1, At: now.Add(-2 * time.Second), What: messageOf(t, "session_1", "old")}
	b.ring.Add(FromRecord(testRun, old))
	for n := range 20 {
		r := record.Record{N: uint64(n + 2), At: now, What: messageOf(t, "session_1", "new")}
		if n%2 == 1 {
			r.What = &record.Delivery{TookMS: int64(n), Outcome: record.Accepted}
		}
		b.ring.Add(FromRecord(testRun, r))
	}
	b.ring.Add(FromRecord(testRun, record.Record{N: 22, At: now, What: eventOf(t, "session:set_state", `{"session_id":"s"}`)}))
	assert.Equal(t, Stats{
		At: now.Format(milliseconds), Waiting: 3, WaitingBytes: 1234, OldestWaitMS: 1500,
		Latency: latency{P50: 9, P95: 19}, Rates: map[string]int{"message": 10, "session": 1}, Oldest: testRun + "-1",
	}, b.stats(now))
}
