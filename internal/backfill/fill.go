package backfill

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/crisp-go/crisp/internal/delivery"
)

// Outcome is what became of a gap.
type Outcome struct {
	Messages      int // fetched, those left out that had come before
	Conversations int // that had changed
	Requests      int
	Err           error // why something is missing; nil if nothing is
	Abandoned     bool  // handlers were ended before they had all
}

// task is a gap to be filled.
type task struct {
	Gap
	source   Source
	handled  []uint64        // keys of messages handled shortly before the gap, which Seen may have forgotten by then
	told     <-chan struct{} // closed when the callbacks that report the gap have returned
	finished func(Outcome)
}

// env is what all gaps share. It never changes.
type env struct {
	handling context.Context // the handlers': its end abandons everything
	fetching context.Context // its end lets nothing more be fetched
	queue    *delivery.Queue
	cfg      Config
}

// await waits until done is closed, and reports false if the handlers were ended before.
func (e *env) await(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-e.handling.Done():
		return false
	}
}

// fill fetches what was missed in a gap, or in several that came one after the other. It
// fetches up to Config.SideBySide conversations at a time, those first for which live events
// wait. It belongs to the lister (with Backfill.mu held), and to the fetcher once that has taken it.
type fill struct {
	*env
	tasks   []*task
	search  *search
	waiting *waiting // the sequencer's

	targets map[string]*target // by the conversation's ID
	todo    []*target          // of these, not fetched yet
	ahead   int64              // cost of what is on its way to the handlers
	whole   int64              // cost of what targets keep until they are whole
	over    bool               // no live event waits any more, or will

	inbox    *inbox          // for any goroutine
	handled  map[uint64]bool // messages handled shortly before the gaps; read by handlers, and not changed from then on
	messages atomic.Int64    // that reached their handlers, which count them
}

func newFill(e *env) *fill {
	f := &fill{env: e, inbox: newInbox(), targets: make(map[string]*target), handled: make(map[uint64]bool)}
	f.waiting = newWaiting(e.queue, &e.cfg, f.inbox)
	return f
}

// with adds gaps, and what was listed for them.
func (f *fill) with(tasks []*task, s *search, changed []Conversation) *fill {
	f.tasks = append(f.tasks, tasks...)
	for _, t := range tasks {
		for _, key := range t.handled {
			f.handled[key] = true
		}
		t.handled = nil
	}
	if f.search == nil {
		f.search = s
	} else {
		f.search.join(s)
	}
	for _, c := range changed {
		if t := f.targets[c.ID]; t != nil {
			t.Conversation = c
		} else {
			f.add(c)
		}
	}
	return f
}

// target is what the fetcher knows of a conversation.
type target struct {
	Conversation
	awaited bool           // live events wait for it
	live    map[int64]bool // fingerprints of the messages among those
	whole   []Message      // kept until all are there
	cost    int64          // of whole
}

// decodedSize is about what a message takes in memory besides its payload.
const decodedSize = 1 << 10

// run brings everything that the search finds to the handlers, and reports false if those were
// ended before.
func (f *fill) run() bool {
	complete := make(chan struct{}) // closed when the sequencer knows of all gaps of the fill
	f.queue.Do(func() { close(complete) })
	return f.await(complete) && f.fetchAll(f.waiting)
}

// finish reports what became of each gap. Of gaps that were filled as one, the first has the
// counts.
func (f *fill) finish(abandoned bool) {
	for i, t := range f.tasks {
		o := Outcome{Requests: t.source.Requests(), Err: f.search.outcome(), Abandoned: abandoned}
		if i == 0 {
			o.Messages, o.Conversations = int(f.messages.Load()), len(f.targets)
		}
		t.finished(o)
	}
}

func (f *fill) add(c Conversation) *target {
	t := &target{Conversation: c, live: make(map[int64]bool)}
	f.targets[c.ID] = t
	f.todo = append(f.todo, t)
	return t
}

// next takes a conversation from todo: one that live events wait for, if there is any.
func (f *fill) next() *target {
	i := max(0, slices.IndexFunc(f.todo, func(t *target) bool { return t.awaited }))
	t := f.todo[i]
	f.todo = slices.Delete(f.todo, i, i+1)
	return t
}

// done reports whether everything that was found is handled, and nothing waits
// any more.
func (f *fill) done() bool { return f.over && f.ahead == 0 }

// read applies what is in the inbox.
func (f *fill) read() {
	news := f.inbox.drain()
	for _, a := range news.arrivals {
		t := f.targets[a.ID]
		if t == nil { // the list lacks it
			t = f.add(a.Conversation)
		}
		t.awaited = true
		// A message before a later gap must not end the fetch: what follows it may have been
		// missed in that gap.
		if a.fingerprint != 0 && a.gaps == len(f.tasks) {
			t.live[a.fingerprint] = true
		}
	}
	f.ahead -= news.handled
	f.over = f.over || news.over
}

// fetched is a page of a conversation's messages, on its way from the goroutine
// that has fetched it.
type fetched struct {
	of   *target
	page page
	end  bool        // there are no more, and no page
	more chan<- bool // the answer: whether to fetch another
}

// fetchAll is the fetcher's loop. It fetches what is in todo, and hands the messages to the
// sequencer as they come. It returns when no more can come and everything is handled, and
// reports false if the handlers were ended before.
func (f *fill) fetchAll(w *waiting) bool {
	ctx, cancel := context.WithCancel(f.fetching)
	defer cancel()
	pages, underway := make(chan fetched), 0
	var largest int64 // cost of the largest page so far
	for {
		f.read()
		for len(f.todo) > 0 && f.mayFetch(underway, largest) {
			t := f.next()
			if f.search.over {
				if !f.hand(w, t.ID, nil, &ending{}) {
					return false
				}
				continue
			}
			underway++
			go f.fetch(ctx, t, pages)
		}
		if underway == 0 && f.done() {
			return true
		}
		select {
		case p := <-pages:
			if p.end {
				underway--
				if !f.handWhole(w, p.of, true) {
					return false
				}
				continue
			}
			f.read()
			due, more := f.search.take(p.page, p.of.live)
			p.more <- more
			if len(due) > 0 {
				largest = max(largest, costOf(due))
				if !f.gather(w, p.of, due) {
					return false
				}
			}
		case <-f.inbox.filled:
		case <-f.handling.Done():
			return false
		}
	}
}

// mayFetch reports whether another conversation may be fetched beside those that are underway:
// not if there might be no room for all their pages. largest is the cost of the largest page
// so far.
func (f *fill) mayFetch(underway int, largest int64) bool {
	return underway == 0 || underway < f.cfg.SideBySide && f.ahead+f.whole+int64(underway+1)*largest <= f.cfg.MaxAhead
}

// fetch sends a conversation's messages to pages until it is told to stop. It runs on a
// goroutine of its own, and so touches nothing but the source.
func (f *fill) fetch(ctx context.Context, t *target, pages chan<- fetched) {
	first := true
	for messages, err := range f.search.source.Messages(ctx, t.Conversation, f.search.since) {
		more := make(chan bool, 1)
		select {
		case pages <- fetched{of: t, page: page{t.Conversation, messages, first, err}, more: more}:
		case <-f.handling.Done():
			return
		}
		if !<-more {
			break
		}
		first = false
	}
	select {
	case pages <- fetched{of: t, end: true}:
	case <-f.handling.Done():
	}
}

// costOf returns about what a page takes in memory, in bytes.
func costOf(page []Message) int64 {
	cost := int64(decodedSize)
	for _, m := range page {
		cost += int64(len(m.Payload)) + decodedSize
	}
	return cost
}

// wholeShare: the messages that are kept of a conversation may take 1/wholeShare of MaxAhead.
const wholeShare = 4

// gather hands a page over. With Config.Whole it keeps the page instead, until the conversation
// is complete or takes too much room. It reports false if the handlers were ended.
func (f *fill) gather(w *waiting, t *target, page []Message) bool {
	if f.cfg.Whole == nil {
		return f.hand(w, t.ID, page, nil)
	}
	cost := costOf(page)
	t.whole, t.cost, f.whole = append(t.whole, page...), t.cost+cost, f.whole+cost
	return t.cost <= f.cfg.MaxAhead/wholeShare || f.handWhole(w, t, false)
}

// handWhole hands over what was kept, which Config.Whole sees before. It reports false if the
// handlers were ended.
func (f *fill) handWhole(w *waiting, t *target, last bool) bool {
	var end *ending
	if last {
		end = &ending{}
	}
	whole := t.whole
	f.whole -= t.cost
	t.whole, t.cost = nil, 0
	if len(whole) > 0 {
		after := f.cfg.Whole(t.Conversation, whole)
		if last {
			end.after = after
		}
	}
	return f.hand(w, t.ID, whole, end)
}

// hand gives messages to the sequencer, once enough of what was recovered before is handled.
// It reports false if the handlers were ended. end is nil if there may be more of the
// conversation.
func (f *fill) hand(w *waiting, id string, page []Message, end *ending) bool {
	items, cost := make([]delivery.Item, 0, len(page)), costOf(page)
	for _, m := range page {
		items = append(items, f.item(id, m))
	}
	for f.read(); f.ahead > 0 && f.ahead+cost > f.cfg.MaxAhead; f.read() {
		if !f.await(f.inbox.filled) {
			return false
		}
	}
	f.ahead += cost
	f.queue.Do(func() { w.found(id, page, items, end, cost) })
	return true
}

func (f *fill) item(id string, m Message) delivery.Item {
	return delivery.Item{
		Key:     id,
		Name:    m.Name,
		Payload: m.Payload,
		Value:   &Recovered{Value: m.Value, fill: f},
		Extra:   true,
	}
}

// Recovered is the Value of the items of recovered messages.
type Recovered struct {
	Value any // of the Message
	fill  *fill
}

// HandledBefore reports whether a message was handled before the gap.
func (r *Recovered) HandledBefore(key uint64) bool { return r.fill.handled[key] }

// Count counts a message that goes to its handlers.
func (r *Recovered) Count() { r.fill.messages.Add(1) }
