package inspect

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// However many events come, the ring takes no more memory than it says, and what it
// has is the newest, in order, each once.
func TestRingIsBounded(t *testing.T) {
	const events = 200_000
	before := heap()
	fill := filler{ring: NewRing(0), run: testRun}
	text := strings.Repeat("Where is my order? ", 15)
	base := messageOf(t, "session_0", text)
	for i := range events / 2 {
		ev := *base
		ev.Body = append([]byte{}, base.Body...)
		copy(ev.Body[len(ev.Body)-8:], fmt.Sprintf("%07d}", i%1_000_000)) // no two bodies are the same memory
		n := fill.add(&ev).N
		fill.add(&record.Delivery{Of: n, Event: "message:send", Target: "http://127.0.0.1:8080/hooks", Attempt: 1, Limit: 5, Outcome: record.Accepted, Status: 200, TookMS: 3})
	}
	size := fill.ring.Size()
	assert.LessOrEqual(t, size.Bytes, int64(maxBytes))
	assert.Greater(t, size.Bytes, int64(maxBytes)*9/10)
	assert.Equal(t, fmt.Sprintf("%s-%d", testRun, events), size.Latest)
	taken := int64(heap() - before)
	t.Logf("%d records, %d MiB counted, %d MiB taken", size.Records, size.Bytes>>20, taken>>20)
	assert.Less(t, taken, int64(maxBytes)*11/10)
	list, _, _ := fill.ring.Read(0, events)
	require.Len(t, list, size.Records)
	for i, e := range list {
		require.Equal(t, uint64(events-size.Records+i+1), e.N)
	}
	all, _, more := fill.ring.Find(Query{}, 0, events)
	assert.Len(t, all, size.Records)
	assert.False(t, more)
	runtime.KeepAlive(fill.ring)
}

// Many conversations and short events are what an index takes most for.
func TestRingCountsItsIndices(t *testing.T) {
	before := heap()
	fill := filler{ring: NewRing(8 << 20), run: testRun}
	base := messageOf(t, "session_0", "Hi")
	for i := range 100_000 {
		e := FromRecord(testRun, record.Record{N: uint64(i + 1), At: time.Now(), What: base})
		e.Body = append([]byte{}, base.Body...)
		e.Summary.SessionID = fmt.Sprintf("session_9b7d2c64-0e1f-4a53-8c6d-%012d", i)
		fill.ring.Add(e)
	}
	taken := int64(heap() - before)
	t.Logf("%d records, %d KiB counted, %d KiB taken", fill.ring.Size().Records, fill.ring.Size().Bytes>>10, taken>>10)
	assert.Less(t, taken, int64(8<<20)*12/10)
	runtime.KeepAlive(fill.ring)
}

// One entry is kept, however large it is.
func TestRingKeepsTheLatest(t *testing.T) {
	fill := filler{ring: NewRing(10_000), run: testRun}
	for i := range 30 {
		fill.add(messageOf(t, "session_1", strings.Repeat("x", 1000*i)))
	}
	assert.Equal(t, 1, fill.ring.Size().Records)
	e, ok := fill.ring.Get(testRun + "-30")
	require.True(t, ok)
	assert.Equal(t, "Ada: "+strings.Repeat("x", previewLength-6)+"…", e.Summary.Preview)
	_, ok = fill.ring.Get(testRun + "-29")
	assert.False(t, ok)
	assert.Len(t, fill.ring.keyed(keySession+"session_1"), 1)
}

func TestRingPlace(t *testing.T) {
	var size int64
	{
		probe := filler{ring: NewRing(0), run: "a"}
		probe.add(&record.Dropped{Count: 1})
		size = probe.ring.Size().Bytes
	}
	ring := NewRing(size*10 + size/2)
	first, second := filler{ring: ring, run: "a", n: 5}, filler{ring: ring, run: "b"} // "a" comes from the end of a capture
	for range 6 {
		first.add(&record.Dropped{Count: 1}) // a-6 to a-11, of which a-9 to a-11 stay
	}
	for range 7 {
		second.add(&record.Dropped{Count: 1})
	}
	require.Equal(t, "a-9", ring.Size().Oldest)
	for after, want := range map[string]struct {
		first  string // what is sent first
		missed uint64
		known  bool
	}{
		"a-11":  {"b-1", 0, true},
		"a-99":  {"b-1", 0, true},
		"a-9":   {"a-10", 0, true},
		"a-8":   {"a-9", 0, true},
		"a-7":   {"a-9", 1, true},
		"a-1":   {"a-9", 7, true},
		"b-1":   {"b-2", 0, true},
		"b-0":   {"b-1", 0, true},
		"b-7":   {"", 0, true},
		"b-8":   {"", 0, true},
		"c-1":   {"a-9", 0, false},
		"":      {"a-9", 0, false},
		"b":     {"a-9", 0, false},
		"b-x":   {"a-9", 0, false},
		"-1":    {"a-9", 0, false},
		"b--1":  {"a-9", 0, false},
		"b-1-1": {"a-9", 0, false},
	} {
		next, known := ring.Place(after)
		assert.Equal(t, want.known, known, after)
		list, _, oldest := ring.Read(next, 1)
		got := ""
		if len(list) > 0 {
			got = list[0].ID()
		}
		assert.Equal(t, want.first, got, after)
		assert.Equal(t, want.missed, max(oldest, next)-next, after)
	}
	for range 20 {
		second.add(&record.Dropped{Count: 1})
	}
	next, known := ring.Place("a-8") // nothing is left of the run
	_, _, oldest := ring.Read(next, 1)
	assert.True(t, known)
	assert.Equal(t, uint64(3+17), oldest-next)
}

// Whoever waits hears of what is added, and nobody who reads is in the way.
func TestRingIsReadWhileItIsAddedTo(t *testing.T) {
	fill := filler{ring: NewRing(200_000), run: testRun}
	const events = 5000
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			place, last := uint64(0), uint64(0)
			for last < events {
				list, next, _ := fill.ring.Read(place, 7)
				for _, e := range list {
					assert.Greater(t, e.N, last)
					last = e.N
				}
				if place = next; len(list) == 0 {
					<-fill.ring.Changed(place)
				}
			}
		})
	}
	ev := messageOf(t, "session_1", "Hi")
	for range events {
		fill.add(ev)
	}
	readers.Wait()
}
