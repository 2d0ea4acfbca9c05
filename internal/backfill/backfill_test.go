package backfill_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// In these tests, a conversation is named by a letter, and so is its website
// where that matters. What it has is named after it: a7 is a message whose
// fingerprint is 7 and which was sent in the 7th second of the gap, ax some other
// event. A message that was recovered is handled as a7*.

// from is when the gap of a test begins, in the time of a bubble. It lasts a
// minute.
var from = time.Date(2000, 1, 1, 6, 0, 0, 0, time.UTC)

// at is a time of the gap.
func at(second int) time.Time { return from.Add(time.Duration(second) * time.Second) }

// page is what a request is answered with.
type page[T any] struct {
	all   []T
	err   error
	after time.Duration // latency if it is zero
}

// latency is what a request takes at least. Without any, it would be a matter of
// chance whether a list has been read when the test's next event is received.
const latency = time.Millisecond

// listed makes a page of conversations, each by its letter and the second of its
// last change: a30.
func listed(names string) page[backfill.Conversation] {
	var p page[backfill.Conversation]
	for _, name := range strings.Fields(names) {
		second, _ := strconv.Atoi(name[1:])
		p.all = append(p.all, backfill.Conversation{ID: name[:1], Changed: at(second)})
	}
	return p
}

// messages makes a page of messages.
func messages(names string) page[backfill.Message] {
	var p page[backfill.Message]
	for _, name := range strings.Fields(names) {
		n := fingerprint(name)
		p.all = append(p.all, backfill.Message{Fingerprint: n, Sent: at(int(n)), Name: name + "*", Value: name})
	}
	return p
}

func fingerprint(name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(name[1:], "*"), 10, 64)
	return n
}

// keyOf identifies a message.
func keyOf(name string) uint64 { return uint64(name[0])<<32 | uint64(fingerprint(name)) }

type (
	listPages    = []page[backfill.Conversation]
	messagePages = []page[backfill.Message]
)

// source is a scripted Crisp.
type source struct {
	websites    []string // w if there are none
	websitesErr error    // behind them
	walks       map[string][]listPages
	messages    map[string]messagePages // by conversation
	unwanted    string                  // an inbox

	asked testkit.Log[string]    // requests
	since testkit.Log[time.Time] // that messages were asked for

	mu     sync.Mutex // guards walked
	walked map[string]int
}

// one is a source of one website whose list is one page.
func one(list string, found map[string]messagePages) *source {
	return &source{walks: map[string][]listPages{"w": {{listed(list)}}}, messages: found}
}

var (
	errLocal  = errors.New("not yours") // concerns one website or conversation
	errGlobal = errors.New("down")
)

func (s *source) Local(err error) bool { return errors.Is(err, errLocal) }

func (s *source) Wanted(inbox string) bool { return inbox == "" || inbox != s.unwanted }

func (s *source) Requests() int { return len(s.asked.List()) }

func (s *source) Websites(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		websites := s.websites
		if websites == nil {
			websites = []string{"w"}
		}
		for _, website := range websites {
			if !yield(website, nil) {
				return
			}
		}
		if s.websitesErr != nil {
			yield("", s.websitesErr)
		}
	}
}

func (s *source) Conversations(ctx context.Context, website string) iter.Seq2[[]backfill.Conversation, error] {
	return func(yield func([]backfill.Conversation, error) bool) {
		answer(ctx, s, "list "+website, s.walk(website), yield)
	}
}

// walk returns the pages of the next walk through a website's list. The last that
// is scripted is repeated.
func (s *source) walk(website string) listPages {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.walked == nil {
		s.walked = make(map[string]int)
	}
	n := s.walked[website]
	s.walked[website]++
	walks := s.walks[website]
	return walks[min(n, len(walks)-1)]
}

func (s *source) Messages(ctx context.Context, c backfill.Conversation, since time.Time) iter.Seq2[[]backfill.Message, error] {
	return func(yield func([]backfill.Message, error) bool) {
		s.since.Add(since)
		answer(ctx, s, "messages "+c.ID, s.messages[c.ID], yield)
	}
}

// answer answers a request for each page.
func answer[T any](ctx context.Context, s *source, request string, pages []page[T], yield func([]T, error) bool) {
	for _, p := range pages {
		s.asked.Add(request)
		if err := testkit.Elapse(ctx, cmp.Or(p.after, latency)); err != nil || ctx.Err() != nil {
			yield(nil, ctx.Err())
			return
		}
		if !yield(p.all, p.err) || p.err != nil {
			return
		}
	}
}

// rig is a Backfill into a queue, whose handlers do what those of the RTM client
// do.
type rig struct {
	*backfill.Backfill
	t        *testing.T
	queue    *delivery.Queue
	seen     *backfill.Seen
	clock    *clock.Clock
	abandon  context.CancelFunc // ends the handlers
	stop     context.CancelFunc // ends the fetching
	handled  testkit.Log[string]
	outcomes testkit.Log[backfill.Outcome]
	overlap  time.Duration
	block    chan struct{} // unless it is nil, handlers wait until it is closed
}

var defaults = backfill.Config{Overlap: 2 * time.Minute, MaxAge: 24 * time.Hour, MaxRequests: 500, MaxAhead: 1 << 20, SideBySide: 1}

// newRig is for a bubble. It goes on at the end of the gap.
func newRig(t *testing.T, workers int, cfg backfill.Config) *rig {
	t.Helper()
	time.Sleep(time.Until(at(60))) // virtual
	c := clock.New()
	r := &rig{t: t, clock: c, overlap: cfg.Overlap, seen: backfill.NewSeen(c)}
	var handling, fetching context.Context
	handling, r.abandon = context.WithCancel(t.Context())
	fetching, r.stop = context.WithCancel(handling)
	r.queue = delivery.New(handling, delivery.Config{
		Workers:  workers,
		MaxBytes: 1 << 20,
		Handle:   r.handle,
		Report:   func(err error) { assert.NoError(t, err) },
	})
	cfg.Fingerprint = func(it *delivery.Item) int64 { return fingerprint(it.Name) }
	cfg.Conversation = func(it *delivery.Item) backfill.Conversation { return backfill.Conversation{ID: it.Key} }
	r.Backfill = backfill.New(handling, fetching, r.queue, r.seen, cfg)
	return r
}

func (r *rig) handle(ctx context.Context, _ int, it *delivery.Item) {
	if r.block != nil {
		select {
		case <-r.block:
		case <-ctx.Done():
			return
		}
	}
	found, _ := it.Value.(*backfill.Recovered)
	key := keyOf(it.Name)
	isMessage := fingerprint(it.Name) != 0
	if isMessage && (found != nil && found.HandledBefore(key) || r.seen.Repeats(key, found != nil)) {
		return
	}
	if found != nil {
		assert.Equal(r.t, strings.TrimSuffix(it.Name, "*"), found.Value, "the event that was found")
		found.Count()
	}
	r.handled.Add(it.Name)
	if isMessage {
		r.seen.Add(key, found != nil)
	}
}

// gap begins to fill one of a minute, which is told of at once.
func (r *rig) gap(s backfill.Source) { r.gapBetween(at(0), at(60), s) }

func (r *rig) gapBetween(from, to time.Time, s backfill.Source) {
	told := make(chan struct{})
	close(told)
	r.gapToldBy(told, from, to, s)
}

// gapToldBy waits until told is closed.
func (r *rig) gapToldBy(told <-chan struct{}, from, to time.Time, s backfill.Source) {
	r.queue.Mark()
	r.Start(backfill.Gap{From: from, To: to, Began: r.clock.OfWall(from), Overlap: r.overlap}, s, told, r.outcomes.Add)
}

// live receives events. One of the conversation - has none.
func (r *rig) live(names string) {
	for _, name := range strings.Fields(names) {
		r.queue.Put(&delivery.Item{Key: strings.TrimPrefix(name[:1], "-"), Name: name, Received: time.Now().UnixNano()})
	}
	r.queue.Flush()
}

// all is what was handled so far, in order. Unless there is one worker, that of
// different conversations is a matter of chance.
func (r *rig) all() string {
	synctest.Wait()
	return strings.Join(r.handled.List(), " ")
}

// of is what was handled of a conversation.
func (r *rig) of(id string) string {
	synctest.Wait()
	var names []string
	for _, name := range r.handled.List() {
		if name[:1] == id {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// end waits until all is filled and handled, and returns the outcome of the last
// gap.
func (r *rig) end() backfill.Outcome {
	r.t.Helper()
	r.Wait()
	r.queue.Finish()
	<-r.queue.Done()
	synctest.Wait()
	assert.Zero(r.t, r.queue.Len())
	outcomes := r.outcomes.List()
	require.NotEmpty(r.t, outcomes)
	return outcomes[len(outcomes)-1]
}

// inBubble runs a test with a rig of one worker.
func inBubble(t *testing.T, cfg backfill.Config, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newRig(t, 1, cfg)) })
}

// eachWay runs a test with each way that items take through the queue.
func eachWay(t *testing.T, cfg backfill.Config, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newRig(t, workers, cfg)) })
		})
	}
}

func TestTheOutcomeCounts(t *testing.T) {
	eachWay(t, defaults, func(t *testing.T, r *rig) {
		r.seen.Add(keyOf("a1"), false)
		r.gap(one("a30 b20 c10", map[string]messagePages{
			"a": {messages("a1 a2 a3"), messages("a4")},
			"b": {messages("b5")},
		}))
		r.live("a3 bx")
		got := r.end()
		assert.Equal(t, backfill.Outcome{Messages: 3, Conversations: 3, Requests: 4}, got, "neither a1, handled before, nor a3, which came live")
		assert.Equal(t, "a2* a3 a4*", r.of("a"))
		assert.Equal(t, "b5* bx", r.of("b"))
	})
}

func TestSuspectsCountAsConversations(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		r.gap(&source{walks: map[string][]listPages{"w": {{listed("a30"), listed("a30")}}}})
		r.live("a7 z8")
		assert.Equal(t, 2, r.end().Conversations)
	})
}

func TestWaitWithoutAGapReturns(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		r.Wait()
		r.queue.Finish()
		<-r.queue.Done()
		assert.Empty(t, r.outcomes.List())
	})
}

func TestWaitReturnsWhenAllGapsAreFilled(t *testing.T) {
	inBubble(t, defaults, func(t *testing.T, r *rig) {
		slow := func(id string) *source {
			p := messages(id + "1")
			p.after = 10 * time.Second
			return one(id+"30", map[string]messagePages{id: {p}})
		}
		began := time.Now()
		r.gap(slow("a"))
		time.Sleep(latency) // virtual
		r.gap(slow("b"))
		r.Wait()
		assert.Equal(t, latency+20*time.Second, time.Since(began))
		assert.Equal(t, "a1* b1*", r.all())
		assert.Len(t, r.outcomes.List(), 2)
		r.end()
	})
}

// phases has, for each phase of a gap, what stays in it for an hour.
var phases = map[string]func(r *rig){
	"the list is read": func(r *rig) {
		list := listed("a30")
		list.after = time.Hour
		r.gap(&source{walks: map[string][]listPages{"w": {{list}}}})
	},
	"the gap is told of": func(r *rig) {
		r.gapToldBy(make(chan struct{}), at(0), at(60), one("a30", nil))
	},
	"messages are fetched": func(r *rig) {
		found := messages("a1")
		found.after = time.Hour
		r.gap(one("a30", map[string]messagePages{"a": {found}}))
	},
	"handlers have no room for more": func(r *rig) {
		r.block = make(chan struct{})
		r.gap(one("a30", map[string]messagePages{"a": {messages("a1"), messages("a2"), messages("a3")}}))
	},
	"the last handler runs": func(r *rig) {
		r.block = make(chan struct{})
		r.gap(one("a30", nil))
	},
}

// Whoever waits for the end of a gap that nobody will fill would wait forever.
func TestTheEndOfTheHandlersAbandonsAGap(t *testing.T) {
	cfg := defaults
	cfg.MaxAhead = 1
	for phase, enter := range phases {
		t.Run("while "+phase, func(t *testing.T) {
			eachWay(t, cfg, func(t *testing.T, r *rig) {
				enter(r)
				r.live("a7")
				began := time.Now()
				time.Sleep(time.Second) // virtual
				require.Empty(t, r.outcomes.List())
				r.abandon()
				r.Wait()
				synctest.Wait()
				assert.Equal(t, time.Second, time.Since(began))
				assert.Empty(t, r.handled.List())
				require.Len(t, r.outcomes.List(), 1)
				assert.True(t, r.outcomes.List()[0].Abandoned)
			})
		})
	}
}

func TestAGapBehindOneThatIsAbandonedIsAbandonedToo(t *testing.T) {
	for phase, enter := range phases {
		t.Run("while "+phase, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				enter(r)
				r.live("a7")
				r.gap(one("b30", map[string]messagePages{"b": {messages("b1")}}))
				synctest.Wait()
				r.abandon()
				synctest.Wait()
				require.Len(t, r.outcomes.List(), 2)
				for _, o := range r.outcomes.List() {
					assert.True(t, o.Abandoned)
				}
			})
		})
	}
}

// A program that stops and keeps no position fetches nothing more, but handles
// what it has received.
func TestTheEndOfFetchingLetsLiveEventsGoOn(t *testing.T) {
	for _, phase := range []string{"the list is read", "messages are fetched"} {
		t.Run("while "+phase, func(t *testing.T) {
			eachWay(t, defaults, func(t *testing.T, r *rig) {
				phases[phase](r)
				r.live("a7 b8")
				synctest.Wait()
				r.stop()
				got := r.end()
				assert.ErrorIs(t, got.Err, context.Canceled)
				assert.False(t, got.Abandoned)
				assert.Zero(t, got.Messages)
				assert.Equal(t, "a7", r.of("a"))
				assert.Equal(t, "b8", r.of("b"))
			})
		})
	}
}
