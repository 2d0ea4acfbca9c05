package test

import (
	"fmt"
	"net/http"
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

// gatewayBodies are what something between Crisp and the client may answer with.
var gatewayBodies = map[string]string{
	"HTML":    "<html><body>private</body></html>",
	"text":    "private",
	"nothing": "",
	"JSON":    `{"message":"private"}`,
}

func TestRunOutlivesWhatIsNotCrispsWord(t *testing.T) {
	for name, body := range gatewayBodies {
		for _, status := range []int{400, 401, 403, 404, 407} {
			t.Run(fmt.Sprintf("%d %s", status, name), func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					router, got := texts()
					srv.GatewayREST(status, body, 3) // before the first connection
					run(t, srv, router)
					authenticated(t, srv)
					srv.GatewayREST(status, body, 3) // and after it
					srv.DropConnections()
					authenticated(t, srv)
					emit(srv, "session_a", 0, 1)
					synctest.Wait()
					assert.Equal(t, numbers(0, 1), got.List())
				})
			})
		}
	}
}

// What something in between says of a conversation, a list or a website is no
// reason to leave it out.
func TestBackfillAsksAgainWhatIsNotCrispsWord(t *testing.T) {
	for route, match := range backfillRoutes {
		for name, body := range gatewayBodies {
			for _, status := range []int{401, 403, 404} {
				t.Run(fmt.Sprintf("%s: %d %s", route, status, name), func(t *testing.T) {
					backfillThrough(t, match, status, body)
				})
			}
		}
	}
}

var backfillRoutes = map[string]func(*http.Request) bool{
	"websites":      isWebsites,
	"conversations": isList,
	"messages":      isMessages,
}

func isWebsites(req *http.Request) bool {
	return req.URL.Path == "/v1/plugin/connect/websites/all/1"
}

// backfillThrough lets the requests of a backfill that match be answered with
// something else: some of them first, when all must be recovered, then all of
// them, when the backfill must not be told complete.
func backfillThrough(t *testing.T, match func(*http.Request) bool, status int, body string) {
	t.Helper()
	for _, passes := range []bool{true, false} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, got := conversations()
			hooks, _, outcomes := watch()
			var failUntil time.Time
			runVia(t, srv, func(req *http.Request) *http.Response {
				if match(req) && time.Now().Before(failUntil) {
					return reply(status, body)
				}
				return nil
			}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
			authenticated(t, srv)
			v := srv.Visitor()
			outage(t, srv, func() {
				say(v, 0, 5)
				failUntil = time.Now().Add(30 * time.Second)
				if !passes {
					failUntil = failUntil.Add(time.Hour)
				}
			})
			pass(2 * time.Minute)
			require.Len(t, outcomes.List(), 1)
			outcome := outcomes.List()[0]
			assert.Equal(t, passes, outcome.Complete, outcome.Err)
			if passes {
				assert.Equal(t, filled(numbers(0, 5)...), of(got.List(), v.SessionID))
			}
		})
	}
}

func TestAUsedUpQuotaEndsABackfill(t *testing.T) {
	for _, status := range []int{403, 420, 423, 429} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _ := conversations()
				hooks, _, outcomes := watch()
				var refused atomic.Int32
				runVia(t, srv, func(req *http.Request) *http.Response {
					if !isMessages(req) {
						return nil
					}
					refused.Add(1)
					return reply(status, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`)
				}, router, hooks, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				all := visitors(srv, 30)
				outage(t, srv, func() {
					for _, v := range all {
						v.Say("0")
					}
				})
				pass(time.Hour)
				require.Len(t, outcomes.List(), 1)
				assert.False(t, outcomes.List()[0].Complete)
				require.ErrorIs(t, outcomes.List()[0].Err, crisp.ErrQuota)
				assert.LessOrEqual(t, refused.Load(), int32(8), "once for each that was underway")
			})
		})
	}
}

func TestADayOfRetryAfterIsNotBelieved(t *testing.T) {
	for name, fault := range map[string]func(srv *crisptest.Server){
		"REST":           func(srv *crisptest.Server) { srv.FailREST(503, 1, 24*time.Hour) },
		"REST, a quota":  func(srv *crisptest.Server) { srv.FailREST(429, 1, 24*time.Hour) },
		"the WebSocket":  func(srv *crisptest.Server) { srv.RefuseUpgrade(503, 1, 24*time.Hour) },
		"both, in a row": func(srv *crisptest.Server) { srv.FailREST(503, 1, time.Hour); srv.RefuseUpgrade(429, 1, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _ := texts()
				var retries testkit.Log[crisp.Retrying]
				run(t, srv, router, crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
				authenticated(t, srv)
				fault(srv)
				srv.DropConnections()
				pass(31 * time.Minute)
				assert.Len(t, srv.Sessions(), 1, "it is back")
				for _, r := range retries.List()[1:] {
					assert.Equal(t, 15*time.Minute, r.Delay)
				}
			})
		})
	}
}

func TestBackfillTakesNullForNoList(t *testing.T) {
	for route, match := range backfillRoutes {
		t.Run(route, func(t *testing.T) {
			backfillThrough(t, match, http.StatusOK, `{"error":false,"reason":"listed","data":null}`)
		})
	}
}
