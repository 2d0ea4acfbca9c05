package crisp

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/fifo"
	"github.com/crisp-go/crisp/internal/testkit"
)

// remembering is something that is remembered of conversations, or of messages.
type remembering struct {
	put   func(n int)
	limit int           // how many are remembered; 0 = all
	most  float64       // bytes for each of them
	over  time.Duration // after which it is forgotten; 0 = the limit alone bounds it
	look  func()        // what happens then
}

func usualSession(n int) string { return fmt.Sprintf("session_%08x-1b2c-4d5e-8f90-a1b2c3d4e5f6", n) }

// What docs/performance.md says of memory.
func TestWhatIsRememberedCostsLittle(t *testing.T) {
	const many = 100_000
	ctx := context.Background() // not of this goroutine's time
	message := func(n int, from From) *MessageSend {
		return &MessageSend{WebsiteID: "42286ab3-b29a-4fde-8538-da0ae501d825", SessionID: usualSession(n), From: from, Fingerprint: int64(n) + 1, Timestamp: time.Now()}
	}
	for name, of := range map[string]func(*Client) remembering{
		"a pause": func(c *Client) remembering {
			pauses := PauseOnHuman(NewRouter(), c, ResumeAfter(time.Hour))
			return remembering{
				put:  func(n int) { pauses.Pause(message(n, FromOperator).Session(), time.Now()) },
				most: 100,
				over: time.Hour,
				look: func() { pauses.Paused(SessionRef{}) },
			}
		},
		"a person's answer": func(c *Client) remembering {
			pauses := PauseOnHuman(NewRouter(), c)
			return remembering{put: func(n int) { pauses.repeats(idOf(message(n, FromOperator).Message())) }, limit: maxSent, most: 62}
		},
		"the client's own message": func(c *Client) remembering {
			return remembering{put: func(n int) {
				session := sessionKeyOf(usualSession(n))
				c.sent.begin(session, true)
				c.sent.end(session, int64(n)+1, true)
			}, limit: maxSent, most: 62}
		},
		"the visitor's last message": func(*Client) remembering {
			s := &superseding{running: newRunning(), latest: fifo.New[conversationKey, latestMessage](maxPauses)}
			return remembering{put: func(n int) { s.observe(message(n, FromUser)) }, most: 110}
		},
		"two replies": func(*Client) remembering {
			limit := &replyLimit{most: 10, epoch: time.Now(), sent: fifo.New[sessionKey, []time.Duration](maxLimited)}
			reply := func(n int) { _ = limit.take(message(n, FromUser).Session()) }
			return remembering{put: func(n int) { reply(n); reply(n) }, limit: maxLimited, most: 94, over: time.Minute, look: func() { reply(0) }}
		},
		"a message that was handled": func(*Client) remembering {
			seen := backfill.NewSeen(clock.New())
			return remembering{put: func(n int) { seen.Add(uint64(n), false) }, limit: 32_768, most: 46}
		},
		"a claim": func(*Client) remembering {
			claims := NewMemoryClaims(0)
			handle := func(n int) {
				id := EventID(message(n, FromUser))
				_, _ = claims.Claim(ctx, id, "me", time.Minute)
				_ = claims.Done(ctx, id, 24*time.Hour)
			}
			return remembering{put: handle, most: 65, over: 24 * time.Hour, look: func() { handle(0) }}
		},
		"a delivery": func(*Client) remembering {
			dedupe := NewMemoryDedupe(0, 0)
			return remembering{
				put:  func(n int) { _ = dedupe.MarkDone(ctx, DeliveryKey{byte(n), byte(n >> 8), byte(n >> 16)}) },
				most: 65,
				over: 24 * time.Hour,
				look: func() { _, _ = dedupe.Done(ctx, DeliveryKey{}) },
			}
		},
		"a conversation whose handlers are over": func(*Client) remembering {
			running := newRunning()
			return remembering{put: func(n int) {
				_ = running.do(ctx, conversationOf(message(n, FromUser).Message()), place{}, func(*turn) {}, func(context.Context) error { return nil })
			}, most: 0.5}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := New(WebsiteToken("site", "identifier", "key"))
				require.NoError(t, err)
				before := testkit.Heap()
				r := of(client)
				for n := range many {
					r.put(n)
				}
				kept := min(cmp.Or(r.limit, many), many)
				each := float64(testkit.Heap()-before) / float64(kept)
				t.Logf("%.1f bytes for each of %d", each, kept)
				assert.LessOrEqual(t, each, r.most)
				if r.over > 0 {
					time.Sleep(r.over) // virtual
					r.look()
					assert.Less(t, testkit.Heap()-before, int64(20_000), "when it is over")
				}
				runtime.KeepAlive(r)
				runtime.KeepAlive(client)
			})
		})
	}
}
