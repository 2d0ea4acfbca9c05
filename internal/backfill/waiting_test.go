package backfill_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowly makes pages that take some time each.
func slowly[T any](each time.Duration, pages ...page[T]) []page[T] {
	for i := range pages {
		pages[i].after = each
	}
	return pages
}

func TestAConversationIsLinedUp(t *testing.T) {
	for name, tt := range map[string]struct {
		found messagePages
		live  string
		want  string
	}{
		"recovered before live": {
			found: messagePages{messages("a1 a2")}, live: "a7 ax a8",
			want: "a1* a2* a7 ax a8",
		},
		"of several pages": {
			found: messagePages{messages("a1 a2"), messages("a3")}, live: "ax a7",
			want: "a1* a2* a3* ax a7",
		},
		"nothing recovered": {
			found: nil, live: "a7 ax",
			want: "a7 ax",
		},
		"what came live stays where it came": {
			found: messagePages{messages("a1 a7 a8")}, live: "ax a7 ay a8",
			want: "a1* ax a7 ay a8",
		},
		"what came live in another order": {
			found: messagePages{messages("a1 a7 a8")}, live: "a8 a7",
			want: "a1* a8 a7",
		},
		"what lies behind a live one comes behind what came with it": {
			found: messagePages{messages("a1 a7 a8 a9")}, live: "a7 ax",
			want: "a1* a7 ax a8* a9*",
		},
		"what lies between live ones comes there": {
			found: messagePages{messages("a1 a7 a8 a9")}, live: "a7 a9 ax",
			want: "a1* a7 a8* a9 ax",
		},
		"what lies on the page behind that of a live one": {
			found: messagePages{messages("a1 a7"), messages("a8"), messages("a9")}, live: "a7 ax",
			want: "a1* a7 ax a8* a9*",
		},
		"without live ones": {
			found: messagePages{messages("a1"), messages("a2")}, live: "",
			want: "a1* a2*",
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				r.gap(one("a30", map[string]messagePages{"a": tt.found}))
				r.live(tt.live)
				require.NoError(t, r.end().Err)
				assert.Equal(t, tt.want, r.all())
			})
		})
	}
}

func TestEverythingWaitsUntilTheConversationsAreKnown(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		r.live("a1 b1")
		list := listed("a30")
		list.after = time.Second
		r.gap(&source{
			walks:    map[string][]listPages{"w": {{list}}},
			messages: map[string]messagePages{"a": slowly(time.Second, messages("a2"))},
		})
		r.live("a3 b3 -x")
		assert.Equal(t, "a1", r.of("a"))
		assert.Equal(t, "b1", r.of("b"), "what was received before the gap goes on")
		time.Sleep(time.Second) // virtual
		assert.Equal(t, "b1 b3", r.of("b"), "those that have not changed miss nothing")
		assert.Equal(t, "-x", r.of("-"))
		assert.Equal(t, "a1", r.of("a"))
		r.live("a4 b4")
		assert.Equal(t, "b1 b3 b4", r.of("b"))
		assert.Equal(t, "a1", r.of("a"))
		time.Sleep(time.Second)
		assert.Equal(t, "a1 a2* a3 a4", r.of("a"))
		r.end()
	})
}

// Whoever is told of a gap must hear of it before anything that comes behind it.
func TestEverythingWaitsUntilTheGapIsToldOf(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		told := make(chan struct{})
		r.gapToldBy(told, at(0), at(60), one("a30", each("a")))
		r.live("a7 b8")
		time.Sleep(time.Hour) // virtual
		assert.Empty(t, r.all())
		close(told)
		r.end()
		assert.Equal(t, "a1* a7", r.of("a"))
		assert.Equal(t, "b8", r.of("b"))
	})
}

func TestAConversationThatIsDoneWaitsForNoOther(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		r.gap(one("a30 b20", map[string]messagePages{
			"a": slowly(time.Second, messages("a1")),
			"b": slowly(time.Hour, messages("b1")),
		}))
		r.live("a7 b7")
		time.Sleep(2 * time.Second) // virtual
		r.live("a8 b8")
		assert.Equal(t, "a1* a7 a8", r.of("a"))
		assert.Empty(t, r.of("b"))
		r.end()
		assert.Equal(t, "b1* b7 b8", r.of("b"))
	})
}

// A list that was too busy to be read whole may lack any conversation: those that
// have events show themselves.
func TestSuspectsWaitWhereAListIsPartial(t *testing.T) {
	busy := func(after time.Duration) *source {
		return &source{
			walks: map[string][]listPages{"w": {{listed("a30"), listed("a30")}}},
			messages: map[string]messagePages{
				"a": slowly(after, messages("a1")),
				"z": slowly(after, messages("z1")),
			},
		}
	}
	t.Run("and are fetched", func(t *testing.T) {
		eachWay(t, defaults, func(t *testing.T, r *rig) {
			r.gap(busy(time.Second))
			r.live("zx z7 -y")
			time.Sleep(time.Second / 2) // virtual
			assert.Empty(t, r.of("z"))
			assert.Equal(t, "-y", r.of("-"), "what belongs to no conversation waits for none")
			r.live("z8")
			r.end()
			assert.Equal(t, "z1* zx z7 z8", r.of("z"))
		})
	})
	t.Run("until all is fetched", func(t *testing.T) {
		eachWay(t, defaults, func(t *testing.T, r *rig) {
			src := busy(0)
			r.gap(src)
			r.Wait()
			r.live("z7")
			assert.Equal(t, "z7", r.of("z"))
			assert.NotContains(t, src.asked.List(), "messages z")
			r.end()
		})
	})
}

func TestAMessageThatCameLiveIsNotRecovered(t *testing.T) {
	for name, before := range map[string]func(r *rig){
		"before the gap": func(r *rig) { r.live("a7") },
		"in a run of the program before": func(r *rig) {
			r.seen.Restore([]uint64{keyOf("a7")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				before(r)
				synctest.Wait()
				handled := r.all()
				r.gap(one("a30", map[string]messagePages{"a": {messages("a7")}}))
				r.live("ax")
				assert.Zero(t, r.end().Messages)
				if handled != "" {
					handled += " "
				}
				assert.Equal(t, handled+"ax", r.all())
			})
		})
	}
}

func TestARecoveredMessageDoesNotComeAgainLive(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		r.gap(one("a30", map[string]messagePages{"a": {messages("a7")}}))
		r.Wait()
		r.live("a7 a8")
		assert.Equal(t, 1, r.end().Messages)
		assert.Equal(t, "a7* a8", r.all())
	})
}

// A backfill may take so long that what was handled before its gap is forgotten.
// It keeps what was handled up to two overlaps before that: messages may bear the
// time of a clock that differs by one.
func TestALongBackfillForgetsNothingThatWasHandledBeforeItsGap(t *testing.T) {
	for before, recovered := range map[time.Duration]string{
		0:                      "a2*",
		2 * defaults.Overlap:   "a2*",
		2*defaults.Overlap + 1: "a1* a2*",
		100 * defaults.Overlap: "a1* a2*",
	} {
		t.Run(before.String(), func(t *testing.T) {
			inBubble(t, defaults, func(t *testing.T, r *rig) {
				r.seen.Add(keyOf("a1"), false)
				began := time.Now().Add(before)
				r.gapBetween(began, began.Add(time.Minute), one("a30000", map[string]messagePages{
					"a": slowly(time.Hour, messages("a1 a2")),
				}))
				synctest.Wait()
				for key := range uint64(1 << 15) { // as many as are remembered
					r.seen.Add(key, false)
				}
				require.False(t, r.seen.Repeats(keyOf("a1"), true))
				assert.Equal(t, len(strings.Fields(recovered)), r.end().Messages)
				assert.Equal(t, recovered, r.all())
			})
		})
	}
}
