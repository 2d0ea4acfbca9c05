package crisp

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/fifo"
	"github.com/crisp-go/crisp/internal/testkit"
)

// An identifier of an event, or of an answer, is a part of its payload: whoever keeps it
// keeps the payload.

const (
	largeSize = 100_000 // of each payload
	largeMany = 50
)

// filler makes a payload large.
var filler = strings.Repeat("x", largeSize)

// assertPinsNothing fails if what keep returns keeps a payload or more of many in memory.
func assertPinsNothing[T any](t *testing.T, keep func() T) {
	t.Helper()
	before := testkit.Heap()
	kept := keep()
	assert.Less(t, testkit.Heap()-before, int64(largeMany*largeSize/4))
	runtime.KeepAlive(kept)
}

// largePages answers a list in pages of ten.
func largePages(many int, element func(n int) string) getter {
	page := 0
	return func(_ context.Context, _ string, out any) error {
		var all []string
		for n := page * 10; n < min(page*10+10, many); n++ {
			all = append(all, element(n))
		}
		page++
		return json.Unmarshal([]byte("["+strings.Join(all, ",")+"]"), out)
	}
}

func largeConversation(n int) string {
	return fmt.Sprintf(`{"session_id":"session_%d","inbox_id":"inbox_%d","updated_at":%d,"topic":%q}`, n, n, 1_700_000_000_000-int64(n), filler)
}

func TestWhatABackfillListsPinsNoPayload(t *testing.T) {
	assertPinsNothing(t, func() (all []backfill.Conversation) {
		for page, err := range changedConversations(t.Context(), largePages(largeMany, largeConversation), "site") {
			require.NoError(t, err)
			all = append(all, page...)
		}
		require.Len(t, all, largeMany)
		assert.Equal(t, backfill.Conversation{Website: "site", ID: "session_3", Inbox: "inbox_3", Changed: time.UnixMilli(1_699_999_999_997).UTC()}, all[3])
		return all
	})
}

func TestAListInPagesPinsNoPageThatWasRead(t *testing.T) {
	assertPinsNothing(t, func() any {
		list := conversationList(largePages(largeMany+1, largeConversation), "site", lastChanged)
		list.id = func(c *Conversation) string { return c.SessionID }
		before, read := testkit.Heap(), 0
		for c, err := range flatten(list.pages(t.Context())) {
			require.NoError(t, err)
			if read++; read == largeMany+1 {
				assert.Less(t, testkit.Heap()-before, int64(largeMany*largeSize/4), "at %s", c.SessionID)
			}
		}
		return nil
	})
}

func TestAConversationsMessagesPinNoPageThatWasRead(t *testing.T) {
	for _, backwards := range []bool{false, true} {
		t.Run(fmt.Sprint("backwards ", backwards), func(t *testing.T) {
			// Without a time, each could come again at any moment.
			get := largePages(largeMany+2, func(n int) string {
				at := ""
				if n%10 == 0 {
					number := n
					if backwards {
						number = largeMany - n
					}
					at = fmt.Sprintf(`"timestamp":%d,`, 1_700_000_000_000+1000*int64(number))
				}
				return fmt.Sprintf(`{"session_id":"session_1","type":"text","from":"user",%s"fingerprint":%d,"content":%q}`, at, n+1, filler)
			})
			walk := messageWalk{get: get, ref: SessionRef{WebsiteID: "site", SessionID: "session_1"}, backwards: backwards}
			before, pages := testkit.Heap(), 0
			for page, err := range walk.pages(t.Context()) {
				require.NoError(t, err)
				require.NotEmpty(t, page)
				if pages++; pages == largeMany/10+1 {
					assert.Less(t, testkit.Heap()-before, int64(largeMany*largeSize/2))
				}
			}
			assert.Equal(t, largeMany/10+1, pages)
		})
	}
}

func TestClaimsOfDifferentIDsAreApart(t *testing.T) {
	hash := EventID(&MessageSend{SessionID: "session_1", Fingerprint: 1})
	claims := NewMemoryClaims(0)
	for _, id := range []string{hash, strings.ToUpper(hash), hash[1:], hash + "0", hash[:63] + "g", "", "lease:" + hash, strings.Repeat("0", 64)} {
		state, err := claims.Claim(t.Context(), id, "me", time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ClaimOwned, state, id)
		assert.NoError(t, claims.Done(t.Context(), id, time.Hour))
		state, err = claims.Claim(t.Context(), id, "me", time.Hour)
		assert.NoError(t, err)
		assert.Equal(t, ClaimDone, state, id)
	}
}

func TestClaimsPinNoID(t *testing.T) {
	assertPinsNothing(t, func() *MemoryClaims {
		claims := NewMemoryClaims(0)
		for n := range largeMany {
			id := fmt.Sprint(n, filler)[:64]
			_, _ = claims.Claim(t.Context(), id, "me", time.Hour)
			if n%2 == 0 {
				_ = claims.Done(t.Context(), id, time.Hour)
			}
		}
		return claims
	})
}

// largeMessages makes messages whose identifiers share their payloads' memory, of which
// every second session_id has the usual form.
func largeMessages(t *testing.T, from From, many int) (all []Event) {
	for n := range many {
		session := fmt.Sprintf("session_%08x-1b2c-4d5e-8f90-a1b2c3d4e5f6", n)
		if n%2 == 1 {
			session = fmt.Sprint("session_", n)
		}
		name := nameMessageSend
		if from == FromOperator {
			name = nameMessageReceived
		}
		ev, err := Decode(name, fmt.Appendf(nil, `{"website_id":"site","session_id":%q,"type":"text","from":%q,"fingerprint":%d,"content":%q}`, session, from, n+1, filler))
		require.NoError(t, err)
		all = append(all, ev)
	}
	return slices.Clip(all)
}

func TestWhatAClientKnowsOfConversationsPinsNoMessage(t *testing.T) {
	client, err := New(WebsiteToken("site", "identifier", "key"))
	require.NoError(t, err)
	limit := &replyLimit{most: 1, sent: fifo.New[sessionKey, []time.Duration](maxLimited)}
	router := NewRouter()
	PauseOnHuman(router, client)
	Supersede(router)
	router.Use(IgnoreSelf(client), Once(NewMemoryClaims(0)))
	On(router, func(_ context.Context, ev *MessageSend) error {
		session := sessionKeyOf(ev.SessionID)
		client.sent.begin(session, true)
		client.sent.end(session, ev.Fingerprint+1000, true)
		return limit.take(ev.Session())
	})
	On(router, func(context.Context, *MessageReceived) error { return nil })
	assertPinsNothing(t, func() any {
		for _, from := range []From{FromUser, FromOperator} {
			for _, ev := range largeMessages(t, from, largeMany) {
				require.NoError(t, router.Dispatch(t.Context(), ev))
			}
		}
		return nil
	})
	runtime.KeepAlive(router)
}
