//go:build !race

package test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// What events may allocate, on all ways that they take through the library.
// These limits are what docs/performance.md promises; unlike times, they hold
// on any machine. The race detector allocates, too, so they hold without it.

// cost is what an event allocates.
type cost struct {
	allocs float64
	bytes  float64
}

// few is for what a stream costs beside its events: to begin and to end it, and
// buffers that grow when handlers lag behind, which depends on how busy the machine
// is. One allocation more for each event is twice as much.
const few = 0.5

// assertCost asserts the least of a few rounds: what an event allocates is in all
// of them, what else the process does for a moment is not.
func assertCost(t *testing.T, limit cost, measure func() cost) {
	t.Helper()
	const rounds = 3
	least := cost{math.Inf(1), math.Inf(1)}
	for range rounds {
		got := uncollected(measure)
		least = cost{min(least.allocs, got.allocs), min(least.bytes, got.bytes)}
	}
	assert.LessOrEqual(t, least.allocs, limit.allocs+few, "allocations per event")
	assert.LessOrEqual(t, least.bytes, limit.bytes, "bytes allocated per event")
}

// uncollected measures while the garbage collector rests. Each time that it runs
// it empties all pools, which are then filled again; how often it runs depends on
// the machine and its load.
func uncollected(measure func() cost) cost {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return measure()
}

// costOf is the mean of many runs, the first not counted.
func costOf(f func()) cost {
	const runs = 1000
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return costBetween(&before, &after, runs)
}

func costBetween(before, after *runtime.MemStats, events int) cost {
	return cost{
		allocs: float64(after.Mallocs-before.Mallocs) / float64(events),
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / float64(events),
	}
}

// times is a limit relative to the size of the payload.
func times(factor float64, payload string) float64 { return factor * float64(len(payload)) }

// Decode has to copy the payload, make the event, and box its content; slices
// and values with escapes come on top.
func TestDecodeAllocs(t *testing.T) {
	received, state := sampleOf("message:received"), sampleOf("session:set_state")
	pages, profile := sampleOf("session:sync:pages"), sampleOf("people:profile:updated")
	for _, c := range []struct {
		name, payload string
		limit         cost
	}{
		{"message:send", messageSend, cost{3, times(2, messageSend)}},
		{"message:received", received, cost{14, times(2.5, received)}},
		{"session:set_state", state, cost{3, times(2.5, state)}},
		{"session:sync:pages", pages, cost{5, times(2.5, pages)}},
		{"people:profile:updated", profile, cost{9, times(2.5, profile)}},
		{"session:unheard_of", messageSend, cost{2, times(2, messageSend)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := []byte(c.payload)
			assertCost(t, c.limit, func() cost {
				return costOf(func() {
					_, err := crisp.Decode(c.name, data)
					require.NoError(t, err)
				})
			})
		})
	}
}

// From the socket to the handler: no more than Decode.
func TestRTMAllocs(t *testing.T) {
	long := strings.Replace(messageSend, "Hello!", strings.Repeat("Hello! ", 5000), 1)
	limit := cost{3, times(2, messageSend)}
	for name, c := range map[string]struct {
		payload  string
		register func(r *crisp.Router, each func())
		sessions int // at a time
		limit    cost
	}{
		"one session at a time": {messageSend, onMessage, 1, limit},
		"16 sessions at a time": {messageSend, onMessage, 16, limit},
		"many handlers":         {messageSend, onEverything, 1, limit},
		"long":                  {long, onMessage, 1, cost{3, times(1.25, long)}},
		"no handler":            {messageSend, onNothing, 1, cost{0, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			assertCost(t, c.limit, func() cost { return costOfStream(t, c.payload, c.register, c.sessions) })
		})
	}
}

func onMessage(r *crisp.Router, each func()) {
	crisp.On(r, func(context.Context, *crisp.MessageSend) error {
		each()
		return nil
	})
}

func onEverything(r *crisp.Router, each func()) {
	onMessage(r, each)
	for _, info := range crisp.Events() {
		if slices.Contains(info.Tiers, crisp.TierUser) {
			r.OnName(info.Name, func(context.Context, crisp.Event) error { return nil })
		}
	}
}

func onNothing(*crisp.Router, func()) {}

// costOfStream is what an RTM client allocates per event of a stream.
func costOfStream(t *testing.T, payload string, register func(r *crisp.Router, each func()), sessions int) cost {
	t.Helper()
	const volume, least = 20 << 20, 2000 // bytes, events
	events := max(least, volume/len(payload))
	srv := startStream(t, payload, events)
	var before, after runtime.MemStats
	var handled atomic.Int64
	var rtm *crisp.RTM
	router := crisp.NewRouter()
	register(router, func() { handled.Add(1) })
	crisp.On(router, func(ctx context.Context, ev *crisp.SessionSetState) error {
		if ev.State == crisp.SessionStatePending { // the first event of the stream
			runtime.ReadMemStats(&before)
			close(srv.begin)
			return nil
		}
		go func() { _ = rtm.Shutdown(ctx) }() // waits for the handlers of all others
		return nil
	})
	names := append(router.EventNames(), "message:send")
	slices.Sort(names)
	client, err := crisp.New(crisp.UserToken("identifier", "key"), crisp.WithBaseURL(srv.URL))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	rtm, err = client.NewRTM(router, crisp.WithConcurrency(sessions),
		crisp.WithFilter(crisp.Filter{Events: slices.Compact(names)}),
		crisp.WithQueue(256<<10, crisp.OverflowBlock)) // short, so that it doesn't grow while handlers lag behind
	require.NoError(t, err)
	require.ErrorIs(t, rtm.Run(t.Context()), crisp.ErrClosed)
	runtime.ReadMemStats(&after)
	if n := handled.Load(); n != 0 {
		require.EqualValues(t, events, n)
	}
	return costBetween(&before, &after, events)
}

// streamServer is a Crisp that sends a stream of events and allocates next to
// nothing for it.
type streamServer struct {
	*httptest.Server
	frames [][]byte // of messages in different sessions
	events int
	begin  chan struct{} // to be closed when the stream shall begin
}

// startStream serves so many messages with that payload, between two
// session:set_state: pending at first, resolved in the end.
func startStream(t *testing.T, payload string, events int) *streamServer {
	t.Helper()
	const sessions = 64
	s := &streamServer{events: events, begin: make(chan struct{})}
	for i := range sessions {
		own := strings.ReplaceAll(payload, "b97", fmt.Sprintf("%03x", i)) // the end of the session's identifier
		s.frames = append(s.frames, textFrame(`42["message:send",`+own+`]`))
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *streamServer) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/connect/endpoints") {
		_, _ = fmt.Fprintf(w, `{"error":false,"reason":"resolved","data":{"socket":{"app":"ws://%s/rtm/"}}}`, r.Host)
		return
	}
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid))
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:]))
	s.stream(conn)
	_, _ = io.Copy(io.Discard, buffered) // until the client hangs up
}

// stream writes all frames. What the client says is not waited for.
func (s *streamServer) stream(conn net.Conn) {
	state := func(state string) []byte {
		return textFrame(`42["session:set_state",{"session_id":"session_a","state":"` + state + `"}]`)
	}
	_, _ = conn.Write(slices.Concat(
		textFrame(`0{"sid":"engine","pingInterval":25000,"pingTimeout":20000}`),
		textFrame(`40{"sid":"session"}`),
		textFrame(`42["authenticated",true]`),
		state("pending")))
	all := bytes.Join(s.frames, nil)
	<-s.begin
	for range s.events / len(s.frames) {
		_, _ = conn.Write(all)
	}
	for _, frame := range s.frames[:s.events%len(s.frames)] {
		_, _ = conn.Write(frame)
	}
	_, _ = conn.Write(state("resolved"))
}

// textFrame is a WebSocket text frame as a server sends it, of less than 64 KiB.
func textFrame(text string) []byte {
	if len(text) < 126 {
		return append([]byte{0x81, byte(len(text))}, text...)
	}
	frame := binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(text)))
	return append(frame, text...)
}

// A web hook allocates less than a handler that does nothing but read the body
// and check its HMAC.
func TestWebhookAllocs(t *testing.T) {
	body := testkit.HookBody(strings.Repeat("lorem ipsum ", 30))
	reader := new(bytes.Reader)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Body, r.Header, r.ContentLength = io.NopCloser(reader), crisp.Sign(hookSecret, time.Now(), body), int64(len(body))
	w := &discard{header: make(http.Header)}
	costOfPost := func(h http.Handler) cost {
		return costOf(func() {
			reader.Reset(body)
			w.status = http.StatusOK
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.status)
		})
	}
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(hookSecret), crisp.WithDedupe(nil))
	require.NoError(t, err)
	floor := uncollected(func() cost { return costOfPost(http.HandlerFunc(bareHook)) })
	assertCost(t, floor, func() cost { return costOfPost(hook) })
	assertCost(t, cost{8, times(2.5, string(body))}, func() cost { return costOfPost(hook) })
}

// To know a delivery again costs next to nothing beside the rest of a web hook, with
// the store that it has by default.
func TestWebhookDedupeAllocs(t *testing.T) {
	ones, others := testkit.HookBody("one"), testkit.HookBody("two")
	reader := new(bytes.Reader)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Body = io.NopCloser(reader)
	headers := []http.Header{crisp.Sign(hookSecret, time.Now(), ones), crisp.Sign(hookSecret, time.Now(), others)}
	w := &discard{header: make(http.Header)}
	handled, posted := 0, 0
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { handled++; return nil })
	forgetful := crisp.NewMemoryDedupe(1, 0) // each delivery makes it forget the one before
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(hookSecret), crisp.WithDedupe(forgetful))
	require.NoError(t, err)
	assertCost(t, cost{9, times(5, string(ones))}, func() cost {
		return costOf(func() {
			body, header := ones, headers[0]
			if posted%2 == 1 {
				body, header = others, headers[1]
			}
			reader.Reset(body)
			r.Header, r.ContentLength = header, int64(len(body))
			hook.ServeHTTP(w, r)
			posted++
		})
	})
	require.Equal(t, posted, handled)
}

// Dispatching to handlers that succeed is free.
func TestDispatchAllocs(t *testing.T) {
	router := crisp.NewRouter()
	onMessage(router, func() {})
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	router.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error { return next(ctx, ev) }
	})
	ev, err := crisp.Decode("message:send", []byte(messageSend))
	require.NoError(t, err)
	ctx := t.Context()
	assertCost(t, cost{0, 10}, func() cost {
		return costOf(func() { _ = router.Dispatch(ctx, ev) })
	})
}
