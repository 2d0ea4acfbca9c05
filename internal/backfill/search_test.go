package backfill_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/backfill"
)

// each has a message of each conversation: a1, b1, …
func each(ids string) map[string]messagePages {
	found := make(map[string]messagePages)
	for _, id := range strings.Split(ids, "") {
		found[id] = messagePages{messages(id + "1")}
	}
	return found
}

// The list of conversations is read page by page, the latest change first. One
// that changes meanwhile moves to the front, and may escape; so may others if the
// list is too busy to be read without that.
func TestTheListIsReadUntilNoConversationCanHaveEscaped(t *testing.T) {
	for name, tt := range map[string]struct {
		walks     []listPages // the last one is repeated
		requests  int
		recovered string
		partial   bool
	}{
		"one page": {
			walks:    []listPages{{listed("a30 b20 o-300"), listed("o-400")}},
			requests: 1, recovered: "a1* b1*",
		},
		"one page, which is the whole list": {
			walks:    []listPages{{listed("a30 b20")}},
			requests: 1, recovered: "a1* b1*",
		},
		"an empty list": {
			walks:    []listPages{{}},
			requests: 0, recovered: "",
		},
		"nothing has changed": {
			walks:    []listPages{{listed("o-300")}},
			requests: 1, recovered: "",
		},
		"a change within the overlap": {
			walks:    []listPages{{listed("a-119 b-120 o-121")}},
			requests: 1, recovered: "a1* b1*",
		},
		"two pages, then nothing new": {
			walks:    []listPages{{listed("a30 b20"), listed("c10 o-300")}, {listed("a30 b20"), listed("c10 o-300")}},
			requests: 3, recovered: "a1* b1* c1*",
		},
		"two pages to the end of the list": {
			walks:    []listPages{{listed("a30"), listed("b20")}, {listed("a30 b20")}},
			requests: 3, recovered: "a1* b1*",
		},
		"one that moves to the front meanwhile": {
			walks:    []listPages{{listed("a30 b20"), listed("o-300")}, {listed("c70 a30"), listed("b20 o-300")}},
			requests: 5, recovered: "a1* b1* c1*",
		},
		"more of them than fit on a page": {
			walks: []listPages{
				{listed("a30 b20"), listed("d71 c70"), listed("a30 b20"), listed("o-300")},
				{listed("f73 e72"), listed("d71 c70"), listed("a30 b20")},
			},
			requests: 8, recovered: "a1* b1* c1* d1* e1* f1*",
		},
		"some that move whenever the list is read": {
			walks: []listPages{
				{listed("a30 b20"), listed("o-300")},
				{listed("c70 d65"), listed("a30 b20")},
				{listed("e75 f73"), listed("c70 a30")},
				{listed("g85"), listed("h84 e75"), listed("f73 c70")},
				{listed("i90 g85")}, // once too often
			},
			requests: 9, recovered: "a1* b1* c1* d1* e1* f1* g1* h1*", partial: true,
		},
		"one that says the same again": {
			walks:    []listPages{{listed("a30"), listed("a30"), listed("a30")}},
			requests: 12, recovered: "a1*", partial: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, defaults, func(t *testing.T, r *rig) {
				src := &source{walks: map[string][]listPages{"w": tt.walks}, messages: each("abcdefghioz")}
				r.gap(src)
				r.live("z9") // which no list has
				got := r.end()
				assert.NoError(t, got.Err)
				assert.Equal(t, tt.requests, strings.Count(strings.Join(src.asked.List(), " "), "list w"))
				z := "z9"
				if tt.partial {
					z = "z1* z9"
				}
				assert.Equal(t, z, r.of("z"), "what no list has is fetched where lists may lack something, and only there")
				handled := slices.DeleteFunc(r.handled.List(), func(name string) bool { return name[:1] == "z" })
				assert.ElementsMatch(t, strings.Fields(tt.recovered), handled)
			})
		})
	}
}

func TestOneListThatLacksSomethingIsEnoughForSuspects(t *testing.T) {
	for _, websites := range [][]string{{"v", "w"}, {"w", "v"}} {
		inBubble(t, defaults, func(t *testing.T, r *rig) {
			r.gap(&source{
				websites: websites,
				walks:    map[string][]listPages{"v": {{listed("a30"), listed("a30")}}, "w": {{listed("b30")}}},
				messages: each("abz"),
			})
			r.live("z9")
			r.end()
			assert.Equal(t, "z1* z9", r.of("z"))
		})
	}
}

func TestConversationsThatCouldNotBeFetchedAreNotListed(t *testing.T) {
	cfg := defaults
	cfg.MaxRequests = 3
	for name, tt := range map[string]struct {
		walk     listPages
		requests int
		err      error
	}{
		"as many as may be fetched": {listPages{listed("a30 b20"), listed("c10 o-300")}, 3, nil}, // with the second walk
		"more than that":            {listPages{listed("a30 b20"), listed("c10 d5"), listed("e4 o-300")}, 2, backfill.ErrBudget},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cfg, func(t *testing.T, r *rig) {
				src := &source{walks: map[string][]listPages{"w": {tt.walk}}, messages: each("abcde")}
				r.gap(src)
				assert.Equal(t, tt.err, r.end().Err)
				assert.Len(t, slices.DeleteFunc(src.asked.List(), func(request string) bool { return request != "list w" }), tt.requests)
				assert.Subset(t, r.handled.List(), []string{"a1*", "b1*", "c1*"})
			})
		})
	}
}

func TestAnErrorLeavesOutWhatItConcerns(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(s *source)
		asked   string // separated by commas
		handled string
		err     error
	}{
		"nothing": {
			change:  func(*source) {},
			asked:   "list v,list w,messages a,messages b",
			handled: "a1* a8 b1* b9",
		},
		"the list of websites": {
			change:  func(s *source) { s.websitesErr = errLocal }, // nobody knows what it lacks
			handled: "a8 b9", err: errLocal,
		},
		"the list of one website": {
			change:  func(s *source) { s.walks["v"] = []listPages{{{err: errLocal}}} },
			asked:   "list v,list w,messages b",
			handled: "a8 b1* b9", err: errLocal,
		},
		"a later page of it": {
			change:  func(s *source) { s.walks["v"] = []listPages{{listed("a30"), {err: errLocal}}} },
			asked:   "list v,list v,list w,messages a,messages b",
			handled: "a1* a8 b1* b9", err: errLocal,
		},
		"all lists": {
			change:  func(s *source) { s.walks["v"] = []listPages{{{err: errGlobal}}} },
			asked:   "list v",
			handled: "a8 b9", err: errGlobal,
		},
		"all that follows a list": {
			change:  func(s *source) { s.walks["w"] = []listPages{{{err: errGlobal}}} },
			asked:   "list v,list w",
			handled: "a8 b9", err: errGlobal,
		},
		"the messages of one conversation": {
			change:  func(s *source) { s.messages["a"] = messagePages{{err: errLocal}} },
			asked:   "list v,list w,messages a,messages b",
			handled: "a8 b1* b9", err: errLocal,
		},
		"a later page of them": {
			change:  func(s *source) { s.messages["a"] = messagePages{messages("a1"), {err: errLocal}} },
			asked:   "list v,list w,messages a,messages a,messages b",
			handled: "a1* a8 b1* b9", err: errLocal,
		},
		"all messages": {
			change:  func(s *source) { s.messages["a"] = messagePages{{err: errGlobal}} },
			asked:   "list v,list w,messages a",
			handled: "a8 b9", err: errGlobal,
		},
		"two of them": {
			change: func(s *source) {
				s.messages["a"] = messagePages{{err: errLocal}}
				s.messages["b"] = messagePages{{err: errGlobal}}
			},
			asked:   "list v,list w,messages a,messages b",
			handled: "a8 b9", err: errLocal, // the first is told
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				src := &source{
					websites: []string{"v", "w"},
					walks:    map[string][]listPages{"v": {{listed("a30")}}, "w": {{listed("b20")}}},
					messages: each("ab"),
				}
				tt.change(src)
				r.gap(src)
				r.live("a8 b9")
				assert.Equal(t, tt.err, r.end().Err)
				assert.Equal(t, tt.asked, strings.Join(src.asked.List(), ","))
				assert.Equal(t, tt.handled, r.of("a")+" "+r.of("b"))
			})
		})
	}
}

func TestTheSearchBeginsAnOverlapBeforeTheGapButNotBeforeMaxAge(t *testing.T) {
	for name, tt := range map[string]struct {
		from   time.Time
		maxAge time.Duration
		since  time.Time
		err    error
	}{
		"all is young enough":         {at(0), time.Hour, at(-120), nil},
		"Crisp counts milliseconds":   {at(0).Add(1999 * time.Microsecond), time.Hour, at(-120).Add(time.Millisecond), nil},
		"the overlap is cut":          {at(0), 2 * time.Minute, at(-60), nil},
		"all but the gap is cut":      {at(0), time.Minute, at(0), nil},
		"the gap is cut":              {at(0), 30 * time.Second, at(30), backfill.ErrTooOld},
		"the gap is cut a bit":        {at(0), time.Minute - time.Millisecond, at(0).Add(time.Millisecond), backfill.ErrTooOld},
		"the whole gap is too old":    {at(-7200), time.Minute, at(0), backfill.ErrTooOld},
		"the gap was a moment, today": {at(60), time.Minute, at(0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaults
			cfg.MaxAge = tt.maxAge
			inBubble(t, cfg, func(t *testing.T, r *rig) {
				src := one("a50", each("a"))
				r.gapBetween(tt.from, at(60), src)
				assert.Equal(t, tt.err, r.end().Err)
				assert.Equal(t, []time.Time{tt.since}, src.since.List())
			})
		})
	}
}

func TestAnErrorIsToldRatherThanTheAge(t *testing.T) {
	cfg := defaults
	cfg.MaxAge = time.Second
	inBubble(t, cfg, func(t *testing.T, r *rig) {
		r.gap(one("a60", map[string]messagePages{"a": {{err: errLocal}}}))
		assert.Equal(t, errLocal, r.end().Err)
	})
}

func TestWhatCanNotBeReadCostsNothingElse(t *testing.T) {
	nameless, undated := listed("x20"), listed("x20")
	nameless.all[0].ID = ""
	undated.all[0].Changed = time.Time{}
	message := func(change func(*backfill.Message)) page[backfill.Message] {
		p := messages("a1 a2 a3")
		change(&p.all[1])
		return p
	}
	const list, text = "no session_id or no updated_at", "no fingerprint or no timestamp"
	for name, tt := range map[string]struct {
		list    page[backfill.Conversation]
		found   page[backfill.Message]
		handled string
		says    string
	}{
		"a conversation without an id":    {listOf(nameless, listed("a10 o-300")), messages("a1"), "a1*", list},
		"a conversation without a time":   {listOf(undated, listed("a10 o-300")), messages("a1"), "a1*", list},
		"a message without a fingerprint": {listed("a30"), message(func(m *backfill.Message) { m.Fingerprint = 0 }), "a1* a2* a3*", text},
		"a message without a time":        {listed("a30"), message(func(m *backfill.Message) { m.Sent = time.Time{} }), "a1* a2* a3*", text},
		"a message that is none at all":   {listed("a30"), message(func(m *backfill.Message) { *m = backfill.Message{} }), "a1* a3*", text},
		"a message that holds no event":   {listed("a30"), message(func(m *backfill.Message) { m.Value = nil }), "a1* a3*", ""},
		"none, where nothing is missing":  {listed("a30"), messages("a1"), "a1*", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, defaults, func(t *testing.T, r *rig) {
				r.gap(&source{
					walks:    map[string][]listPages{"w": {{tt.list}}},
					messages: map[string]messagePages{"a": {tt.found}},
				})
				got := r.end()
				assert.Equal(t, tt.handled, r.all())
				if tt.says == "" {
					assert.NoError(t, got.Err)
				} else {
					assert.ErrorContains(t, got.Err, tt.says)
				}
			})
		})
	}
}

// Another walk would not get any further.
func TestAListWhosePagesRepeatIsWalkedOnce(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		again := listed("a30")
		src := &source{walks: map[string][]listPages{"w": {{again, again, again, again, again}}}, messages: each("az")}
		r.gap(src)
		r.live("z9")
		assert.ErrorContains(t, r.end().Err, "repeats itself")
		assert.Equal(t, 4, strings.Count(strings.Join(src.asked.List(), " "), "list w"))
		assert.Equal(t, "a1*", r.of("a"))
		assert.Equal(t, "z1* z9", r.of("z"), "which the list may lack")
	})
}

// listOf joins pages into one.
func listOf(pages ...page[backfill.Conversation]) page[backfill.Conversation] {
	var joined page[backfill.Conversation]
	for _, p := range pages {
		joined.all = append(joined.all, p.all...)
	}
	return joined
}

func TestConversationsOfOtherInboxesAreNotFetched(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		list := listed("a30 b20")
		list.all[0].Inbox = "sales"
		src := &source{walks: map[string][]listPages{"w": {{list}}}, messages: each("ab"), unwanted: "sales"}
		r.gap(src)
		assert.Equal(t, 1, r.end().Conversations)
		assert.Equal(t, []string{"list w", "messages b"}, src.asked.List())
		assert.Equal(t, "b1*", r.all())
	})
}

// What was sent when the list had been read comes live. Otherwise a backfill that
// is slower than a conversation would never end.
func TestMessagesAreRecoveredUpToAnOverlapBehindTheLatestChange(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		r.gap(one("b30 a20", map[string]messagePages{"a": {messages("a1 a150 a151"), messages("a152")}}))
		assert.NoError(t, r.end().Err)
		assert.Equal(t, "a1* a150*", r.all(), "the latest change of all conversations was in the 30th second")
	})
}

// The list tells when a conversation changed last, but not how many messages there
// were at that moment.
func TestThereMayBeMoreOfTheMomentOfTheLatestChange(t *testing.T) {
	full := "a1 a2 a3 a4 a5 a6 a7 a8 a9 a10"
	for name, tt := range map[string]struct {
		list     string
		pages    []string
		requests int
	}{
		"a full page up to it":           {"a10", []string{full, "a11"}, 2},
		"a full page shortly beyond it":  {"a9", []string{full, "a11"}, 2}, // two machines may differ about the time
		"a full page beyond it":          {"a8", []string{full}, 1},
		"a short page up to it":          {"a3", []string{"a1 a2 a3"}, 1},
		"a short page that ends before":  {"a4", []string{"a1 a2 a3"}, 1},
		"a short page that ends earlier": {"a30", []string{"a1 a2 a3", "a4"}, 2},
		"one behind a full one":          {"a12", []string{full, "a12", "a13"}, 3}, // it looks short without what the first had
		"one behind a full one, beyond":  {"a11", []string{full, "a13"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				var pages messagePages
				for _, names := range tt.pages {
					pages = append(pages, messages(names))
				}
				src := one(tt.list, map[string]messagePages{"a": pages})
				r.gap(src)
				require.NoError(t, r.end().Err)
				assert.Equal(t, strings.Join(tt.pages, " "), strings.ReplaceAll(r.all(), "*", ""))
				assert.Len(t, src.asked.List(), 1+tt.requests)
			})
		})
	}
}

func TestMessagesAreReadUpToWhereAllHaveComeLive(t *testing.T) {
	for name, tt := range map[string]struct {
		pages    messagePages
		requests int
		handled  string
	}{
		"a page of these":          {messagePages{messages("a1"), messages("a7 a8"), messages("a9")}, 2, "a1* a7 a8"},
		"a page with some of them": {messagePages{messages("a1 a7"), messages("a8 a9"), messages("a10")}, 3, "a1* a7 a8 a9* a10*"},
		"an empty page":            {messagePages{messages(""), messages("a1"), messages("a7")}, 3, "a1* a7 a8"},
		"nothing but these":        {messagePages{messages("a7 a8"), messages("a9")}, 1, "a7 a8"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				for i := range tt.pages {
					tt.pages[i].after = time.Second // meanwhile the live ones are seen to wait
				}
				src := one("a30", map[string]messagePages{"a": tt.pages})
				r.gap(src)
				r.live("a7 a8")
				require.NoError(t, r.end().Err)
				assert.Equal(t, fmt.Sprint("list w", strings.Repeat(" messages a", tt.requests)), strings.Join(src.asked.List(), " "))
				assert.Equal(t, tt.handled, r.all())
			})
		})
	}
}
