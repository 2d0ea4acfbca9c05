package inspect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// various fills a ring with entries of all sorts.
func various(t testing.TB) *Ring {
	fill := filler{ring: NewRing(0), run: "r"}
	fill.add(&record.Connected{Endpoint: "client.example", Attempt: 1})                                                                             // 1
	fill.add(messageOf(t, "session_a", "Where is my ORDER?"))                                                                                       // 2
	fill.add(&record.Delivery{Of: 2, Event: "message:send", Target: "http://127.0.0.1/", Outcome: "accepted"})                                      // 3
	fill.add(&record.Delivery{Of: 2, Event: "message:send", Target: "http://127.0.0.1/", Outcome: "refused"})                                       // 4
	fill.add(&record.Delivery{Of: 2, Event: "message:send", Target: "http://127.0.0.1/", Outcome: "given_up"})                                      // 5
	fill.add(&record.Lost{Reason: "reset by peer"})                                                                                                 // 6
	fill.add(&record.Gap{Reason: "reconnected"})                                                                                                    // 7
	fill.add(&record.Dropped{Count: 2, Reason: "full"})                                                                                             // 8
	fill.add(eventOf(t, "session:set_state", `{"website_id":"w-2","session_id":"session_b","state":"closed"}`))                                     // 9
	fill.add(messageOf(t, "session_b", "Zoë writes “ÉTÉ”\n\tand\\or https://nova.example/a \"quoted\""))                                            // 10
	fill.add(eventOf(t, "message:send", `{"website_id":"w-1","session_id":"session_c","content":7,"type":"text","from":"user","fingerprint":"x"}`)) // 11
	ev := messageOf(t, "session_a", "sent again")                                                                                                   // 12
	ev.Event.EventMeta().Source = sourceInspector
	fill.add(ev)
	escaped := record.Body("w-1", "message:send", []byte(`{"session_id":"session_d","type":"text","from":"user","content":"\u0045scaped\/slash \ud83d\ude00 \u00c9t\u00e9"}`), time.UnixMilli(1))
	parsed, err := record.Parse(escaped)
	require.NoError(t, err)
	fill.add(parsed) // 13
	return fill.ring
}

func TestQuery(t *testing.T) {
	ring := various(t)
	for text, want := range map[string][]int{
		"":                                {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
		"  \t":                            {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
		"event:message:send":              {2, 3, 4, 5, 10, 11, 12, 13},
		"event:message:send kind:event":   {2, 10, 11, 12, 13},
		"event:*:set_*":                   {9},
		"event:message:[rs]end kind:gap":  nil,
		"-event:message:send":             {1, 6, 7, 8, 9},
		"website:w-1 -event:message:send": {9},
		"website:w-2":                     nil,
		"session:session_a":               {2, 12},
		"session:session_a -again":        {2},
		"kind:delivery":                   {3, 4, 5},
		"source:inspector":                {12},
		"is:failed":                       {4, 5, 6, 8},
		"is:failed -kind:delivery":        {6, 8},
		"is:gap":                          {7, 8},
		"is:problem":                      {11},
		"order":                           {2},
		"ORDER":                           {2},
		`"my order"`:                      {2},
		`"MY ORDER?"`:                     {2},
		`my order?`:                       {2},
		`-"my order" is:problem`:          {11},
		"zoë":                             {10},
		"ZOË":                             {10},
		"été":                             {10, 13},
		"https://nova":                    {10},
		`and\or`:                          {10},
		"escaped/slash":                   {13},
		"😀":                               {13},
		"reset":                           {6},
		"nowhere:x":                       nil,
		"session:nobody":                  nil,
		`event:"message:send" kind:event`: {2, 10, 11, 12, 13},
	} {
		q, err := ParseQuery(text)
		require.NoError(t, err, text)
		list, _, more := ring.Find(q, 0, 100)
		var got []int
		for _, e := range list {
			got = append(got, int(e.N))
		}
		assert.Equal(t, want, got, text)
		assert.False(t, more, text)
	}
	for text, want := range map[string]string{
		`kind:nothing`:        `the filter, at character 1: kind: is "nothing"; it must be one of event, delivery, connected, lost, retrying, gap, recovered, dropped, message, request, connection, bind`,
		`été is:ill`:          `the filter, at character 5: is: is "ill"; it must be one of failed, problem, gap`,
		`a "b`:                `the filter, at character 3: a quotation mark has no other`,
		`a  -"`:               `the filter, at character 4: a quotation mark has no other`,
		`""`:                  `the filter, at character 1: there is nothing between the quotation marks`,
		`event:`:              `the filter, at character 1: event: has no value`,
		`-session: x`:         `the filter, at character 1: session: has no value`,
		`event:[a`:            `the filter, at character 1: event: "[a" is no pattern`,
		`event:message:send[`: `the filter, at character 1: event: "message:send[" is no pattern`,
	} {
		_, err := ParseQuery(text)
		assert.EqualError(t, err, want, text)
	}
}

// A limit is the end of an answer, and the next goes on where it was.
func TestFindInParts(t *testing.T) {
	ring := various(t)
	q, err := ParseQuery("kind:event")
	require.NoError(t, err)
	var got []uint64
	place, more := uint64(0), true
	for rounds := 0; more; rounds++ {
		require.Less(t, rounds, 10)
		var list []*Entry
		list, place, more = ring.Find(q, place, 2)
		for _, e := range list {
			got = append(got, e.N)
		}
	}
	assert.Equal(t, []uint64{2, 9, 10, 11, 12, 13}, got)
	assert.Equal(t, ring.end(), place)
}

// Whatever somebody types, the answer is a query or an error that says where; and a
// query that is found by an index is that of a search through all.
func FuzzParseQuery(f *testing.F) {
	for _, text := range []string{
		`event:message:* -session:session_a "a phrase" is:failed`, `kind:event é`, `-"`, `event:[`, `website:"w-1"`, "\x00-:", `--x`, `is:`, `event:\`,
	} {
		f.Add(text)
	}
	ring := various(f)
	all, _, _ := ring.Find(Query{}, 0, 100)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuery(text)
		if err != nil {
			var wrong *QueryError
			require.ErrorAs(t, err, &wrong)
			assert.GreaterOrEqual(t, wrong.At, 1)
			assert.LessOrEqual(t, wrong.At, utf8.RuneCountInString(text))
			return
		}
		var want []*Entry
		for _, e := range all {
			if q.Match(e) {
				want = append(want, e)
			}
		}
		got, _, _ := ring.Find(q, 0, 100)
		assert.Equal(t, want, got)
	})
}

// What is found in bytes is what is found in lower case.
func FuzzNeedle(f *testing.F) {
	f.Add("order", "Where is my ORDER?")
	f.Add("aab", "aaab")
	f.Add("{", "{}")
	f.Fuzz(func(t *testing.T, needle, text string) {
		if needle == "" || !isASCII([]byte(needle)) || !isASCII([]byte(text)) {
			return
		}
		n := newNeedle(needle)
		assert.Equal(t, strings.Contains(strings.ToLower(text), strings.ToLower(needle)), n.inBytes([]byte(text)))
	})
}

func FuzzUnescaped(f *testing.F) {
	f.Add(`a\n\u00e9\ud83d\ude00\/\"`)
	f.Add(`\ud83dx`)
	f.Add(`\ud800\u0000`) // half of a pair, and not the other
	f.Add(`\u12`)
	f.Fuzz(func(t *testing.T, text string) {
		got := unescaped([]byte(text))
		var want string
		if utf8.ValidString(text) && json.Unmarshal([]byte(`"`+text+`"`), &want) == nil {
			blank := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ", "\f", " ", "\b", " ")
			assert.Equal(t, blank.Replace(want), blank.Replace(got), text)
		}
	})
}

// sampled fills a ring with the samples of all events.
func sampled(b *testing.B, count int) *Ring {
	var bodies []*record.Event
	for _, info := range crisp.Events() {
		bodies = append(bodies, record.FromRTM(crisptest.Sample(info.Name)))
	}
	fill := filler{ring: NewRing(1 << 40), run: testRun}
	for i := range count {
		ev := *bodies[i%len(bodies)]
		ev.Body = append([]byte{}, ev.Body...)
		fill.add(&ev)
	}
	b.ReportMetric(float64(fill.ring.Size().Bytes>>20), "MiB")
	return fill.ring
}

// What is asked while somebody types has to be there at once: within 100 ms at 10,000
// events.
func BenchmarkFilter(b *testing.B) {
	for _, count := range []int{10_000, 60_000} {
		for name, text := range map[string]string{
			"text": "warehouse", "no text": "nothing-has-this", "common": "e", "phrase": `"is my order"`, "not ascii": "é",
			"event": "event:message:send", "session": "session:session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97 kind:event", "glob": "event:message:*",
		} {
			b.Run(fmt.Sprintf("%d %s", count, name), func(b *testing.B) {
				ring := sampled(b, count)
				q, err := ParseQuery(text)
				require.NoError(b, err)
				for b.Loop() {
					ring.Find(q, 0, 100_000)
				}
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
			})
		}
	}
}
