package test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// answered makes the payload of an operator's answer.
func answered(session string, n int) []byte {
	return fmt.Appendf(nil, `{"website_id":%q,"session_id":%q,"type":"text","from":"operator","origin":"chat","content":"I am on it","fingerprint":%d,"user":{"user_id":"3","nickname":"Ann"}}`,
		crisptest.WebsiteID, session, 1_000_000+n)
}

func sessionID(n int) string { return fmt.Sprintf("session_%08x-1b2c-4d5e-8f90-a1b2c3d4e5f6", n) }

// A client remembers a hundred thousand conversations: of each the visitor's message, and
// that a person has answered it.
func TestAConversationCostsLittle(t *testing.T) {
	const conversations, warm, batch, most = 100_000, 5_000, 100, 200
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client, router := srv.Client(), crisp.NewRouter()
		pauses := crisp.PauseOnHuman(router, client)
		claims := crisp.NewMemoryClaims(2 * conversations)
		router.Use(crisp.Once(claims))
		var handled atomic.Int64
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { handled.Add(1); return nil })
		runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}), crisp.WithConcurrency(4))
		authenticated(t, srv)
		talk := func(from, to int) {
			for first := from; first < to; first += batch {
				for n := range batch {
					srv.EmitRaw("message:send", message(sessionID(first+n), first+n))
				}
				synctest.Wait()
				for n := range batch {
					srv.EmitRaw("message:received", answered(sessionID(first+n), first+n))
				}
				synctest.Wait()
			}
		}
		talk(0, warm) // the server remembers something, too, within a bound
		before := testkit.Heap()
		talk(warm, warm+conversations)
		each := float64(testkit.Heap()-before) / conversations
		t.Logf("%.0f bytes each", each)
		assert.EqualValues(t, warm+conversations, handled.Load())
		paused := 0
		for range pauses.All() {
			paused++
		}
		t.Log(paused, "paused")
		assert.LessOrEqual(t, each, float64(most))
		runtime.KeepAlive(claims)
	})
}
