package test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// garbler is a network that changes the RTM frames of messages whose text has the
// word "garble" in it. It has to see a frame in one read.
type garbler struct {
	net.Conn
	replace func(frame []byte) []byte // by as many bytes
}

func (g *garbler) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if seen := b[:n]; bytes.Contains(seen, []byte(`42["message:send"`)) && bytes.Contains(seen, []byte("garble")) {
		copy(seen, g.replace(bytes.Clone(seen)))
	}
	return n, err
}

func garbling(srv *crisptest.Server, replace func([]byte) []byte) *http.Client {
	transport := srv.HTTPClient().Transport.(*http.Transport).Clone()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &garbler{conn, replace}, err
	}
	return &http.Client{Transport: transport}
}

// TestEventsThatCannotBeRead has a message come in a form that can't be read. It is
// in a gap, and recovered before what its conversation says next.
func TestEventsThatCannotBeRead(t *testing.T) {
	for name, replace := range map[string]func([]byte) []byte{
		"no array": func(b []byte) []byte { return bytes.Replace(b, []byte(`42["mess`), []byte(`42{"mess`), 1) },
		"cut short": func(b []byte) []byte {
			b[bytes.LastIndexByte(b, ']')] = ' '
			return b
		},
		"no name": func(b []byte) []byte { return bytes.Replace(b, []byte(`"message:send"`), []byte(`              `), 1) },
		"too many parts": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`42["message:send"`), []byte(`4512-["message:s"`), 1)
		},
		"never completed": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`42["message:send"`), []byte(`451-["messages:" `), 1)
		},
		"no JSON": func(b []byte) []byte { return bytes.Replace(b, []byte(`"content":`), []byte(`"content"!`), 1) },
	} {
		for _, version := range []int{3, 4} {
			t.Run(fmt.Sprint(name, version), func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					router, got := conversations(crisp.WithErrorHandler(func(context.Context, error) {}))
					hooks, gaps, outcomes := watch()
					client := srv.Client(crisp.WithHTTPClient(garbling(srv, replace)))
					defer client.CloseIdleConnections()
					runClient(t, client, router, hooks, crisp.WithEngineIO(version), crisp.WithBackfill(crisp.Backfill{}))
					authenticated(t, srv)
					began := time.Now()
					v, other := srv.Visitor(), srv.Visitor()
					v.Say("before")
					other.Say("hello")
					synctest.Wait()
					pass(time.Second)
					came := time.Now()
					v.Say("garble")
					synctest.Wait()
					v.Say("after")
					pass(time.Minute)

					texts := of(got.List(), v.SessionID)
					if name == "never completed" && len(texts) > 0 {
						// What follows tells of the gap, so that the backfill may find it before its turn comes.
						last := &texts[len(texts)-1]
						*last = strings.TrimSuffix(*last, " (backfill)")
					}
					assert.Equal(t, []string{"before", "garble (backfill)", "after"}, texts)
					assert.Equal(t, []string{"hello"}, of(got.List(), other.SessionID))
					require.Len(t, gaps.List(), 1)
					gap := gaps.List()[0]
					assert.Equal(t, crisp.GapSkipped, gap.Reason)
					assert.False(t, gap.From.Before(began.Add(-clockStep)), "it begins no earlier than it must")
					assert.False(t, gap.From.After(came.Add(clockStep)))
					require.Len(t, outcomes.List(), 1)
					assert.True(t, outcomes.List()[0].Complete)
					assert.Equal(t, gap, outcomes.List()[0].Gap)
				})
			})
		}
	}
}

// TestWhatIsNoEventIsNoGap sends packets that make no sense, but are no events.
func TestWhatIsNoEventIsNoGap(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		hooks, gaps, _ := watch()
		var skipped atomic.Int32
		run(t, srv, router, hooks, crisp.WithHooks(crisp.Hooks{Skipped: func(error) { skipped.Add(1) }}))
		authenticated(t, srv)
		frames := []string{"", "junk", "49", "431[]", `44{"message":"no"}`, `42/admin,["message:send"`}
		sendText(frames...)(srv)
		sendBinary("stray")(srv)
		emit(srv, "session_a", 0, 1)
		pass(time.Hour)
		assert.Equal(t, numbers(0, 1), got.List())
		assert.EqualValues(t, len(frames)+1, skipped.Load())
		assert.Empty(t, gaps.List())
	})
}

// TestAFloodOfWhatCannotBeRead is told of a few times, not for each event.
func TestAFloodOfWhatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		hooks, gaps, outcomes := watch()
		rtm := run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		began := time.Now()
		for n := range 150 {
			srv.SendFrame(`42["message:send"`)
			emit(srv, "session_a", n, n+1)
			pass(time.Second)
		}
		pass(time.Hour)
		assert.Equal(t, numbers(0, 150), got.List())
		require.Len(t, gaps.List(), 4, "at once, then after each minute")
		for i, gap := range gaps.List() {
			assert.Equal(t, crisp.GapSkipped, gap.Reason)
			assert.WithinDuration(t, began.Add(time.Duration(i)*time.Minute), gap.To, 2*time.Second)
			if i > 0 {
				assert.False(t, gap.From.After(gaps.List()[i-1].To.Add(2*time.Second)))
			}
		}
		assert.Len(t, outcomes.List(), 4)

		srv.SendFrame(`42["message:send"`)
		synctest.Wait()
		assert.Len(t, gaps.List(), 5, "at once again, after a pause")
		srv.SendFrame(`42["message:send"`)
		synctest.Wait()
		require.NoError(t, rtm.Shutdown(t.Context()))
		assert.Len(t, gaps.List(), 6, "what waits is told of at the end")
	})
}

// TestUnreadableNamesAreCut has the name of an event that nobody knows in each
// error that names an event.
func TestUnreadableNamesAreCut(t *testing.T) {
	evil := strings.Repeat("\x1b[2J\n", 200_000)
	unknown := &crisp.UnknownEvent{Name: evil}
	_, syntax := crisp.Decode(evil, []byte(`{`))
	for name, err := range map[string]error{
		"SyntaxError":  syntax,
		"HandlerError": &crisp.HandlerError{Event: unknown, Err: assert.AnError},
		"DriftError":   &crisp.DriftError{Event: unknown, Problems: []crisp.FieldProblem{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, err)
			assert.Less(t, len(err.Error()), 1500)
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), "\n")
			assert.Contains(t, err.Error(), `\x1b[2J`)
			assert.Contains(t, err.Error(), "(1000000 bytes)")
		})
	}
	known := &crisp.HandlerError{Event: &crisp.MessageSend{}, Err: assert.AnError}
	assert.ErrorContains(t, known, "a handler of message:send failed")
	short := &crisp.HandlerError{Event: &crisp.UnknownEvent{Name: "some thing"}, Err: assert.AnError}
	assert.ErrorContains(t, short, `a handler of "some thing" failed`)
	assert.ErrorContains(t, &crisp.HandlerError{Event: &crisp.UnknownEvent{}, Err: assert.AnError}, `a handler of "" failed`)
}
