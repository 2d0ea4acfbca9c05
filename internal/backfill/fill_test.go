package backfill_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAwaitedConversationsAreFetchedFirst(t *testing.T) {
	for name, tt := range map[string]struct {
		live  string // 5 s after the beginning
		asked string
	}{
		"none":                          {"", "a b c d e"},
		"one":                           {"d7", "a d b c e"},
		"two, in the order of the list": {"e7 cx", "a c e b d"},
		"that which is being fetched":   {"a7", "a b c d e"},
		"one that is not in the list":   {"x7", "a b c d e"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				found := make(map[string]messagePages)
				for _, id := range strings.Fields("a b c d e") {
					found[id] = slowly(10*time.Second, messages(id+"1"))
				}
				src := one("a30 b29 c28 d27 e26", found)
				r.gap(src)
				time.Sleep(5 * time.Second) // virtual
				r.live(tt.live)
				r.end()
				assert.Equal(t, "list w messages "+strings.ReplaceAll(tt.asked, " ", " messages "), strings.Join(src.asked.List(), " "))
			})
		})
	}
}

// A suspect is awaited, too: it is only fetched because an event waits.
func TestSuspectsAreFetchedBeforeWhatNobodyAwaits(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		src := &source{
			walks: map[string][]listPages{"w": {{listed("a30"), listed("a30 b29")}}},
			messages: map[string]messagePages{
				"a": slowly(10*time.Second, messages("a1")),
				"b": slowly(10*time.Second, messages("b1")),
				"z": slowly(10*time.Second, messages("z1")),
			},
		}
		r.gap(src)
		time.Sleep(5 * time.Second) // virtual
		r.live("z7")
		time.Sleep(16 * time.Second)
		assert.Equal(t, "a1* z1* z7", r.all())
		r.end()
		assert.Equal(t, "a1* z1* z7 b1*", r.all())
	})
}

// What takes as long for one conversation as for eight is asked for side by side.
func TestConversationsAreFetchedSideBySide(t *testing.T) {
	for sideBySide, took := range map[int]time.Duration{1: 10 * time.Second, 2: 5 * time.Second, 4: 3 * time.Second, 10: time.Second, 100: time.Second} {
		t.Run(fmt.Sprint(sideBySide), func(t *testing.T) {
			cfg := defaults
			cfg.SideBySide = sideBySide
			eachWay(t, cfg, func(t *testing.T, r *rig) {
				found := each("abcdefghij")
				for _, pages := range found {
					pages[0].after = time.Second
				}
				began := time.Now()
				r.gap(one("a30 b29 c28 d27 e26 f25 g24 h23 i22 j21", found))
				r.live("j7")
				got := r.end()
				require.NoError(t, got.Err)
				assert.Equal(t, 10, got.Messages)
				assert.Equal(t, latency+took, time.Since(began))
				assert.Equal(t, "j1* j7", r.of("j"))
			})
		})
	}
}

// Side by side, too: what is under way counts as much as the largest page so far.
func TestMaxAheadBoundsWhatIsFetchedSideBySide(t *testing.T) {
	const page, last = 2 * 1024, 1024
	cfg := defaults
	cfg.SideBySide, cfg.MaxAhead = 8, 4*(page+last)
	eachWay(t, cfg, func(t *testing.T, r *rig) {
		r.block = make(chan struct{})
		src := one("a30 b29 c28 d27 e26 f25 g24 h23 i22 j21 k20 l19 m18 n17 o16 p15 q14 r13 s12 t11", each("abcdefghijklmnopqrst"))
		r.gap(src)
		time.Sleep(time.Hour) // virtual
		assert.LessOrEqual(t, len(src.asked.List()), 1+cfg.SideBySide, "nothing is known of their size before the first has come")
		close(r.block)
		assert.Equal(t, 20, r.end().Messages)
	})
}

// What is fetched waits for its handlers in memory, beside the queue.
func TestNoMoreIsFetchedAheadOfTheHandlersThanMaxAhead(t *testing.T) {
	// What a page of one message counts, and what the end of a conversation.
	const page, last = 2 * 1024, 1024
	for name, tt := range map[string]struct {
		maxAhead int64
		asked    int // of ten conversations, while the handlers are busy
	}{
		"one conversation":   {page + last, 2}, // the second waits for room
		"three":              {3 * (page + last), 4},
		"a byte less":        {3*(page+last) - 1, 3},
		"all of them":        {10 * (page + last), 10},
		"less than any page": {1, 1}, // which goes where nothing else is
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaults
			cfg.MaxAhead = tt.maxAhead
			eachWay(t, cfg, func(t *testing.T, r *rig) {
				r.block = make(chan struct{})
				src := one("a30 b29 c28 d27 e26 f25 g24 h23 i22 j21", each("abcdefghij"))
				r.gap(src)
				time.Sleep(time.Hour) // virtual
				assert.Len(t, src.asked.List(), 1+tt.asked)
				assert.Empty(t, r.outcomes.List())
				close(r.block)
				assert.Equal(t, 10, r.end().Messages)
			})
		})
	}
}

// gapsInARow begins two gaps of a minute, with a minute between them in which a
// conversation has live events.
func gapsInARow(r *rig, first, second *source, between, behind string) {
	r.gap(first)
	r.live(between)
	time.Sleep(time.Until(at(180))) // virtual
	r.gapBetween(at(120), at(180), second)
	r.live(behind)
}

func TestASecondGapIsFilledBehindTheFirst(t *testing.T) {
	const hour = time.Hour
	for name, tt := range map[string]struct {
		list, messages [2]time.Duration // what they take in each gap
	}{
		"both at once":                   {},
		"the first is slow":              {messages: [2]time.Duration{hour, 0}},
		"the second is slow":             {messages: [2]time.Duration{0, hour}},
		"the first list is slow":         {list: [2]time.Duration{hour, 0}},
		"the second list is slow":        {list: [2]time.Duration{0, hour}},
		"the first is slow all the way":  {list: [2]time.Duration{hour, 0}, messages: [2]time.Duration{hour, 0}},
		"the second is slow all the way": {list: [2]time.Duration{0, hour}, messages: [2]time.Duration{0, hour}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				srcOf := func(gap int, list, found string) *source {
					return &source{
						walks:    map[string][]listPages{"w": {slowly(tt.list[gap], listed(list))}},
						messages: map[string]messagePages{"a": slowly(tt.messages[gap], messages(found))},
					}
				}
				// The second searches from the overlap on, and finds all again.
				gapsInARow(r, srcOf(0, "a30", "a1 a2"), srcOf(1, "a150", "a1 a2 a70 a130 a131"), "a70 ax", "a190 ay")
				r.end()
				assert.Equal(t, "a1* a2* a70 ax a130* a131* a190 ay", r.all())
				outcomes := r.outcomes.List()
				require.Len(t, outcomes, 2)
				assert.Equal(t, 2, outcomes[0].Messages)
				assert.Equal(t, 2, outcomes[1].Messages)
			})
		})
	}
}

// A mark holds back what may yet turn out to be a suspect of the gap before it.
func TestAGapGoesOnUntilItHasSeenWhatLiesBehindTheNext(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		r.gap(&source{
			walks:    map[string][]listPages{"w": {{listed("a30"), listed("a30")}}},
			messages: each("az"),
		})
		list := listed("o-300")
		list.after = time.Hour
		r.gap(&source{walks: map[string][]listPages{"w": {{list}}}})
		r.live("z7")
		time.Sleep(time.Minute) // virtual
		assert.Equal(t, "a1*", r.all())
		assert.Empty(t, r.outcomes.List())
		r.end()
		assert.Equal(t, "z1* z7", r.of("z"))
	})
}

func TestMessagesAreFetchedForOneGapAtATime(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		first := one("a30", map[string]messagePages{"a": slowly(time.Hour, messages("a1"))})
		second := one("b150", map[string]messagePages{"b": {messages("b121")}})
		gapsInARow(r, first, second, "", "")
		synctest.Wait()
		assert.Equal(t, []string{"list w"}, second.asked.List(), "what has changed is found out at once")
		time.Sleep(time.Until(at(61).Add(time.Hour))) // virtual
		synctest.Wait()
		assert.Equal(t, []string{"list w", "messages b"}, second.asked.List())
		r.end()
	})
}

func TestASecondGapHoldsUpNoConversationOfTheFirst(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		first := one("a30 b29", map[string]messagePages{
			"a": slowly(time.Second, messages("a1")),
			"b": slowly(time.Hour, messages("b1")),
		})
		gapsInARow(r, first, one("b150", map[string]messagePages{"b": {messages("b121")}}), "a7 b7", "a8 b8 c8")
		time.Sleep(time.Second) // virtual
		assert.Equal(t, "a1* a7 a8", r.of("a"))
		assert.Equal(t, "c8", r.of("c"))
		assert.Empty(t, r.of("b"))
		r.end()
		assert.Equal(t, "b1* b7 b121* b8", r.of("b"))
	})
}

func TestManyGapsAreFilledInTheirOrder(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		const gaps = 20
		var want []string
		for n := range gaps {
			r.gap(one("a30", map[string]messagePages{"a": slowly(time.Second, messages(fmt.Sprint("a", n+1)))}))
			want = append(want, fmt.Sprint("a", n+1, "*"))
		}
		r.end()
		assert.Equal(t, strings.Join(want, " "), r.all())
		assert.Len(t, r.outcomes.List(), gaps)
	})
}

// Connections may be lost one after the other while REST does not answer: that must
// not make ever more requests wait for it.
func TestTwoGapsAreLookedAtAtATime(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		list := listed("a30")
		list.after = time.Hour
		var sources []*source
		asked := func() (n int) {
			synctest.Wait()
			for _, s := range sources {
				n += len(s.asked.List())
			}
			return n
		}
		for range 5 {
			s := &source{walks: map[string][]listPages{"w": {{list}}}, messages: each("a")}
			sources = append(sources, s)
			r.gap(s)
		}
		assert.Equal(t, 2, asked())
		r.live("a7 z8")
		r.end()
		assert.Equal(t, "a1* a7", r.of("a"))
		assert.Equal(t, "z8", r.of("z"))
		assert.Len(t, r.outcomes.List(), 5)
	})
}
