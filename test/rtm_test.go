package test

import (
	"context"
	"encoding/binary"
	"errors"
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
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestRTMDeliversInOrder(t *testing.T) {
	for _, version := range []int{3, 4} {
		t.Run(fmt.Sprintf("Engine.IO %d", version), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := texts()
				rtm := run(t, srv, router, crisp.WithEngineIO(version))
				authenticated(t, srv)
				emit(srv, "session_a", 0, 1000)
				synctest.Wait()
				assert.Equal(t, numbers(0, 1000), got.List())
				assert.Equal(t, crisp.StateConnected, rtm.State())
				assert.EqualValues(t, 1000, rtm.Stats().Received)
			})
		})
	}
}

func TestRTMRefusedCredentialsEndRun(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.RejectAuth("token_revoked")
		router, _ := texts()
		rtm := run(t, srv, router)
		err := rtm.ending(t)
		require.ErrorIs(t, err, crisp.ErrUnauthorized)
		assert.ErrorContains(t, err, "token_revoked", "the server's message is passed on")
		assert.NotContains(t, err.Error(), srv.Token().Key)
		assert.Equal(t, crisp.StateClosed, rtm.State())
		assert.Len(t, srv.Requests(), 1, "one attempt")
	})
}

// An OnAny handler wants all events, but this is none.
func TestRTMEndsWhenALiveSessionLosesItsRights(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := crisp.NewRouter(), new(testkit.Log[string])
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			got.Add(ev.EventName())
			return nil
		})
		rtm := run(t, srv, router)
		authenticated(t, srv)
		srv.SendFrame(`42["unauthorized",{"message":"token_revoked"}]`)
		err := rtm.ending(t)
		require.ErrorIs(t, err, crisp.ErrUnauthorized)
		assert.ErrorContains(t, err, "token_revoked")
		assert.Empty(t, got.List())
	})
}

func TestRTMRefusedByRESTEndsRun(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				srv.FailREST(status, 1)
				router, _ := texts()
				err := run(t, srv, router).ending(t)
				var refusal *crisp.APIError
				require.ErrorAs(t, err, &refusal)
				assert.Equal(t, status, refusal.StatusCode)
			})
		})
	}
}

func TestRTMRetriesWhatMayPass(t *testing.T) {
	tests := []struct {
		name  string
		fault func(srv *crisptest.Server)
		opts  []crisp.RTMOption
		least time.Duration // until the session is there
		most  time.Duration
	}{
		{
			name:  "500",
			fault: func(srv *crisptest.Server) { srv.FailREST(500, 2) },
			most:  6 * time.Second,
		},
		{
			name:  "429 with Retry-After",
			fault: func(srv *crisptest.Server) { srv.FailREST(429, 1, 30*time.Second) },
			least: 30 * time.Second, most: 31 * time.Second,
		},
		{
			name:  "420",
			fault: func(srv *crisptest.Server) { srv.FailREST(420, 1) },
			most:  2 * time.Second,
		},
		{
			name:  "garbage",
			fault: func(srv *crisptest.Server) { srv.GarbleREST("<html>bad gateway</html>", 1) },
			most:  2 * time.Second,
		},
		{
			name:  "a broken endpoint without rescue",
			fault: func(srv *crisptest.Server) { srv.RefuseUpgrade(503, 1) },
			most:  2 * time.Second,
		},
		{
			name:  "a refused WebSocket with Retry-After",
			fault: func(srv *crisptest.Server) { srv.RefuseUpgrade(429, 1, 30*time.Second) },
			least: 30 * time.Second, most: 31 * time.Second,
		},
		{
			name:  "closed right after the open packet",
			fault: func(srv *crisptest.Server) { srv.HangUp(1) },
			most:  2 * time.Second,
		},
		{
			name:  "an authentication without an answer",
			fault: func(srv *crisptest.Server) { srv.IgnoreAuth(1) },
			least: 10 * time.Second, most: 12 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				tt.fault(srv)
				router, got := texts()
				var retries testkit.Log[crisp.Retrying]
				opts := append(tt.opts, crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
				began := time.Now()
				run(t, srv, router, opts...)
				authenticated(t, srv)
				took := time.Since(began)
				assert.GreaterOrEqual(t, took, tt.least)
				assert.LessOrEqual(t, took, tt.most)
				require.NotEmpty(t, retries.List())
				assert.Error(t, retries.List()[0].Err, "the hook hears why")
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				assert.Equal(t, numbers(0, 1), got.List())
			})
		})
	}
}

// The first endpoint that REST names can't be reached; the second can.
func TestRTMRetriesWhatNetworksDo(t *testing.T) {
	for name, tt := range map[string]struct {
		wrong func(right string) string
		says  string
	}{
		"no such host": {
			wrong: func(string) string { return "https://gone.crisp.example/" },
			says:  "no such host",
		},
		"no TLS there": {
			wrong: func(right string) string { return strings.Replace(right, "http:", "https:", 1) },
			says:  "server gave HTTP response to HTTPS client",
		},
		"nobody there": {
			wrong: func(string) string { return "http://127.0.0.1:65535/" },
			says:  "connection refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				right, err := srv.Client().ConnectEndpoints(t.Context())
				require.NoError(t, err)
				answers := []string{tt.wrong(right.Socket.App), right.Socket.App}
				srv.HandleREST("GET plugin/connect/endpoints", func(*http.Request) (int, any) {
					next := crisp.SocketEndpoints{App: answers[0]}
					answers = answers[1:]
					return http.StatusOK, crisp.Endpoints{Socket: next}
				})
				router, got := texts()
				var retries testkit.Log[crisp.Retrying]
				runClient(t, srv.Client(crisp.WithHTTPClient(unresolving(srv.HTTPClient()))), router,
					crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
				authenticated(t, srv)
				require.Len(t, retries.List(), 1)
				assert.ErrorContains(t, retries.List()[0].Err, tt.says)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				assert.Equal(t, numbers(0, 1), got.List())
			})
		})
	}
}

// unresolving is a client for which names of hosts lead nowhere.
func unresolving(client *http.Client) *http.Client {
	memory := client.Transport.(*http.Transport)
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			if net.ParseIP(host) == nil {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return memory.DialContext(ctx, network, address)
		},
	}}
}

func TestRTMSilentServerCountsAsFailure(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.IgnoreAuth(-1)
		router, _ := texts()
		var retries testkit.Log[crisp.Retrying]
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := srv.WaitRequest(ctx, func(crisptest.Request) bool { return len(srv.Requests()) == 4 })
		require.NoError(t, err)
		for i, r := range retries.List() {
			require.ErrorIs(t, r.Err, crisp.ErrSilent)
			assert.ErrorContains(t, r.Err, "connection limit")
			assert.Equal(t, i+2, r.Attempt)
		}
	})
}

// requireGivenUpAfter15s expects a client with that connect timeout to end an
// attempt to connect to a server that hangs, and to make another.
func requireGivenUpAfter15s(t *testing.T, srv *crisptest.Server) {
	t.Helper()
	router, _ := texts()
	var retries testkit.Log[time.Duration]
	began := time.Now()
	run(t, srv, router,
		crisp.WithConnectTimeout(15*time.Second),
		crisp.WithHooks(crisp.Hooks{Retrying: func(crisp.Retrying) { retries.Add(time.Since(began)) }}))
	pass(16 * time.Second)
	require.NotEmpty(t, retries.List())
	assert.Equal(t, 15*time.Second, retries.List()[0])
}

func TestRTMHungRESTIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.SlowREST(time.Hour)
		requireGivenUpAfter15s(t, srv)
	})
}

// The endpoint takes the connection, and never answers.
func TestRTMHungHandshakeIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		hung := srv.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		srv.HandleREST("GET plugin/connect/endpoints", func(*http.Request) (int, any) {
			return http.StatusOK, crisp.Endpoints{Socket: crisp.SocketEndpoints{App: hung}}
		})
		requireGivenUpAfter15s(t, srv)
	})
}

// attempts is a backoff of one second that tells what it was asked.
type attempts struct{ testkit.Log[int] }

func (a *attempts) Delay(attempt int) time.Duration {
	a.Add(attempt)
	return time.Second
}

func TestRTMWaitsLongerAndLonger(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var asked attempts
		router, _ := texts()
		srv.TakeDown()
		run(t, srv, router, crisp.WithBackoff(&asked))
		pass(3500 * time.Millisecond)
		assert.Equal(t, []int{2, 3, 4, 5}, asked.List(), "the first attempt has failed, too")

		srv.BringUp()
		authenticated(t, srv)
		pass(time.Minute)
		srv.TakeDown()
		pass(1500 * time.Millisecond)
		assert.Equal(t, []int{1, 2}, asked.List()[4:], "a session begins the row anew")
	})
}

func TestRTMSlowsDownForAServerThatFlaps(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var asked attempts
		router, _ := texts()
		run(t, srv, router, crisp.WithBackoff(&asked))
		for range 5 {
			authenticated(t, srv)
			srv.DropConnections()
			synctest.Wait()
		}
		assert.Equal(t, []int{1, 1, 2, 3, 4}, asked.List(), "a session that ends at once is forgiven twice")
	})
}

func TestRTMReconnects(t *testing.T) {
	const interval, timeout = 25 * time.Second, 20 * time.Second
	tests := []struct {
		name  string
		fault func(srv *crisptest.Server)
		most  time.Duration // until the next session
	}{
		{"closed", func(srv *crisptest.Server) { srv.DropConnections(crisptest.DropClose) }, time.Second},
		{"cut", func(srv *crisptest.Server) { srv.DropConnections(crisptest.DropCut) }, time.Second},
		{"reset", func(srv *crisptest.Server) { srv.DropConnections(crisptest.DropReset) }, time.Second},
		{"packet 41", func(srv *crisptest.Server) { srv.DropConnections(crisptest.DropPacket) }, time.Second},
		{"half-open", func(srv *crisptest.Server) { srv.GoSilent() }, interval + timeout + time.Second},
		{"moved", func(srv *crisptest.Server) { srv.MoveEndpoint() }, time.Second},
	}
	for _, version := range []int{3, 4} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, Engine.IO %d", tt.name, version), func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					var (
						gaps         testkit.Log[crisp.Gap]
						disconnected testkit.Log[crisp.Disconnected]
					)
					router, got := texts()
					rtm := run(t, srv, router, crisp.WithEngineIO(version), crisp.WithHooks(crisp.Hooks{
						Gap: func(g crisp.Gap) {
							assert.Len(t, got.List(), 1, "after the last event before the gap, before the first after it")
							gaps.Add(g)
						},
						Disconnected: disconnected.Add,
					}))
					authenticated(t, srv)
					emit(srv, "session_a", 0, 1)
					synctest.Wait()
					pass(time.Minute) // heartbeats keep a quiet session alive
					assert.Equal(t, crisp.StateConnected, rtm.State())
					assert.Empty(t, gaps.List())

					before := time.Now()
					tt.fault(srv)
					synctest.Wait()
					authenticated(t, srv)
					assert.LessOrEqual(t, time.Since(before), tt.most)
					emit(srv, "session_a", 1, 2)
					synctest.Wait()

					assert.Equal(t, numbers(0, 2), got.List())
					require.Len(t, gaps.List(), 1)
					gap := gaps.List()[0]
					assert.Equal(t, crisp.GapDisconnected, gap.Reason)
					assert.False(t, gap.From.After(before.Add(clockStep)), "nothing before the fault can have been missed")
					assert.WithinDuration(t, before, gap.From, interval, "heartbeats bound the gap")
					assert.False(t, gap.To.Before(before))
					require.Len(t, disconnected.List(), 1)
					assert.Error(t, disconnected.List()[0].Err)
					assert.EqualValues(t, 1, rtm.Stats().Reconnects)
				}, crisptest.WithHeartbeat(interval, timeout))
			})
		}
	}
}

func TestRTMSurvivesAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		router, got := texts()
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Gap: gaps.Add}))
		authenticated(t, srv)
		down := time.Now()
		srv.TakeDown()
		pass(time.Hour)
		srv.BringUp()
		up := time.Now()
		authenticated(t, srv)
		assert.LessOrEqual(t, time.Since(up), time.Minute, "the cap on a wait")
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
		require.Len(t, gaps.List(), 1, "many attempts, one gap")
		assert.False(t, gaps.List()[0].From.After(down.Add(clockStep)))
		assert.False(t, gaps.List()[0].To.Before(up))
	})
}

func TestRTMFallsBackToTheRescueEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.BreakEndpoint()
		router, got := texts()
		run(t, srv, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
		assert.Len(t, srv.Requests(), 1, "within one attempt")
	})
}

// always is a backoff that knows one delay.
type always time.Duration

func (d always) Delay(int) time.Duration { return time.Duration(d) }

// A server that does not answer the authentication may be broken; one that
// refuses the credentials would refuse them at its other endpoint, too.
func TestRTMAsksTheRescueEndpointIfItCouldDoBetter(t *testing.T) {
	for name, c := range map[string]struct {
		fault    func(*crisptest.Server)
		sessions int // in one attempt
	}{
		"refused": {fault: func(srv *crisptest.Server) { srv.RejectAuth() }, sessions: 1},
		"silent":  {fault: func(srv *crisptest.Server) { srv.IgnoreAuth(2) }, sessions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				endpoints, err := srv.Client().ConnectEndpoints(t.Context())
				require.NoError(t, err)
				endpoints.Rescue.Socket = endpoints.Socket
				srv.HandleREST("GET plugin/connect/endpoints", func(*http.Request) (int, any) { return http.StatusOK, endpoints })
				c.fault(srv)
				router, _ := texts()
				run(t, srv, router, crisp.WithBackoff(always(time.Hour)))
				pass(time.Minute)
				assert.Len(t, srv.PastSessions(), c.sessions)
			})
		})
	}
}

func TestRTMToleratesPayloads(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var (
			events testkit.Log[crisp.Event]
			errs   testkit.Log[error]
		)
		router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		router.OnAny(func(_ context.Context, ev crisp.Event) error { events.Add(ev); return nil })
		router.OnName("brand:new", func(context.Context, crisp.Event) error { return nil })
		run(t, srv, router)
		authenticated(t, srv)

		srv.EmitRaw("message:send", []byte(`null`))
		srv.EmitRaw("message:send", []byte(`{"session_id":7,"type":"text","content":"x"}`))
		srv.EmitRaw("message:send", []byte(`{"session_id":"s","type":"hologram","content":{"depth":3}}`))
		srv.EmitRaw("brand:new", []byte(`{"session_id":"s"}`))
		synctest.Wait()

		got := events.List()
		require.Len(t, got, 4)
		assert.Equal(t, []crisp.FieldProblem{{Path: "", Wanted: "object", Got: "null"}}, got[0].EventMeta().Problems)
		assert.Equal(t, []crisp.FieldProblem{{Path: "session_id", Wanted: "string", Got: "number"}}, got[1].EventMeta().Problems)
		assert.Equal(t, crisp.TextContent("x"), got[1].(*crisp.MessageSend).Content)
		unknown, ok := got[2].(*crisp.MessageSend).Content.(*crisp.UnknownContent)
		require.True(t, ok)
		assert.Equal(t, "hologram", unknown.Type)
		assert.JSONEq(t, `{"depth":3}`, string(unknown.Raw))
		require.IsType(t, &crisp.UnknownEvent{}, got[3])
		assert.Equal(t, "brand:new", got[3].EventName())
		assert.Equal(t, crisp.SourceRTM, got[3].EventMeta().Source)

		require.Len(t, errs.List(), 2, "drift is told")
		var drift *crisp.DriftError
		assert.ErrorAs(t, errs.List()[1], &drift)
	})
}

func TestRTMEventWithoutAnArgument(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var events testkit.Log[crisp.Event]
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		router.OnAny(func(_ context.Context, ev crisp.Event) error { events.Add(ev); return nil })
		run(t, srv, router)
		authenticated(t, srv)
		srv.SendFrame(`42["message:send"]`)
		synctest.Wait()
		require.Len(t, events.List(), 1)
		assert.Equal(t, []crisp.FieldProblem{{Wanted: "object", Got: "null"}}, events.List()[0].EventMeta().Problems)
	})
}

// The payload is the first argument, whatever comes behind it.
func TestRTMEventWithSeveralArguments(t *testing.T) {
	const (
		message  = `{"session_id":"s","type":"text","content":"x, {y}","preview":[{"url":"u"},{"url":"v"}]}`
		envelope = `{"website_id":"w","event":"message:send","data":` + message + `,"timestamp":1773569824159}`
	)
	for _, first := range []string{message, envelope} {
		for _, rest := range []string{``, `,"offset"`, `,{"b":1}`, ` , {"b":[{},{}]}`, `,{"b":1},"offset"`, `,5`, `,{"b":`} {
			t.Run(rest, func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					var events testkit.Log[crisp.Event]
					router := crisp.NewRouter()
					router.OnAny(func(_ context.Context, ev crisp.Event) error { events.Add(ev); return nil })
					rtm := run(t, srv, router)
					authenticated(t, srv)
					srv.SendFrame(`42["message:send",` + first + rest + `]`)
					synctest.Wait()
					require.Len(t, events.List(), 1)
					assert.Len(t, events.List()[0].EventMeta().Raw, len(message), "not what comes behind it")
					assert.JSONEq(t, message, string(events.List()[0].EventMeta().Raw))
					assert.Empty(t, events.List()[0].EventMeta().Problems)
					assert.Zero(t, rtm.Stats().QueuedBytes)
				})
			})
		}
	}
}

func TestRTMFrameOverTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var gaps testkit.Log[crisp.Gap]
		var disconnected testkit.Log[crisp.Disconnected]
		router, got := texts()
		run(t, srv, router, crisp.WithReadLimit(4096), crisp.WithHooks(crisp.Hooks{Gap: gaps.Add, Disconnected: disconnected.Add}))
		authenticated(t, srv)
		srv.EmitRaw("message:send", []byte(`{"content":"`+strings.Repeat("x", 5000)+`"}`))
		synctest.Wait()
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
		require.Len(t, disconnected.List(), 1, "no loop")
		assert.ErrorIs(t, disconnected.List()[0].Err, crisp.ErrTooLarge)
		require.Len(t, gaps.List(), 1)
		assert.Equal(t, crisp.GapSkipped, gaps.List()[0].Reason)
	})
}

// A frame is refused by its header: nothing of it needs to come.
func TestRTMReadLimitByDefault(t *testing.T) {
	for size, refused := range map[uint64]bool{16 << 20: false, 16<<20 + 1: true} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var ended testkit.Log[crisp.Disconnected]
				router, _ := texts()
				run(t, srv, router, crisp.WithHooks(crisp.Hooks{Disconnected: ended.Add}))
				authenticated(t, srv)
				srv.SendBytes(binary.BigEndian.AppendUint64([]byte("\x81\x7f"), size))
				pass(time.Second)
				if !refused {
					assert.Empty(t, ended.List())
					return
				}
				require.Len(t, ended.List(), 1)
				assert.ErrorIs(t, ended.List()[0].Err, crisp.ErrTooLarge)
			})
		})
	}
}

// A session may be refused later than at its beginning, whatever the router
// listens to.
func TestRTMUnauthorizedMeanwhile(t *testing.T) {
	anything := crisp.NewRouter()
	anything.OnAny(func(context.Context, crisp.Event) error { return nil })
	messages, _ := texts()
	for name, router := range map[string]*crisp.Router{"typed handlers": messages, "OnAny": anything} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				rtm := run(t, srv, router)
				authenticated(t, srv)
				srv.SendFrame(`42["unauthorized",{"message":"token_revoked"}]`)
				err := rtm.ending(t)
				require.ErrorIs(t, err, crisp.ErrUnauthorized)
				assert.ErrorContains(t, err, "token_revoked")
			})
		})
	}
}

func TestRTMHandlerFailures(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var errs testkit.Log[error]
		router, got := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
		boom := errors.New("boom")
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			switch ev.Content {
			case crisp.TextContent("0"):
				panic("at the disco")
			case crisp.TextContent("1"):
				return boom
			}
			return nil
		})
		run(t, srv, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 3)
		synctest.Wait()
		assert.Equal(t, numbers(0, 3), got.List(), "the session goes on")
		require.Len(t, errs.List(), 2)
		var failed *crisp.HandlerError
		require.ErrorAs(t, errs.List()[0], &failed)
		assert.NotEmpty(t, failed.Stack)
		assert.Equal(t, "message:send", failed.Event.EventName())
		assert.ErrorIs(t, errs.List()[1], boom)
	})
}

func TestRTMSubscribes(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		crisp.On(router, func(context.Context, *crisp.SessionSetState) error { return nil })
		run(t, srv, router, crisp.WithFilter(crisp.Filter{Rooms: []string{crisptest.WebsiteID}, Inboxes: []string{"inbox_1"}}))
		authenticated(t, srv)
		sessions := srv.Sessions()
		require.Len(t, sessions, 1)
		assert.Equal(t, []string{"message:send", "session:set_state"}, sessions[0].Events)
		assert.Equal(t, []string{crisptest.WebsiteID}, sessions[0].Rooms)
		assert.Equal(t, []string{"inbox_1"}, sessions[0].Inboxes)
	})
}

func TestRTMBind(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := texts()
		rtm := run(t, srv, router)
		authenticated(t, srv)
		began := time.Now()
		require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:received"}}))
		assert.Zero(t, time.Since(began), "the first bind does not wait")
		synctest.Wait()
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Empty(t, got.List(), "what is not listed is removed")

		require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{}))
		assert.Equal(t, 2500*time.Millisecond, time.Since(began), "binds keep their distance")
		require.NoError(t, rtm.Rebind(t.Context()))
		assert.Equal(t, 5*time.Second, time.Since(began))
		synctest.Wait()
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, rtm.Rebind(ctx), context.DeadlineExceeded)

		require.Error(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"campaign:running"}}), "not for this tier")

		require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:removed"}}))
		srv.DropConnections()
		authenticated(t, srv)
		assert.Equal(t, []string{"message:removed"}, srv.Sessions()[0].Events, "kept for reconnections")
	})
}

// lateReader is a connection that reads nothing new for a while, once it has
// written so often.
type lateReader struct {
	net.Conn
	writes *atomic.Int32
	after  int32
	until  <-chan struct{}
}

func (c *lateReader) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func (c *lateReader) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.writes.Load() >= c.after {
		<-c.until
	}
	return n, err
}

// hearingLate is an HTTP client whose connections to RTM hear nothing, from
// their authentication on, until the channel is closed.
func hearingLate(srv *crisptest.Server, until <-chan struct{}) *http.Client {
	const handshakes = 2 // HTTP's and Socket.IO's
	transport := srv.HTTPClient().Transport.(*http.Transport).Clone()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &lateReader{Conn: conn, writes: new(atomic.Int32), after: handshakes + 1, until: until}, err
	}
	return &http.Client{Transport: transport}
}

func TestRTMBindWhileASessionIsMade(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		hear := make(chan struct{})
		client := srv.Client(crisp.WithHTTPClient(hearingLate(srv, hear)))
		defer client.CloseIdleConnections()
		rtm, err := client.NewRTM(router)
		require.NoError(t, err)
		srv.Run(t, rtm)
		synctest.Wait()
		require.Equal(t, crisp.StateConnecting, rtm.State(), "it has subscribed, and waits for the answer")
		require.NoError(t, rtm.Bind(t.Context(), crisp.Filter{Events: []string{"message:received"}}))
		close(hear)
		synctest.Wait()
		assert.Equal(t, crisp.StateConnected, rtm.State())
		assert.Equal(t, []string{"message:received"}, srv.Sessions()[0].Events)
	})
}

func TestNewRTMSubscribesToAllOfTheTier(t *testing.T) {
	for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
		t.Run(string(tier), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router := crisp.NewRouter()
				router.OnAny(func(context.Context, crisp.Event) error { return nil })
				run(t, srv, router)
				authenticated(t, srv)
				var want []string
				for _, info := range crisp.Events() {
					for _, t := range info.Tiers {
						if t == tier {
							want = append(want, info.Name)
						}
					}
				}
				assert.ElementsMatch(t, want, srv.Sessions()[0].Events)
			}, crisptest.WithTier(tier))
		})
	}
}

func TestRTMClientsShareNothing(t *testing.T) {
	bubble(t, func(t *testing.T, a *crisptest.Server) {
		b := crisptest.NewServer(t, crisptest.InMemory())
		routerA, gotA := texts()
		routerB, gotB := texts()
		run(t, a, routerA)
		run(t, b, routerB)
		authenticated(t, a)
		authenticated(t, b)
		emit(a, "session_a", 0, 10)
		emit(b, "session_b", 10, 20)
		synctest.Wait()
		assert.Equal(t, numbers(0, 10), gotA.List())
		assert.Equal(t, numbers(10, 20), gotB.List())
	})
}

func TestRTMHeartbeatHookTellsOfQuiet(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var beats testkit.Log[crisp.Heartbeat]
		router, _ := texts()
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Heartbeat: beats.Add}))
		authenticated(t, srv)
		pass(10 * time.Second)
		emit(srv, "session_a", 0, 1)
		pass(51 * time.Second)
		got := beats.List()
		require.Len(t, got, 6, "one each ping interval")
		assert.InDelta(t, 50*time.Second, got[5].SinceEvent, float64(clockStep))
		assert.LessOrEqual(t, got[5].SinceFrame, 10*time.Second)
	}, crisptest.WithHeartbeat(10*time.Second, 5*time.Second))
}

// What belongs to the protocol is no event of Crisp's, whenever it comes.
func TestAuthenticatedIsNoEvent(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var got testkit.Log[string]
		router := crisp.NewRouter()
		router.OnAny(func(_ context.Context, ev crisp.Event) error { got.Add(ev.EventName()); return nil })
		run(t, srv, router)
		authenticated(t, srv)
		srv.SendFrame(`42["authenticated",true]`)
		srv.EmitRaw("session:removed", []byte(`{"session_id":"s"}`))
		synctest.Wait()
		assert.Equal(t, []string{"session:removed"}, got.List())
	})
}

// A proxy that cuts connections again and again must not use up the REST quota: nor
// may what is said be lost.
func TestAConnectionThatIsCutAgainAndAgain(t *testing.T) {
	for life, conversing := range map[time.Duration]int{5500 * time.Millisecond: 1, 6 * time.Second: 5, 7 * time.Second: 20, 20 * time.Second: 1} {
		t.Run(life.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, got := conversations()
				hooks, gaps, outcomes := watch()
				run(t, srv, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				all := visitors(srv, conversing)
				began, said := time.Now(), 0
				for time.Since(began) < time.Hour {
					if len(srv.Sessions()) > 0 {
						pass(life)
						srv.DropConnections()
					}
					say(all[said%conversing], said/conversing, said/conversing+1)
					said++
					pass(10 * time.Second)
				}
				assert.LessOrEqual(t, len(srv.Requests()), 200, "24 hours stay below a quota of 5,000")
				pass(15 * time.Minute)
				assert.Len(t, outcomes.List(), len(gaps.List()))
				assert.Len(t, srv.Sessions(), 1, "still connected")
				for i, v := range all {
					list := of(got.List(), v.SessionID)
					for i := range list {
						list[i] = strings.TrimSuffix(list[i], " (backfill)")
					}
					assert.Equal(t, numbers(0, (said-i+conversing-1)/conversing), list)
				}
				t.Logf("%d connections, %d requests", len(gaps.List())+1, len(srv.Requests()))
			})
		})
	}
}

// idleCutter is a connection through a proxy that cuts it when there is no traffic
// for some time.
type idleCutter struct {
	net.Conn
	timer *time.Timer
	after time.Duration
}

func (c *idleCutter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.timer.Reset(c.after)
	return n, err
}

func (c *idleCutter) Write(b []byte) (int, error) {
	c.timer.Reset(c.after)
	return c.Conn.Write(b)
}

// A proxy that cuts connections which are idle for less than the server's ping
// interval is given traffic in time.
func TestAProxyThatCutsIdleConnections(t *testing.T) {
	for _, version := range []int{3, 4} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			transport := srv.HTTPClient().Transport.(*http.Transport).Clone()
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				const after = 6 * time.Second
				return &idleCutter{conn, time.AfterFunc(after, func() { _ = conn.Close() }), after}, nil
			}
			client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: transport}))
			defer client.CloseIdleConnections()
			router, got := texts()
			hooks, gaps, _ := watch()
			runClient(t, client, router, hooks, crisp.WithEngineIO(version))
			authenticated(t, srv)
			pass(time.Minute)
			assert.Len(t, gaps.List(), 2)
			pass(time.Hour)
			emit(srv, "session_a", 0, 1)
			synctest.Wait()
			assert.Len(t, gaps.List(), 2)
			assert.Equal(t, numbers(0, 1), got.List())
		})
	}
}
