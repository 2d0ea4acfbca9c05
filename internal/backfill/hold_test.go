package backfill_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/delivery"
)

// lacking is a source whose list may lack conversations: it repeats its only page,
// without end.
func lacking(found map[string]messagePages) *source {
	return &source{walks: map[string][]listPages{"w": {{listed("b30"), listed("b30"), listed("b30"), listed("b30")}}}, messages: found}
}

// A payload may spell a conversation's id with escapes, so that an event's key is not
// the id: what waits must be found again all the same.
func TestASuspectIsKnownByItsIDWhateverItsKeyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := defaults
		r := newRig(t, 1, cfg)
		cfg.Fingerprint = func(it *delivery.Item) int64 { return fingerprint(it.Name) }
		cfg.Conversation = func(it *delivery.Item) backfill.Conversation {
			return backfill.Conversation{ID: strings.ToLower(it.Key)}
		}
		r.Backfill = backfill.New(t.Context(), t.Context(), r.queue, r.seen, cfg)
		r.gap(lacking(map[string]messagePages{"z": {messages("z1")}}))
		r.live("Zx Z7 z8")
		r.end()
		assert.Equal(t, "z1* Zx Z7 z8", r.all())
	})
}

// Messages that are not subscribed to show how far a conversation was read, too: one
// that goes on with them is not read without end.
func TestMessagesThatAreNotSubscribedToEndAConversation(t *testing.T) {
	var pages messagePages
	for second := 10; second <= 1000; second += 10 {
		p := messages(fmt.Sprint("z", second))
		p.all[0].Value = nil
		pages = append(pages, p)
	}
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		src := lacking(map[string]messagePages{"z": pages})
		r.gap(src)
		r.live("zx")
		r.end()
		assert.Equal(t, "zx", r.of("z"))
		asked := strings.Count(strings.Join(src.asked.List(), " "), "messages z")
		require.NotZero(t, asked)
		assert.Less(t, asked, 20, "up to an overlap behind the latest change")
	})
}
