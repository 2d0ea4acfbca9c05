package test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// heard is a message that reached its handler.
type heard struct {
	session string
	text    string
	source  crisp.Source
}

// conversations makes a router that collects all messages, and the state
// changes between them, as texts.
func conversations(opts ...crisp.RouterOption) (*crisp.Router, *testkit.Log[heard]) {
	got := new(testkit.Log[heard])
	return conversationsInto(got, opts...), got
}

func conversationsInto(got *testkit.Log[heard], opts ...crisp.RouterOption) *crisp.Router {
	router := crisp.NewRouter(opts...)
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		text, _ := ev.Content.(crisp.TextContent)
		got.Add(heard{ev.SessionID, string(text), ev.Source})
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.MessageReceived) error {
		text, _ := ev.Content.(crisp.TextContent)
		got.Add(heard{ev.SessionID, string(text), ev.Source})
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetState) error {
		got.Add(heard{ev.SessionID, string(ev.State), ev.Source})
		return nil
	})
	return router
}

// of gives what was heard of a session, as "text" or, if it was recovered,
// "text (backfill)".
func of(all []heard, session string) []string {
	var texts []string
	for _, h := range all {
		if h.session != session {
			continue
		}
		if h.source == crisp.SourceBackfill {
			h.text += " (backfill)"
		}
		texts = append(texts, h.text)
	}
	return texts
}

// intercepted is an HTTP client whose requests a test sees first: it may delay
// them, or answer them itself.
type intercepted struct {
	http.RoundTripper
	see func(req *http.Request) *http.Response
}

func (i *intercepted) RoundTrip(req *http.Request) (*http.Response, error) {
	if resp := i.see(req); resp != nil {
		resp.Request = req
		return resp, nil
	}
	return i.RoundTripper.RoundTrip(req)
}

func reply(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// runVia is run with a look at the requests.
func runVia(t *testing.T, srv *crisptest.Server, see func(*http.Request) *http.Response, router *crisp.Router, opts ...crisp.RTMOption) *running {
	t.Helper()
	client := &http.Client{Transport: &intercepted{RoundTripper: srv.HTTPClient().Transport, see: see}}
	return runClient(t, srv.Client(crisp.WithHTTPClient(client)), router, opts...)
}

// isList and isMessages tell the requests of a backfill apart.
func isList(req *http.Request) bool     { return strings.Contains(req.URL.Path, "/conversations/") }
func isMessages(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/messages") }

// slowly delays the requests that match, until the test lets them go or their
// context ends.
func slowly(delay time.Duration, match func(*http.Request) bool) func(*http.Request) *http.Response {
	return func(req *http.Request) *http.Response {
		if match(req) {
			select {
			case <-time.After(delay):
			case <-req.Context().Done():
			}
		}
		return nil
	}
}

// outage lets things happen while RTM is down.
func outage(t *testing.T, srv *crisptest.Server, happens func()) {
	t.Helper()
	synctest.Wait() // until what was said before has arrived
	srv.TakeDown()
	synctest.Wait()
	happens()
	srv.BringUp()
	authenticated(t, srv)
}

// visitors are n of them.
func visitors(srv *crisptest.Server, n int) []*crisptest.Visitor {
	all := make([]*crisptest.Visitor, n)
	for i := range all {
		all[i] = srv.Visitor()
	}
	return all
}

// say lets a visitor say numbers.
func say(v *crisptest.Visitor, from, to int) {
	for n := from; n < to; n++ {
		v.Say(fmt.Sprint(n))
	}
}

func filled(numbers ...string) []string {
	for i := range numbers {
		numbers[i] += " (backfill)"
	}
	return numbers
}

func join(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// watch gives hooks that collect the gaps and what became of them.
func watch() (crisp.RTMOption, *testkit.Log[crisp.Gap], *testkit.Log[crisp.Backfilled]) {
	gaps, outcomes := new(testkit.Log[crisp.Gap]), new(testkit.Log[crisp.Backfilled])
	return crisp.WithHooks(crisp.Hooks{Gap: gaps.Add, Backfilled: outcomes.Add}), gaps, outcomes
}

func TestBackfillRecoversMessages(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, gaps, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)

				const sessions = 70 // more than a page
				all := visitors(srv, sessions)
				operator := srv.Operator("anna")
				for _, v := range all {
					say(v, 0, 2)
				}
				outage(t, srv, func() {
					for _, v := range all {
						say(v, 2, 4)
						operator.Say(v, "answer")
						pass(time.Second)
					}
				})
				for _, v := range all {
					say(v, 4, 6)
				}
				synctest.Wait()

				for _, v := range all {
					want := join(numbers(0, 2), filled("2", "3", "answer"), numbers(4, 6))
					// The answer makes an unresolved conversation of a pending one,
					// an event that Crisp does not keep.
					assert.Equal(t, want, of(got.List(), v.SessionID))
				}
				require.Len(t, gaps.List(), 1)
				require.Len(t, outcomes.List(), 1)
				outcome := outcomes.List()[0]
				assert.NoError(t, outcome.Err)
				assert.True(t, outcome.Complete)
				assert.Equal(t, gaps.List()[0], outcome.Gap)
				assert.Equal(t, 3*sessions, outcome.Messages)
				assert.Equal(t, sessions, outcome.Conversations)
				assert.LessOrEqual(t, outcome.Requests, 2*sessions+8)
			})
		})
	}
}

func TestBackfillCompletesTheEvent(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var got testkit.Log[*crisp.MessageSend]
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error { got.Add(ev); return nil })
		run(t, srv, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		var sent crisptest.Message
		outage(t, srv, func() { sent = v.Say("hello") })
		require.Len(t, got.List(), 1)
		ev := got.List()[0]
		assert.Equal(t, crisp.SourceBackfill, ev.Source)
		assert.Equal(t, crisp.SessionRef{WebsiteID: v.WebsiteID, SessionID: v.SessionID}, ev.Session())
		assert.Equal(t, v.WebsiteID, ev.Meta.WebsiteID)
		assert.Equal(t, sent.Fingerprint, ev.Fingerprint)
		assert.Equal(t, sent.Timestamp, ev.Time.UnixMilli())
		assert.Empty(t, ev.Problems)
		assert.NotEmpty(t, ev.Raw)
	})
}

// That a gap is filled means that its messages were handled: until then the
// stored position must stay before it.
func TestBackfilledIsToldWhenAllIsHandled(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				release := make(chan struct{})
				router := crisp.NewRouter()
				crisp.On(router, func(context.Context, *crisp.MessageSend) error { <-release; return nil })
				hooks, gaps, outcomes := watch()
				store := new(memoryPosition)
				run(t, srv, router, hooks, crisp.WithPosition(store), crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				outage(t, srv, func() { v.Say("0") })
				pass(time.Minute)
				assert.Empty(t, outcomes.List())
				require.Len(t, gaps.List(), 1)
				assert.False(t, store.last().After(gaps.List()[0].From))
				close(release)
				pass(time.Minute)
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
				assert.True(t, store.last().After(gaps.List()[0].To))
			})
		})
	}
}

func TestBackfillReadsManyPagesOfMessages(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() {
			say(v, 0, 19)
			// Three at the same time, of which the page of 20 has one.
			at := time.Now().Add(time.Second).UnixMilli()
			for n := 19; n < 22; n++ {
				postMessage(t, srv, v, map[string]any{"type": "text", "from": "user", "origin": "chat", "content": fmt.Sprint(n), "timestamp": at})
			}
			pass(2 * time.Second)
			say(v, 22, 95)
		})
		assert.Equal(t, filled(numbers(0, 95)...), of(got.List(), v.SessionID))
		require.Len(t, outcomes.List(), 1)
		assert.True(t, outcomes.List()[0].Complete)
		assert.Equal(t, 95, outcomes.List()[0].Messages)
	})
}

// postMessage sends a message by REST.
func postMessage(t *testing.T, srv *crisptest.Server, v *crisptest.Visitor, body map[string]any) {
	t.Helper()
	route := fmt.Sprintf("website/%s/conversation/%s/message", v.WebsiteID, v.SessionID)
	require.NoError(t, srv.Client().Do(t.Context(), http.MethodPost, route, body, nil))
}

func TestBackfillComesBeforeNewerLiveEvents(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, _, outcomes := watch()
				see := slowly(10*time.Second, func(req *http.Request) bool { return isList(req) || isMessages(req) })
				runVia(t, srv, see, router, hooks, crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				all := visitors(srv, 5)
				outage(t, srv, func() {
					for _, v := range all {
						say(v, 0, 2)
					}
				})
				for n := 2; n < 30; n++ { // over the time that the backfill takes
					for _, v := range all {
						say(v, n, n+1)
					}
					pass(5 * time.Second)
				}
				pass(time.Minute)
				for _, v := range all {
					want := join(filled(numbers(0, 2)...), numbers(2, 30))
					assert.Equal(t, want, of(got.List(), v.SessionID))
				}
				require.Len(t, outcomes.List(), 1)
				assert.Equal(t, 10, outcomes.List()[0].Messages)
			})
		})
	}
}

func TestBackfillLeavesLiveMessagesWhereTheyCame(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		see := slowly(10*time.Second, isMessages)
		runVia(t, srv, see, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v, operator := srv.Visitor(), srv.Operator("anna")
		outage(t, srv, func() { say(v, 0, 1) })
		say(v, 1, 2)
		operator.Resolve(v)
		say(v, 2, 3) // which REST knows when it is asked, as it knows the one before
		pass(time.Minute)
		want := []string{"0 (backfill)", "1", "resolved", "2", "unresolved"}
		assert.Equal(t, want, of(got.List(), v.SessionID), "a session's events stay in order, of whatever kind")
	})
}

func TestBackfillHoldsOnlyTheSessionsThatMissed(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				see := slowly(10*time.Second, isMessages)
				runVia(t, srv, see, router, crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				all := visitors(srv, 20)
				other := srv.Visitor()
				outage(t, srv, func() {
					for _, v := range all {
						pass(time.Millisecond)
						say(v, 0, 1)
					}
				})
				last := all[0] // the list has the latest change first
				other.Say("at once")
				last.Say("1")
				synctest.Wait()
				assert.Equal(t, []string{"at once"}, of(got.List(), other.SessionID), "not concerned")
				assert.Empty(t, of(got.List(), last.SessionID))

				pass(41 * time.Second) // two requests of whichever was begun, two of this one
				assert.Equal(t, []string{"0 (backfill)", "1"}, of(got.List(), last.SessionID), "those who wait are served first")
				pass(10 * time.Minute)
				for _, v := range all {
					assert.Contains(t, of(got.List(), v.SessionID), "0 (backfill)")
				}
			})
		})
	}
}

func TestBackfillRepeatsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		say(v, 0, 3) // live, within the overlap of the backfill
		var missed crisptest.Message
		outage(t, srv, func() { missed = v.Say("3") })
		// What is on its way twice: Crisp tells of it live after REST did.
		srv.EmitRaw("message:send", fmt.Appendf(nil,
			`{"website_id":%q,"session_id":%q,"type":"text","from":"user","origin":"chat","content":"3","fingerprint":%d,"timestamp":%d}`,
			v.WebsiteID, v.SessionID, missed.Fingerprint, missed.Timestamp))
		say(v, 4, 5)
		synctest.Wait()
		assert.Equal(t, []string{"0", "1", "2", "3 (backfill)", "4"}, of(got.List(), v.SessionID))
		require.Len(t, outcomes.List(), 1)
		assert.Equal(t, 1, outcomes.List()[0].Messages)
	})
}

func TestBackfillFindsConversationsThatMoveMeanwhile(t *testing.T) {
	for name, older := range map[string]int{"all have changed": 0, "some have not changed": 40} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				for _, v := range visitors(srv, older) {
					v.Say("long ago")
				}
				pass(time.Hour)
				all := visitors(srv, 130) // three pages
				router, got := conversations()
				hooks, _, outcomes := watch()
				var move sync.Once
				runVia(t, srv, func(req *http.Request) *http.Response {
					if strings.HasSuffix(req.URL.Path, "/conversations/2") {
						move.Do(func() { // from the last page to the first
							for _, v := range all[:3] {
								v.Say("1")
							}
						})
					}
					return nil
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				outage(t, srv, func() {
					for _, v := range all {
						pass(time.Millisecond)
						v.Say("0")
					}
				})
				for i, v := range all {
					want := []string{"0 (backfill)"}
					if i < 3 {
						want = append(want, "1")
					}
					assert.Equal(t, want, of(got.List(), v.SessionID))
				}
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
			})
		})
	}
}

// So much changes while the list is read that no walk through it is exact.
func TestBackfillOfAWebsiteThatIsNeverQuiet(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				all := visitors(srv, 120)
				said := make([]int, len(all))
				everyOther := func(from int) {
					for i := from; i < len(all); i += 2 {
						say(all[i], said[i], said[i]+1)
						said[i]++
					}
				}
				router, got := conversations()
				hooks, _, outcomes := watch()
				var (
					mu    sync.Mutex
					lists int
				)
				runVia(t, srv, func(req *http.Request) *http.Response {
					mu.Lock()
					defer mu.Unlock()
					if isList(req) {
						everyOther(lists % 2)
						lists++
					}
					return nil
				}, router, hooks, crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{MaxRequests: 5000}))
				authenticated(t, srv)
				outage(t, srv, func() {
					everyOther(0)
					pass(time.Second)
					everyOther(1)
				})
				for i, v := range all {
					list := of(got.List(), v.SessionID)
					require.NotEmpty(t, list)
					assert.Equal(t, "0 (backfill)", list[0])
					for i := range list {
						list[i] = strings.TrimSuffix(list[i], " (backfill)")
					}
					assert.Equal(t, numbers(0, said[i]), list)
				}
				assert.Less(t, lists, 20, "it does not go on for ever")
				require.Len(t, outcomes.List(), 1)
				assert.NoError(t, outcomes.List()[0].Err)
			})
		})
	}
}

// REST is slower than the conversation, and what waits in the queue for the
// backfill keeps the reader from what comes live.
func TestBackfillSlowerThanTheConversationEnds(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		runVia(t, srv, slowly(10*time.Second, isMessages), router, hooks,
			crisp.WithQueue(2000, crisp.OverflowBlock), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() { say(v, 0, 5) })
		const seconds = 1200
		for n := 5; n < seconds; n++ {
			say(v, n, n+1)
			pass(time.Second)
		}
		require.Len(t, outcomes.List(), 1)
		assert.NoError(t, outcomes.List()[0].Err)
		assert.Less(t, outcomes.List()[0].Messages, 200, "the others came live")
		list := of(got.List(), v.SessionID)
		for i := range list {
			list[i] = strings.TrimSuffix(list[i], " (backfill)")
		}
		assert.Equal(t, numbers(0, seconds), list)
	})
}

// What fails for a while, as it may when the network has just come back, is no
// reason to leave anything out.
func TestBackfillHasPatience(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		var failUntil time.Time
		runVia(t, srv, func(req *http.Request) *http.Response {
			if isMessages(req) && time.Now().Before(failUntil) {
				return reply(502, "<html>bad gateway</html>")
			}
			return nil
		}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() {
			say(v, 0, 5)
			failUntil = time.Now().Add(50 * time.Second)
		})
		pass(time.Minute)
		assert.Equal(t, filled(numbers(0, 5)...), of(got.List(), v.SessionID))
		require.Len(t, outcomes.List(), 1)
		assert.True(t, outcomes.List()[0].Complete)
	})
}

func TestBackfillTellsWhatIsMissing(t *testing.T) {
	tests := []struct {
		name     string
		backfill crisp.Backfill
		see      func(*http.Request) *http.Response
		within   time.Duration // live events go on
		most     int           // messages
		says     string
		is       error
	}{
		{
			name:     "the budget",
			backfill: crisp.Backfill{MaxRequests: 5},
			within:   time.Second,
			most:     6,
			says:     "MaxRequests",
		},
		{
			name: "REST fails from the start",
			see: func(req *http.Request) *http.Response {
				if isList(req) {
					return reply(500, `{"error":true,"reason":"internal_error","data":{}}`)
				}
				return nil
			},
			within: time.Minute,
			says:   "500",
		},
		{
			name: "REST fails on the way",
			see: func(req *http.Request) *http.Response {
				if isMessages(req) {
					return reply(502, `<html>bad gateway</html>`)
				}
				return nil
			},
			within: time.Minute,
			says:   "502",
		},
		{
			name:   "REST hangs",
			see:    slowly(time.Hour, isMessages),
			within: time.Minute,
			is:     context.DeadlineExceeded,
		},
		{
			name:     "patience",
			backfill: crisp.Backfill{Patience: 10 * time.Second},
			see:      slowly(time.Hour, isList),
			within:   10 * time.Second,
			is:       context.DeadlineExceeded,
		},
		{
			name: "a token without the scope",
			see: func(req *http.Request) *http.Response {
				if isList(req) {
					return reply(403, `{"error":true,"reason":"not_allowed","data":{}}`)
				}
				return nil
			},
			within: time.Second,
			is:     crisp.ErrScope,
		},
		{
			name:     "age",
			backfill: crisp.Backfill{MaxAge: 30 * time.Minute},
			within:   time.Second,
			most:     10, // those who spoke of late
			says:     "MaxAge",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				see := tt.see
				if see == nil {
					see = func(*http.Request) *http.Response { return nil }
				}
				router, got := conversations()
				hooks, _, outcomes := watch()
				runVia(t, srv, see, router, hooks, crisp.WithBackfill(tt.backfill))
				authenticated(t, srv)
				all := visitors(srv, 10)
				outage(t, srv, func() {
					for _, v := range all {
						v.Say("0")
					}
					pass(time.Hour)
					for _, v := range all {
						v.Say("1")
					}
				})
				for _, v := range all {
					v.Say("2")
				}
				pass(tt.within)

				require.Len(t, outcomes.List(), 1)
				outcome := outcomes.List()[0]
				assert.False(t, outcome.Complete)
				assert.LessOrEqual(t, outcome.Messages, tt.most)
				require.Error(t, outcome.Err)
				assert.ErrorContains(t, outcome.Err, tt.says)
				if tt.is != nil {
					assert.ErrorIs(t, outcome.Err, tt.is)
				}
				for _, v := range all {
					list := of(got.List(), v.SessionID)
					require.NotEmpty(t, list)
					assert.Equal(t, "2", list[len(list)-1], "what is there is handled all the same")
				}
			})
		})
	}
}

func TestBackfillBearsRateLimits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const sessions = 30
		router, got := conversations()
		hooks, _, outcomes := watch()
		run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		all := visitors(srv, sessions)
		outage(t, srv, func() {
			for _, v := range all {
				say(v, 0, 2)
			}
		})
		for _, v := range all {
			say(v, 2, 3)
		}
		pass(30 * time.Minute)
		for _, v := range all {
			assert.Equal(t, join(filled(numbers(0, 2)...), numbers(2, 3)), of(got.List(), v.SessionID))
		}
		require.Len(t, outcomes.List(), 1)
		assert.NoError(t, outcomes.List()[0].Err)
		refused := 0
		for _, req := range srv.Requests() {
			if req.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		assert.Positive(t, refused)
		assert.LessOrEqual(t, refused, 20, "it keeps to the pace that REST bears")
	}, crisptest.WithRateLimit(10, 20*time.Second))
}

func TestBackfillSkipsWhatItCanNotRead(t *testing.T) {
	const ok = `{"error":false,"reason":"listed","data":%s}`
	tests := []struct {
		name     string
		match    func(*http.Request) bool
		data     string
		complete bool
	}{
		{"a conversation without an id", isList, `[{"session_id":"session_other","updated_at":%d},{"updated_at":%d}]`, false},
		{"a conversation with a date of another type", isList, `[{"session_id":"session_other","updated_at":%d},{"session_id":"s","updated_at":"of %d"}]`, false},
		{"null in the list", isList, `[{"session_id":"session_other","updated_at":%d},null]`, false},
		{"messages with fields of other types", isMessages, `[{"from":7,"fingerprint":"x","timestamp":"%d","content":"0"},null,3]`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				v := srv.Visitor()
				router, _ := conversations(crisp.WithErrorHandler(func(context.Context, error) {}))
				hooks, _, outcomes := watch()
				runVia(t, srv, func(req *http.Request) *http.Response {
					if tt.match(req) {
						data := strings.ReplaceAll(tt.data, "%d", fmt.Sprint(time.Now().UnixMilli()))
						return reply(200, fmt.Sprintf(ok, data))
					}
					return nil
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				outage(t, srv, func() { v.Say("0") })
				require.Len(t, outcomes.List(), 1, "it comes to an end")
				assert.Error(t, outcomes.List()[0].Err)
				assert.LessOrEqual(t, outcomes.List()[0].Requests, 20)
			})
		})
	}
}

func TestBackfillIsNotDisturbedByOneConversation(t *testing.T) {
	tests := []struct {
		name     string
		reply    *http.Response
		complete bool
	}{
		{"removed meanwhile", reply(404, `{"error":true,"reason":"conversation_not_found","data":{}}`), true},
		{"removed meanwhile, as Crisp used to say", reply(404, `{"error":true,"reason":"session_not_found","data":{}}`), true},
		{"a route that Crisp does not have", reply(404, `{"error":true,"reason":"not_found","data":{}}`), false},
		{"not allowed", reply(403, `{"error":true,"reason":"not_allowed","data":{}}`), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				all := visitors(srv, 3)
				router, got := conversations()
				hooks, _, outcomes := watch()
				runVia(t, srv, func(req *http.Request) *http.Response {
					if isMessages(req) && strings.Contains(req.URL.Path, all[1].SessionID) {
						return tt.reply
					}
					return nil
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				outage(t, srv, func() {
					for _, v := range all {
						v.Say("0")
					}
				})
				assert.Equal(t, filled("0"), of(got.List(), all[0].SessionID))
				assert.Equal(t, filled("0"), of(got.List(), all[2].SessionID))
				require.Len(t, outcomes.List(), 1)
				assert.Equal(t, tt.complete, outcomes.List()[0].Complete)
			})
		})
	}
}

func TestBackfillOfASecondGapMeanwhile(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, gaps, outcomes := watch()
				see := slowly(10*time.Second, func(req *http.Request) bool { return isList(req) || isMessages(req) })
				runVia(t, srv, see, router, hooks, crisp.WithConcurrency(concurrency), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				all := visitors(srv, 5)
				next := 0
				everybody := func(n int) {
					for _, v := range all {
						say(v, next, next+n)
					}
					next += n
				}
				everybody(1)
				for _, wait := range []time.Duration{time.Second, 25 * time.Second, time.Second} {
					outage(t, srv, func() { everybody(2) })
					everybody(1)
					pass(wait) // not long enough for the backfill
				}
				pass(time.Hour)
				everybody(1)
				synctest.Wait()
				for _, v := range all {
					list := of(got.List(), v.SessionID)
					for i := range list {
						list[i] = strings.TrimSuffix(list[i], " (backfill)")
					}
					assert.Equal(t, numbers(0, next), list, "once, and in order")
				}
				assert.Len(t, gaps.List(), 3)
				require.Len(t, outcomes.List(), 3)
				for i, outcome := range outcomes.List() {
					assert.True(t, outcome.Complete)
					assert.Equal(t, gaps.List()[i], outcome.Gap)
				}
			})
		})
	}
}

func TestBackfillRecoversWhatWasDropped(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const events = 400
		release := make(chan struct{})
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		got := new(testkit.Log[heard])
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			<-release
			text, _ := ev.Content.(crisp.TextContent)
			got.Add(heard{ev.SessionID, string(text), ev.Source})
			return nil
		})
		hooks, gaps, outcomes := watch()
		rtm := run(t, srv, router, hooks, crisp.WithQueue(50_000, crisp.OverflowDrop), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		say(v, 0, events)
		synctest.Wait()
		lost := int(rtm.Stats().Dropped)
		require.Positive(t, lost)
		assert.Empty(t, gaps.List(), "it goes on")
		close(release)
		synctest.Wait() // no other event comes that could end it
		require.Len(t, gaps.List(), 1)
		assert.Equal(t, crisp.GapOverflow, gaps.List()[0].Reason)
		want := join(numbers(0, events-lost), filled(numbers(events-lost, events)...))
		assert.Equal(t, want, of(got.List(), v.SessionID))
		require.Len(t, outcomes.List(), 1)
		assert.True(t, outcomes.List()[0].Complete)
		assert.Equal(t, lost, outcomes.List()[0].Messages)
	})
}

func TestBackfillAfterARestart(t *testing.T) {
	for name, end := range map[string]func(*running) error{
		"Shutdown": func(r *running) error { return r.Shutdown(context.Background()) },
		"Close":    func(r *running) error { return r.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				router, got := conversations()
				rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				say(v, 0, 5)
				synctest.Wait()
				require.NoError(t, end(rtm))
				require.ErrorIs(t, <-rtm.err, crisp.ErrClosed)
				say(v, 5, 8)
				pass(time.Hour)
				say(v, 8, 10)

				router = conversationsInto(got)
				hooks, gaps, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				say(v, 10, 12)
				synctest.Wait()
				want := join(numbers(0, 5), filled(numbers(5, 10)...), numbers(10, 12))
				assert.Equal(t, want, of(got.List(), v.SessionID))
				require.Len(t, gaps.List(), 1)
				assert.Equal(t, crisp.GapRestarted, gaps.List()[0].Reason)
				require.Len(t, outcomes.List(), 1)
				assert.True(t, outcomes.List()[0].Complete)
			})
		})
	}
}

// Close interrupts handlers. What they had in hand comes again after a restart,
// what they were done with does not. A save that is under way gives them the time
// to return before the last one.
func TestRestartRepeatsWhatCloseInterrupted(t *testing.T) {
	for name, took := range map[string]time.Duration{"between saves": 0, "during a save": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store, got := &slowPosition{took: took}, new(testkit.Log[string])
				newRouter := func(hangs string) *crisp.Router {
					router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
					crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
						text, _ := ev.Content.(crisp.TextContent)
						if string(text) == hangs {
							<-ctx.Done()
							return ctx.Err()
						}
						got.Add(string(text))
						return nil
					})
					return router
				}
				rtm := run(t, srv, newRouter("3"), crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				say(v, 0, 6)
				pass(6 * time.Second) // positions are saved every five
				require.NoError(t, rtm.Close())
				require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
				assert.Equal(t, numbers(0, 3), got.List())

				rtm = run(t, srv, newRouter("none"), crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				assert.Equal(t, numbers(0, 6), got.List())
				require.NoError(t, rtm.Close())
				require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed) // with its last save
			})
		})
	}
}

// interruptedBackfill is a client that is about to end in the middle of a
// backfill: its three visitors have said 0 before the outage, 1 during it and 2
// after it.
type interruptedBackfill struct {
	*running
	visitors []*crisptest.Visitor
	gaps     *testkit.Log[crisp.Gap]
	outcomes *testkit.Log[crisp.Backfilled]
}

// interrupt brings a backfill to a phase, of which each request takes its time, the
// first the least: either the list has not come, or one of three conversations is
// done.
func interrupt(t *testing.T, srv *crisptest.Server, phase string, router *crisp.Router, opts ...crisp.RTMOption) *interruptedBackfill {
	t.Helper()
	match := map[string]func(*http.Request) bool{"listing": isList, "fetching": isMessages}[phase]
	after := map[string]time.Duration{"listing": 5 * time.Second, "fetching": 10 * time.Second}[phase]
	var matched atomic.Int64
	see := func(req *http.Request) *http.Response {
		if match(req) {
			slowly(min(time.Duration(matched.Add(1))*4*time.Second+4*time.Second, 14*time.Second), match)(req)
		}
		return nil
	}
	hooks, gaps, outcomes := watch()
	opts = append(opts, hooks, crisp.WithBackfill(crisp.Backfill{}))
	rtm := runVia(t, srv, see, router, opts...)
	authenticated(t, srv)
	all := visitors(srv, 3)
	sayAll := func(n int) {
		for _, v := range all {
			say(v, n, n+1)
		}
	}
	sayAll(0)
	pass(time.Minute)
	outage(t, srv, func() { sayAll(1) })
	sayAll(2)
	pass(after)
	require.Len(t, gaps.List(), 1)
	require.Empty(t, outcomes.List())
	return &interruptedBackfill{rtm, all, gaps, outcomes}
}

// bothWays is what of a session was handled, whatever way it came.
func bothWays(got *testkit.Log[heard], sessionID string) []string {
	list := of(got.List(), sessionID)
	for i := range list {
		list[i] = strings.TrimSuffix(list[i], " (backfill)")
	}
	return list
}

// What is missing still is recovered by the next run, and nothing newer was
// handled before.
func TestBackfillThatTheEndOfTheProgramCutsShort(t *testing.T) {
	for name, end := range map[string]func(context.Context, *crisp.RTM){
		"Shutdown": func(ctx context.Context, rtm *crisp.RTM) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_ = rtm.Shutdown(ctx)
		},
		"Close": func(_ context.Context, rtm *crisp.RTM) { _ = rtm.Close() },
	} {
		for _, phase := range []string{"listing", "fetching"} {
			t.Run(name+" while "+phase, func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					store := new(memoryPosition)
					router, got := conversations()
					first := interrupt(t, srv, phase, router, crisp.WithPosition(store))
					end(t.Context(), first.RTM)
					require.ErrorIs(t, <-first.err, crisp.ErrClosed)
					synctest.Wait()
					require.Len(t, first.outcomes.List(), 1, "the outcome is told all the same")
					assert.False(t, first.outcomes.List()[0].Complete)
					assert.ErrorIs(t, first.outcomes.List()[0].Err, crisp.ErrClosed)
					assert.False(t, store.last().After(first.gaps.List()[0].From), "the position stays before the gap")

					router = conversationsInto(got)
					hooks, _, outcomes := watch()
					run(t, srv, router, hooks, crisp.WithPosition(store), crisp.WithBackfill(crisp.Backfill{}))
					authenticated(t, srv)
					require.Len(t, outcomes.List(), 1)
					assert.True(t, outcomes.List()[0].Complete)
					for _, v := range first.visitors {
						assert.Equal(t, numbers(0, 3), bothWays(got, v.SessionID))
					}
				})
			})
		}
	}
}

func TestShutdownWaitsForABackfillThatTheNextRunWouldRepeat(t *testing.T) {
	for _, phase := range []string{"listing", "fetching"} {
		t.Run(phase, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				store := new(memoryPosition)
				router, got := conversations()
				rtm := interrupt(t, srv, phase, router, crisp.WithPosition(store))
				require.NoError(t, rtm.Shutdown(t.Context()))
				require.Len(t, rtm.outcomes.List(), 1)
				assert.True(t, rtm.outcomes.List()[0].Complete)
				for _, v := range rtm.visitors {
					assert.Equal(t, numbers(0, 3), bothWays(got, v.SessionID))
				}
				assert.True(t, store.last().After(rtm.gaps.List()[0].From), "nothing is left for the next run")
			})
		})
	}
}

func TestShutdownEndsABackfillThatNobodyWouldRepeat(t *testing.T) {
	for _, phase := range []string{"listing", "fetching"} {
		t.Run(phase, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				rtm := interrupt(t, srv, phase, router)
				began := time.Now()
				require.NoError(t, rtm.Shutdown(t.Context()))
				assert.Zero(t, time.Since(began))
				assert.False(t, rtm.outcomes.List()[0].Complete)
				for _, v := range rtm.visitors {
					assert.Contains(t, bothWays(got, v.SessionID), "2", "what came live is handled")
				}
			})
		})
	}
}

func TestBackfillKeepsToTheFilter(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter()
		got := new(testkit.Log[heard])
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			text, _ := ev.Content.(crisp.TextContent)
			got.Add(heard{ev.SessionID, string(text), ev.Source})
			return nil
		})
		hooks, _, outcomes := watch()
		run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}),
			crisp.WithFilter(crisp.Filter{Rooms: []string{"website_a", "website_b"}, Inboxes: []string{"inbox_1"}}))
		authenticated(t, srv)
		in, out := srv.Visitor("website_a"), srv.Visitor("website_a")
		elsewhere := srv.Visitor("website_c")
		for v, inbox := range map[*crisptest.Visitor]string{in: "inbox_1", out: "inbox_2", elsewhere: "inbox_1"} {
			route := fmt.Sprintf("website/%s/conversation/%s/inbox", v.WebsiteID, v.SessionID)
			require.NoError(t, srv.Client().Do(t.Context(), http.MethodPatch, route, map[string]any{"inbox_id": inbox}, nil))
		}
		outage(t, srv, func() {
			for _, v := range []*crisptest.Visitor{in, out, elsewhere} {
				v.Say("0")
				srv.Operator("anna").Say(v, "not subscribed to")
			}
		})
		assert.Equal(t, []heard{{in.SessionID, "0", crisp.SourceBackfill}}, got.List())
		require.Len(t, outcomes.List(), 1)
		assert.Equal(t, 1, outcomes.List()[0].Messages)
		assert.True(t, outcomes.List()[0].Complete)
		for _, req := range srv.Requests() {
			if req.Method == http.MethodGet {
				assert.NotContains(t, req.Path, "website_c")
			}
		}
	})
}

func TestBackfillOfEachTier(t *testing.T) {
	tests := []struct {
		tier     crisp.Tier
		filter   crisp.Filter
		websites []string
	}{
		{crisp.TierPlugin, crisp.Filter{}, []string{crisptest.WebsiteID, "website_b"}},
		{crisp.TierPlugin, crisp.Filter{Rooms: []string{"website_b"}}, []string{"website_b"}},
		{crisp.TierWebsite, crisp.Filter{}, []string{crisptest.WebsiteID}},
		{crisp.TierUser, crisp.Filter{Rooms: []string{crisptest.WebsiteID}}, []string{crisptest.WebsiteID}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.tier, tt.filter.Rooms), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, _, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithFilter(tt.filter), crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				outage(t, srv, func() {
					srv.Visitor().Say(crisptest.WebsiteID)
					srv.Visitor("website_b").Say("website_b")
				})
				var websites []string
				for _, h := range got.List() {
					websites = append(websites, h.text)
				}
				assert.ElementsMatch(t, tt.websites, websites)
				require.Len(t, outcomes.List(), 1)
				assert.NoError(t, outcomes.List()[0].Err)
			}, crisptest.WithTier(tt.tier))
		})
	}
	t.Run("user without rooms", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, _ := conversations()
			_, err := srv.Client().NewRTM(router, crisp.WithBackfill(crisp.Backfill{}))
			require.ErrorContains(t, err, "Rooms")

			hooks, _, outcomes := watch()
			rtm := run(t, srv, router, hooks, crisp.WithFilter(crisp.Filter{Rooms: []string{crisptest.WebsiteID}}), crisp.WithBackfill(crisp.Backfill{}))
			authenticated(t, srv)
			require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{}))
			srv.DropConnections()
			synctest.Wait()
			authenticated(t, srv)
			require.Len(t, outcomes.List(), 1)
			assert.ErrorContains(t, outcomes.List()[0].Err, "Rooms")
		}, crisptest.WithTier(crisp.TierUser))
	})
}

func TestBackfillToleratesClocksThatDiffer(t *testing.T) {
	for _, skew := range []time.Duration{-time.Minute, time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				srv.SkewClock(skew)
				router, got := conversations()
				run(t, srv, router, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v := srv.Visitor()
				say(v, 0, 2)
				outage(t, srv, func() { say(v, 2, 4) })
				say(v, 4, 6)
				synctest.Wait()
				assert.Equal(t, join(numbers(0, 2), filled(numbers(2, 4)...), numbers(4, 6)), of(got.List(), v.SessionID))
			})
		})
	}
}

func TestBackfillGoesOnAfterAHandlerFails(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var errs testkit.Log[error]
		router, got := conversations(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			if ev.Source == crisp.SourceBackfill && ev.Content == crisp.TextContent("1") {
				panic("no")
			}
			return nil
		})
		hooks, _, outcomes := watch()
		run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() { say(v, 0, 3) })
		say(v, 3, 4)
		synctest.Wait()
		assert.Equal(t, join(filled(numbers(0, 3)...), numbers(3, 4)), of(got.List(), v.SessionID))
		require.Len(t, outcomes.List(), 1)
		assert.Equal(t, 3, outcomes.List()[0].Messages)
		require.Len(t, errs.List(), 1)
		var failed *crisp.HandlerError
		assert.ErrorAs(t, errs.List()[0], &failed)
	})
}

// A slow handler of one session must not keep what others missed from them.
func TestBackfillIsNotHeldUpByASlowSession(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const sessions = 60
		all := visitors(srv, sessions)
		release := make(chan struct{})
		var got testkit.Log[heard]
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			if ev.SessionID == all[0].SessionID {
				<-release
			}
			text, _ := ev.Content.(crisp.TextContent)
			got.Add(heard{ev.SessionID, string(text), ev.Source})
			return nil
		})
		run(t, srv, router, crisp.WithConcurrency(2), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		say(all[0], 0, 1)
		outage(t, srv, func() {
			for _, v := range all {
				say(v, 1, 3)
			}
		})
		for _, v := range all {
			say(v, 3, 4)
		}
		synctest.Wait()
		for _, v := range all[1:] {
			assert.Equal(t, []string{"1 (backfill)", "2 (backfill)", "3"}, of(got.List(), v.SessionID))
		}
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"0", "1 (backfill)", "2 (backfill)", "3"}, of(got.List(), all[0].SessionID))
	})
}

// A gap that comes while an earlier one is being filled concerns those sessions
// that have changed in it. The others go on.
func TestASecondGapHoldsUpOnlyItsSessions(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		runVia(t, srv, slowly(10*time.Second, isMessages), router, hooks, crisp.WithConcurrency(8), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		all, other := visitors(srv, 40), srv.Visitor() // on one page: no list is partial
		sayAll := func(n int) func() {
			return func() {
				for _, v := range all {
					say(v, n, n+1)
				}
			}
		}
		outage(t, srv, sayAll(0))
		pass(15 * time.Second)
		sayAll(1)() // waits for 0
		outage(t, srv, sayAll(2))
		sayAll(3)() // waits for 2
		other.Say("at once")
		pass(time.Second)
		require.Empty(t, outcomes.List(), "the first is not filled yet")
		assert.Equal(t, []string{"at once"}, of(got.List(), other.SessionID))
		pass(time.Hour)
		for _, v := range all {
			list := of(got.List(), v.SessionID)
			for i := range list {
				list[i] = strings.TrimSuffix(list[i], " (backfill)")
			}
			assert.Equal(t, numbers(0, 4), list)
		}
		require.Len(t, outcomes.List(), 2)
	})
}

// What came between two gaps waits for the first of them, also while nobody knows yet
// what that concerns.
func TestWhatCameBetweenTwoGapsWaitsForTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		var lists atomic.Int64
		see := slowly(10*time.Second, func(req *http.Request) bool { return isList(req) && lists.Add(1) == 1 })
		// With more of an overlap the second would find what the first is to find.
		runVia(t, srv, see, router, hooks, crisp.WithBackfill(crisp.Backfill{Overlap: time.Millisecond}))
		authenticated(t, srv)
		v, other := srv.Visitor(), srv.Visitor()
		outage(t, srv, func() { v.Say("0") })
		v.Say("1")
		pass(time.Second)
		outage(t, srv, func() { other.Say("0") })
		require.Empty(t, of(got.List(), v.SessionID), "the first has no list yet")
		pass(time.Minute)
		assert.Equal(t, []string{"0 (backfill)", "1"}, of(got.List(), v.SessionID))
		assert.Equal(t, filled("0"), of(got.List(), other.SessionID))
		require.Len(t, outcomes.List(), 2)
	})
}

// A REST call may hang, on a connection that died with the session's, say.
func TestBackfillOutlivesACallThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		var calls atomic.Int64
		runVia(t, srv, func(req *http.Request) *http.Response {
			if isMessages(req) && calls.Add(1) == 1 {
				<-req.Context().Done()
			}
			return nil
		}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		all := visitors(srv, 5)
		outage(t, srv, func() {
			for _, v := range all {
				v.Say("0")
			}
		})
		pass(20 * time.Second)
		assert.Len(t, got.List(), len(all))
		require.Len(t, outcomes.List(), 1)
		assert.True(t, outcomes.List()[0].Complete)
	})
}

func TestBackfillBudgetCountsRepetitions(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := conversations()
		hooks, _, outcomes := watch()
		var sent atomic.Int64
		runVia(t, srv, func(req *http.Request) *http.Response {
			if isList(req) {
				sent.Add(1)
				return reply(502, "<html>bad gateway</html>")
			}
			return nil
		}, router, hooks, crisp.WithBackfill(crisp.Backfill{MaxRequests: 10}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() { v.Say("0") })
		pass(10 * time.Minute)
		assert.EqualValues(t, 9, sent.Load(), "one went into the list of websites")
		require.Len(t, outcomes.List(), 1)
		assert.Equal(t, 10, outcomes.List()[0].Requests)
		assert.ErrorContains(t, outcomes.List()[0].Err, "MaxRequests")
	})
}

// A busy website must not make a long backfill forget what was handled before
// its gap, and repeat it.
func TestALongBackfillForgetsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		runVia(t, srv, slowly(10*time.Second, isMessages), router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		all := visitors(srv, 30)
		for _, v := range all {
			say(v, 0, 1)
		}
		outage(t, srv, func() {
			for _, v := range all {
				say(v, 1, 2)
			}
		})
		for n := range 33 { // more than are remembered
			emit(srv, "session_other", 1000*n, 1000*n+1000)
			pass(5 * time.Second)
		}
		pass(time.Hour)
		for _, v := range all {
			assert.Equal(t, []string{"0", "1 (backfill)"}, of(got.List(), v.SessionID))
		}
	})
}

// What is fetched waits for its handlers in memory, beside the queue: no more of
// it than a quarter of the queue's bound, but 1 MiB at least.
func TestBackfillFetchesNoFurtherAheadThanTheQueueAllows(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		const sessions, size = 40, 100_000
		all := visitors(srv, sessions)
		release := make(chan struct{})
		var got testkit.Log[string] // sessions
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			<-release
			got.Add(ev.SessionID)
			return nil
		})
		var fetched testkit.Log[string]
		see := func(req *http.Request) *http.Response {
			if isMessages(req) {
				fetched.Add(req.URL.Path)
			}
			return nil
		}
		hooks, _, outcomes := watch()
		runVia(t, srv, see, router, hooks, crisp.WithQueue(1<<20, crisp.OverflowBlock), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		outage(t, srv, func() {
			for _, v := range all {
				v.Say(strings.Repeat("x", size))
			}
		})
		pass(time.Minute)
		paths := fetched.List()
		slices.Sort(paths)
		assert.LessOrEqual(t, len(slices.Compact(paths)), 1<<20/size+2, "those that fit, the one in its handler, the one that waits for room")
		close(release)
		synctest.Wait()
		assert.Len(t, got.List(), sessions)
		require.Len(t, outcomes.List(), 1)
		assert.True(t, outcomes.List()[0].Complete)
	})
}

// A backfill that has less to do must not overtake the one before it.
func TestBackfillsOfASessionFollowEachOther(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		// With more of an overlap the later one would find what the first is to find.
		runVia(t, srv, slowly(10*time.Second, isMessages), router, crisp.WithBackfill(crisp.Backfill{Overlap: time.Millisecond}))
		authenticated(t, srv)
		v, others := srv.Visitor(), visitors(srv, 5)
		outage(t, srv, func() {
			say(v, 0, 1)
			pass(time.Second)
			for _, other := range others { // which changed last, and are fetched first
				say(other, 0, 1)
			}
		})
		for _, other := range others {
			say(other, 1, 2)
		}
		pass(time.Second)
		outage(t, srv, func() { say(v, 1, 2) })
		say(v, 2, 3)
		pass(time.Hour)
		assert.Equal(t, append(filled(numbers(0, 2)...), "2"), of(got.List(), v.SessionID))
	})
}

// A message has one identifier, live or recovered.
func TestEventIDOfABackfill(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var live, recovered testkit.Log[string]
		router := crisp.NewRouter()
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			recovered.Add(crisp.EventID(ev))
			return nil
		})
		run(t, srv, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		witness := crisp.NewRouter()
		crisp.On(witness, func(_ context.Context, ev *crisp.MessageSend) error {
			live.Add(crisp.EventID(ev))
			return nil
		})
		v := srv.Visitor()
		outage(t, srv, func() {
			sent := v.Say("hello")
			require.NoError(t, witness.Dispatch(t.Context(), &crisp.MessageSend{
				WebsiteID: v.WebsiteID, SessionID: v.SessionID, Fingerprint: sent.Fingerprint,
			}))
		})
		synctest.Wait()
		require.Len(t, recovered.List(), 1)
		assert.Equal(t, live.List(), recovered.List())
	})
}

// What costs is the way to the server and back: conversations are fetched side by
// side, and the list says which message of each is the last.
func TestABackfillOfManyConversationsIsFastAndCheap(t *testing.T) {
	for _, tt := range []struct {
		conversations int
		latency       time.Duration
		within        time.Duration
	}{
		{30, 50 * time.Millisecond, time.Second},
		{300, 5 * time.Millisecond, time.Second},
		{300, 50 * time.Millisecond, 4 * time.Second},
		{3000, 5 * time.Millisecond, 5 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.conversations, " at ", tt.latency), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, _, outcomes := watch()
				see := slowly(tt.latency, func(*http.Request) bool { return true })
				runVia(t, srv, see, router, hooks, crisp.WithConcurrency(8), crisp.WithBackfill(crisp.Backfill{MaxRequests: 5000}))
				authenticated(t, srv)
				all := visitors(srv, tt.conversations)
				began := time.Now()
				outage(t, srv, func() {
					for _, v := range all {
						v.Say("0")
					}
				})
				for len(outcomes.List()) == 0 {
					pass(10 * time.Millisecond)
				}
				took := time.Since(began)
				outcome := outcomes.List()[0]
				assert.True(t, outcome.Complete)
				assert.Equal(t, tt.conversations, outcome.Messages)
				assert.Len(t, got.List(), tt.conversations)
				assert.LessOrEqual(t, float64(outcome.Requests), 1.2*float64(tt.conversations))
				assert.LessOrEqual(t, took, tt.within)
				t.Logf("%d requests in %s", outcome.Requests, took)
			})
		})
	}
}

// A server that ignores what it is asked about is not asked without end, whether its
// messages can be told apart by fingerprints or by their times alone.
func TestBackfillFromAServerThatIgnoresTheBound(t *testing.T) {
	for _, form := range []string{
		`{"type":"text","from":"user","content":"%d","fingerprint":%[1]d,"timestamp":%d}`,
		`{"type":"text","from":"user","content":"%d","timestamp":%d}`,
	} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, got := conversations()
			hooks, _, outcomes := watch()
			var missed []string
			runVia(t, srv, func(req *http.Request) *http.Response {
				if !isMessages(req) {
					return nil
				}
				return reply(200, `{"error":false,"reason":"listed","data":[`+strings.Join(missed, ",")+`]}`)
			}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
			authenticated(t, srv)
			v := srv.Visitor()
			outage(t, srv, func() {
				for n := range 3 {
					missed = append(missed, fmt.Sprintf(form, n, time.Now().UnixMilli()+int64(n)*10))
				}
				pass(10 * time.Second)
				say(v, 0, 1) // the last change: there may be more behind those that are found
			})
			pass(10 * time.Minute)
			require.Len(t, outcomes.List(), 1)
			assert.Less(t, outcomes.List()[0].Requests, 10)
			assert.Equal(t, filled(numbers(0, 3)...), of(got.List(), v.SessionID))
		})
	}
}

// An event may spell its conversation's id with escapes. It waits, as a suspect, and
// goes on.
func TestBackfillLetsGoOfSuspectsWithEscapedIDs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		runVia(t, srv, func(req *http.Request) *http.Response {
			switch {
			case isList(req): // whatever the page, so that it may lack conversations
				time.Sleep(10 * time.Second) // virtual
				var list []string
				for n := range 20 {
					list = append(list, fmt.Sprintf(`{"session_id":"session_b%d","updated_at":%d}`, n, time.Now().UnixMilli()))
				}
				return reply(200, `{"error":false,"reason":"listed","data":[`+strings.Join(list, ",")+`]}`)
			case isMessages(req):
				return reply(200, `{"error":false,"reason":"listed","data":[]}`)
			}
			return nil
		}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		outage(t, srv, func() {})
		for n := 1; n <= 3; n++ {
			srv.EmitRaw("message:send", fmt.Appendf(nil, `{"website_id":"w","session_id":"session\u005fa","type":"text",`+
				`"from":"user","content":"%d","fingerprint":%[1]d,"timestamp":1721383384000}`, n))
		}
		pass(10 * time.Minute)
		assert.Equal(t, numbers(1, 4), of(got.List(), "session_a"))
		assert.Len(t, outcomes.List(), 1)
	})
}

// Messages that are not subscribed to go on while a conversation is being recovered:
// live events must not wait until it is quiet.
func TestBackfillEndsWhileUnsubscribedMessagesGoOn(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter()
		handled := make(map[string]time.Time)
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			text, _ := ev.Content.(crisp.TextContent)
			handled[string(text)] = time.Now()
			return nil
		})
		hooks, _, outcomes := watch()
		runVia(t, srv, slowly(10*time.Second, isMessages), router, hooks, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() { say(v, 0, 5) })
		v.Say("live")
		said := time.Now()
		for range 2400 {
			srv.Operator("anna").Say(v, "not subscribed to")
			pass(time.Second)
		}
		require.NotZero(t, handled["live"])
		assert.Less(t, handled["live"].Sub(said), 10*time.Minute)
		require.Len(t, outcomes.List(), 1)
	})
}

// A website that the filter names twice has no more conversations than one.
func TestBackfillOfARoomThatIsNamedTwice(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, got := conversations()
			hooks, _, outcomes := watch()
			v := srv.Visitor()
			runVia(t, srv, slowly(3*time.Second, isMessages), router, hooks, crisp.WithConcurrency(concurrency),
				crisp.WithBackfill(crisp.Backfill{}), crisp.WithFilter(crisp.Filter{Rooms: []string{v.WebsiteID, v.WebsiteID}}))
			authenticated(t, srv)
			outage(t, srv, func() { say(v, 0, 30) })
			for n := 30; n < 60; n++ {
				say(v, n, n+1)
				pass(time.Second)
			}
			pass(time.Minute)
			assert.Equal(t, join(filled(numbers(0, 30)...), numbers(30, 60)), of(got.List(), v.SessionID))
			require.Len(t, outcomes.List(), 1)
			assert.NoError(t, outcomes.List()[0].Err)
			assert.Equal(t, 30, outcomes.List()[0].Messages)
		})
	}
}

// What was sent shortly before a gap may have been missed, too, if clocks differ: by
// seconds if Crisp's time is known, else by more.
func TestTheOverlapDependsOnWhatIsKnownOfCrispsTime(t *testing.T) {
	for name, tt := range map[string]struct {
		backfill crisp.Backfill
		dated    bool
		want     time.Duration
	}{
		"known":         {crisp.Backfill{}, true, 30 * time.Second},
		"unknown":       {crisp.Backfill{}, false, 2 * time.Minute},
		"of one's own":  {crisp.Backfill{Overlap: 5 * time.Minute}, true, 5 * time.Minute},
		"own, undated":  {crisp.Backfill{Overlap: time.Second}, false, time.Second},
		"own, as known": {crisp.Backfill{Overlap: time.Second}, true, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var since testkit.Log[time.Time]
				router, _ := conversations()
				see := func(req *http.Request) *http.Response {
					if ms, err := strconv.ParseInt(req.URL.Query().Get("timestamp_after"), 10, 64); err == nil && isMessages(req) {
						since.Add(time.UnixMilli(ms))
					}
					return nil
				}
				client := &http.Client{Transport: &intercepted{RoundTripper: dateless(srv.HTTPClient().Transport, tt.dated), see: see}}
				runClient(t, srv.Client(crisp.WithHTTPClient(client)), router, crisp.WithBackfill(tt.backfill))
				authenticated(t, srv)
				v := srv.Visitor()
				pass(time.Hour)
				began := time.Now()
				v.Say("0") // which keeps the connection from being in doubt
				pass(time.Second / 2)
				outage(t, srv, func() { v.Say("1") })
				pass(time.Minute)
				require.NotEmpty(t, since.List())
				assert.WithinDuration(t, began.Add(-tt.want), since.List()[0], 3*time.Second)
			})
		})
	}
}

// dateless removes the dates of answers, unless they are to be kept.
func dateless(rt http.RoundTripper, keep bool) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := rt.RoundTrip(req)
		if err == nil && !keep {
			resp.Header.Del("Date")
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
