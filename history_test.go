package crisp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// epoch is when the times of an archive begin, in ms: small numbers would be taken
// for seconds.
const epoch int64 = 1721383384000

// archive answers the messages route. The messages' fingerprints are 1, 2, 3…
type archive struct {
	at        []int64 // ms after epoch, ascending
	perPage   int
	inclusive bool // whether before and after include the time itself
	queries   []string
}

func (a *archive) serve(r *http.Request) (*http.Response, error) {
	a.queries = append(a.queries, r.URL.RawQuery)
	from, to := len(a.at)-a.perPage, len(a.at)
	key, value, _ := strings.Cut(r.URL.RawQuery, "=")
	bound, _ := strconv.ParseInt(value, 10, 64)
	bound -= epoch
	reached := func(at int64) bool { return at >= bound }
	beyond := func(at int64) bool { return at > bound }
	switch {
	case key == "timestamp_before" && a.inclusive:
		to = firstOf(a.at, beyond)
		from = to - a.perPage
	case key == "timestamp_before":
		to = firstOf(a.at, reached)
		from = to - a.perPage
	case key == "timestamp_after" && a.inclusive:
		from = firstOf(a.at, reached)
		to = from + a.perPage
	case key == "timestamp_after":
		from = firstOf(a.at, beyond)
		to = from + a.perPage
	}
	var page []string
	for i := max(from, 0); i < min(to, len(a.at)); i++ {
		page = append(page, fmt.Sprintf(`{"type":"text","from":%q,"content":"%d","fingerprint":%d,"timestamp":%d}`,
			[]string{"user", "operator"}[i%2], i+1, i+1, epoch+a.at[i]))
	}
	return httpmock.NewStringResponse(200, `{"data":[`+strings.Join(page, ",")+`]}`), nil
}

func firstOf(list []int64, of func(int64) bool) int {
	if i := slices.IndexFunc(list, of); i >= 0 {
		return i
	}
	return len(list)
}

func TestMessagesAreAllThereOnce(t *testing.T) {
	spread := make([]int64, 50)
	for i := range spread {
		spread[i] = int64(i) * 1000
	}
	crowded := []int64{1000, 1000, 1000, 2000, 2000, 2001, 2001, 2002, 2002, 3000, 3000, 3000}
	for name, times := range map[string][]int64{"none": {}, "one": {5000}, "a page": spread[:5], "many": spread, "at the same time": crowded} {
		for _, inclusive := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " inclusive=", inclusive), func(t *testing.T) {
				a := &archive{at: times, perPage: 5, inclusive: inclusive}
				client, mock := mockedClient(t)
				mock.RegisterNoResponder(a.serve)

				var backwards, forwards []int64
				for m, err := range client.Messages(t.Context(), testRef) {
					require.NoError(t, err)
					backwards = append(backwards, m.Fingerprint)
				}
				for m, err := range client.MessagesSince(t.Context(), testRef, time.Time{}) {
					require.NoError(t, err)
					forwards = append(forwards, m.Fingerprint)
				}
				slices.Reverse(backwards)
				var want []int64
				for i := range times {
					want = append(want, int64(i+1))
				}
				assert.Equal(t, want, slices.Sorted(slices.Values(backwards)))
				assert.Equal(t, want, forwards)
				assert.True(t, slices.IsSortedFunc(backwards, func(a, b int64) int { return int(times[a-1] - times[b-1]) }))
			})
		}
	}
}

// So many messages may be of one millisecond that they fill a page: those behind
// it must not be lost.
func TestMessagesBehindAPageOfOneTime(t *testing.T) {
	a := &archive{at: []int64{1000, 2000, 2000, 2000, 2000, 2000, 3000}, perPage: 5}
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(a.serve)
	for direction, messages := range map[string]iter.Seq2[*crisp.ConversationMessage, error]{
		"backwards": client.Messages(t.Context(), testRef),
		"forwards":  client.MessagesSince(t.Context(), testRef, time.Time{}),
	} {
		var got []int64
		for m, err := range messages {
			require.NoError(t, err)
			got = append(got, m.Fingerprint)
		}
		assert.ElementsMatch(t, []int64{1, 2, 3, 4, 5, 6, 7}, got, direction)
	}
}

func TestMessagesSinceATimeIncludeIt(t *testing.T) {
	for _, inclusive := range []bool{false, true} {
		a := &archive{at: []int64{999, 1000, 1001}, perPage: 5, inclusive: inclusive}
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(a.serve)
		var got []int64
		for m, err := range client.MessagesSince(t.Context(), testRef, time.UnixMilli(epoch+1000)) {
			require.NoError(t, err)
			got = append(got, m.Fingerprint)
		}
		assert.Contains(t, got, int64(2))
		assert.Contains(t, got, int64(3))
	}
}

func TestMessagesAreFetchedAsNeeded(t *testing.T) {
	a := &archive{at: []int64{1000, 2000, 3000, 4000, 5000, 6000}, perPage: 2}
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(a.serve)
	messages := client.Messages(t.Context(), testRef)
	for m, err := range messages {
		require.NoError(t, err)
		if m.Fingerprint == 4 {
			break
		}
	}
	before := fmt.Sprint("timestamp_before=", epoch+5001)
	assert.Equal(t, []string{"", before}, a.queries)
	for _, err := range messages { // a second loop begins anew
		require.NoError(t, err)
		break
	}
	assert.Equal(t, []string{"", before, ""}, a.queries)
}

func TestMessagesEndWithTheFirstError(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(404, `{"error":true,"reason":"session_not_found"}`))
	require.ErrorContains(t, exhaust(client.Messages(t.Context(), testRef)), "session_not_found")
}

func TestConversationMessagesAreEvents(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":[
		{"type":"text","from":"operator","origin":"chat","content":"Hello","fingerprint":2,"timestamp":1721383384123,"nickname":1},
		{"type":"file","from":"user","content":{"name":"a","url":"https://example.com/a","type":"a/b"},"fingerprint":1,"timestamp":1721383384000,
			"website_id":"site-2","automated":"yes"}]}`))
	page, err := client.MessagesAround(t.Context(), testRef, testAt)
	require.NoError(t, err)
	require.Len(t, page, 2)

	sent, received := page[0], page[1]
	assert.Equal(t, &crisp.FileContent{Name: "a", URL: "https://example.com/a", Type: "a/b"}, sent.Content)
	assert.Equal(t, []crisp.FieldProblem{{Path: "automated", Wanted: "boolean", Got: "string"}}, sent.Problems)
	assert.IsType(t, &crisp.MessageSend{}, sent.Event())
	assert.Equal(t, crisp.SessionRef{WebsiteID: "site-2", SessionID: "session_1"}, sent.Event().Session())

	assert.Equal(t, crisp.TextContent("Hello"), received.Content)
	assert.Equal(t, testAt.UTC(), received.Time)
	ev, ok := received.Event().(*crisp.MessageReceived)
	require.True(t, ok)
	assert.Equal(t, testRef, ev.Session())
	assert.Equal(t, int64(2), ev.Fingerprint)

	wire, err := json.Marshal(received)
	require.NoError(t, err)
	assert.JSONEq(t, `{"website_id":"site-1","session_id":"session_1","type":"text","from":"operator","origin":"chat",
		"content":"Hello","fingerprint":2,"timestamp":1721383384123}`, string(wire))
	var again crisp.ConversationMessage
	require.NoError(t, json.Unmarshal(wire, &again))
	assert.Equal(t, received.Content, again.Content)
}

func TestMessagesWithoutUsableTimesEndTheWalk(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"data":[{"from":"user","fingerprint":"x","timestamp":"now"}]}`))
	for _, messages := range []func(func(*crisp.ConversationMessage, error) bool){
		client.Messages(t.Context(), testRef), client.MessagesSince(t.Context(), testRef, testAt),
	} {
		n := 0
		for m, err := range messages {
			require.NoError(t, err)
			assert.Len(t, m.Problems, 2)
			n++
		}
		assert.Equal(t, 1, n)
	}
}

// fingerprintsOf are those of a conversation's messages, walked both ways. A walk
// without end fails the test.
func fingerprintsOf(t *testing.T, respond httpmock.Responder) (backwards, forwards []int64) {
	t.Helper()
	client, mock := mockedClient(t)
	requests := 0
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		if requests++; requests > 50 {
			return nil, errors.New("the walk does not end")
		}
		return respond(r)
	})
	for m, err := range client.Messages(t.Context(), testRef) {
		require.NoError(t, err)
		backwards = append(backwards, m.Fingerprint)
	}
	requests = 0
	for m, err := range client.MessagesSince(t.Context(), testRef, time.Time{}) {
		require.NoError(t, err)
		forwards = append(forwards, m.Fingerprint)
	}
	return backwards, forwards
}

// A server that answers every question with the same messages has no others.
func TestMessagesOfAServerThatIgnoresTheBound(t *testing.T) {
	backwards, forwards := fingerprintsOf(t, answer(200, `{"data":[
		{"type":"text","from":"user","content":"x","fingerprint":1,"timestamp":1721383384000},
		{"type":"text","from":"user","content":"x","fingerprint":2,"timestamp":1721383385000},
		{"type":"text","from":"user","content":"x","fingerprint":3,"timestamp":1721383386000}]}`))
	assert.Equal(t, []int64{3, 2, 1}, backwards)
	assert.Equal(t, []int64{1, 2, 3}, forwards)
}

// Without fingerprints, messages are known again by their time.
func TestMessagesWithoutFingerprintsEndTheWalk(t *testing.T) {
	backwards, forwards := fingerprintsOf(t, answer(200, `{"data":[
		{"type":"text","from":"user","content":"x","timestamp":1721383384000},
		{"type":"text","from":"user","content":"x","timestamp":1721383384001}]}`))
	assert.Len(t, backwards, 2)
	assert.Len(t, forwards, 2)
}

// As pages overlap by a millisecond, messages of two may fill one that has nothing
// new.
func TestMessagesBehindAPageOfTwoTimes(t *testing.T) {
	a := &archive{at: []int64{1, 2, 3, 4, 1000, 1000, 1001, 1001, 1001, 1001, 5000, 6000, 7000}, perPage: 5, inclusive: true}
	want := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
	backwards, forwards := fingerprintsOf(t, a.serve)
	assert.ElementsMatch(t, want, backwards)
	assert.Equal(t, want, forwards)
}
