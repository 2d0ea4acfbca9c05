package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// A conversation whose backfill takes long, and in which much is said meanwhile, takes no
// room from the others.
func TestALongBackfillTakesNobodysRoom(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, got := conversations()
		hooks, _, outcomes := watch()
		busy, other := srv.Visitor(), srv.Visitor()
		see := slowly(13*time.Second, func(req *http.Request) bool { return isMessages(req) && strings.Contains(req.URL.Path, busy.SessionID) })
		rtm := runVia(t, srv, see, router, hooks, crisp.WithBackfill(crisp.Backfill{}), crisp.WithQueue(100_000, crisp.OverflowDrop))
		authenticated(t, srv)
		outage(t, srv, func() { busy.Say("missed") })
		for n := range 300 { // twice the queue, in 10 s
			say(busy, n, n+1)
			say(other, n, n+1)
			pass(time.Second / 30)
		}
		require.Empty(t, outcomes.List())
		assert.Equal(t, numbers(0, 300), of(got.List(), other.SessionID))
		assert.Positive(t, rtm.Stats().Dropped)
		pass(10 * time.Minute)
		heard := of(got.List(), busy.SessionID)
		for i := range heard {
			heard[i] = strings.TrimSuffix(heard[i], " (backfill)")
		}
		assert.Equal(t, append([]string{"missed"}, numbers(0, 300)...), heard, "what was dropped is recovered")
		for _, o := range outcomes.List() {
			assert.True(t, o.Complete)
		}
	})
}

// TestLastingOverload sends twice as many messages as handlers can bear, for three
// minutes. What can't be handled is dropped; what waits for a backfill must not take
// the handlers' work away from them.
func TestLastingOverload(t *testing.T) {
	for name, backfill := range map[string][]crisp.RTMOption{
		"without a backfill": nil,
		"with one":           {crisp.WithBackfill(crisp.Backfill{MaxRequests: 1 << 20})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				const takes, every, lasts = 10 * time.Millisecond, 5 * time.Millisecond, 3 * time.Minute
				var live, recovered int
				router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
				crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
					if err := testkit.Elapse(ctx, takes); err != nil {
						return err
					}
					if ev.Source == crisp.SourceBackfill {
						recovered++
					} else {
						live++
					}
					return nil
				})
				var dropped testkit.Log[crisp.Dropped]
				srv.SlowREST(50 * time.Millisecond)
				rtm := run(t, srv, router, append(backfill,
					crisp.WithQueue(100_000, crisp.OverflowDrop),
					crisp.WithHooks(crisp.Hooks{Dropped: dropped.Add}))...)
				authenticated(t, srv)
				all := visitors(srv, 20)
				n := 0
				for began := time.Now(); time.Since(began) < lasts; n++ {
					all[n%len(all)].Say("hello")
					time.Sleep(every)
				}
				synctest.Wait()
				handled := live + recovered
				t.Logf("%d sent, %d live, %d recovered, %d dropped, %d requests", n, live, recovered, rtm.Stats().Dropped, len(srv.Requests()))
				assert.Greater(t, handled, int(lasts/takes)*9/10, "handlers are busy")
			})
		})
	}
}
