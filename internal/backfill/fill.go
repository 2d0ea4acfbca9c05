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

// env is what all gaps share. Nothing of it changes.
type env struct {
	handling context.Context // the handlers': its end abandons everything
	fetching context.Context // its end lets nothing more be fetched
	queue    *delivery.Queue
	cfg      Config
}

// await waits for others, and reports false if the handlers were ended instead.
func (e *env) await(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-e.handling.Done():
		return false
	}
}

// fill is the fetcher of one gap. All of it is its goroutine's, except where it
// says otherwise.
//
// It goes through three phases. First it lists the conversations that have
// changed, while a mark holds back everything that is received. Then it hands the
// list to the sequencer with the lift of that mark: from then on a conversation is
// either waiting, or not concerned. At last it fetches the messages of one
// conversation after the other, those first for which live events wait. Messages
// are fetched for one gap at a time, the oldest first. Where connections are lost one
// after the other, a gap's turn to be looked at comes when all but one of those before
// have their lists: they lift their marks in order anyway.
type fill struct {
	*env
	search   *search
	told     <-chan struct{} // closed when the gap was told of
	finished func(Outcome)
	turn     <-chan struct{} // closed when it may list; nil = at once
	before   *fill           // of the gap before, until that is filled; nil for the first

	lifted chan struct{} // closed when the mark is lifted
	ended  chan struct{} // closed at the end

	targets map[string]*target // by the conversation's id
	todo    []*target          // of these, to be fetched
	ahead   int64              // cost of what is on its way to the handlers
	over    bool               // nothing waits any more, or will

	inbox    *inbox          // anybody's
	handled  map[uint64]bool // messages handled shortly before the gap; never changed
	messages atomic.Int64    // counted by the handlers
}

// target is what the fetcher knows of a conversation.
type target struct {
	Conversation
	awaited bool           // live events wait for it
	live    map[int64]bool // fingerprints of the messages among them
}

// decodedSize is about what a message takes in memory besides its payload.
const decodedSize = 1 << 10

func (f *fill) run() {
	defer close(f.ended)
	handled := f.recover()
	f.finished(Outcome{
		Messages:      int(f.messages.Load()),
		Conversations: len(f.targets),
		Requests:      f.search.source.Requests(),
		Err:           f.search.outcome(),
		Abandoned:     !handled,
	})
}

// recover brings everything that the search finds to the handlers, and reports
// false if those were ended before they had it.
func (f *fill) recover() bool {
	if f.turn != nil && !f.await(f.turn) {
		return false
	}
	list, partial := f.search.conversations(f.fetching)
	for _, c := range list {
		f.add(c)
	}
	if !f.await(f.told) || f.before != nil && !f.await(f.before.lifted) {
		return false
	}
	w := newWaiting(f.queue, &f.cfg, f.inbox, list, partial)
	f.queue.Lift(w, nil)
	close(f.lifted)
	if f.before != nil && !f.await(f.before.ended) {
		return false
	}
	f.before = nil // a row of fills must not keep them all
	return f.fetchAll(w)
}

func (f *fill) add(c Conversation) *target {
	t := &target{Conversation: c, live: make(map[int64]bool)}
	f.targets[c.ID] = t
	f.todo = append(f.todo, t)
	return t
}

// next takes a conversation that is to be fetched, one that live events wait for if
// there is any.
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
		if a.fingerprint != 0 {
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
	end  bool        // there are no more; of alone counts
	more chan<- bool // whether to go on
}

// fetchAll fetches the conversations that there are to fetch, and hands their
// messages to the sequencer as they come. It waits for more as long as there may be
// any, and until everything is handled; it reports false if the handlers were ended.
func (f *fill) fetchAll(w *waiting) bool {
	ctx, cancel := context.WithCancel(f.fetching)
	defer cancel()
	pages, underway := make(chan fetched), 0
	var largest int64 // cost of a page so far
	for {
		f.read()
		for len(f.todo) > 0 && f.mayFetch(underway, largest) {
			t := f.next()
			if f.search.over {
				if !f.hand(w, t.ID, nil, true) {
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
				if !f.hand(w, p.of.ID, nil, true) {
					return false
				}
				continue
			}
			f.read()
			due, more := f.search.take(p.page, p.of.live)
			p.more <- more
			if len(due) > 0 {
				largest = max(largest, costOf(due))
				if !f.hand(w, p.of.ID, due, false) {
					return false
				}
			}
		case <-f.inbox.filled:
		case <-f.handling.Done():
			return false
		}
	}
}

// mayFetch reports whether another conversation may be fetched beside those that
// are: not if their pages might have no room.
func (f *fill) mayFetch(underway int, largest int64) bool {
	return underway == 0 || underway < f.cfg.SideBySide && f.ahead+int64(underway+1)*largest <= f.cfg.MaxAhead
}

// fetch fetches the messages of a conversation until it is told to stop. It is a
// goroutine of its own, and touches nothing but the source.
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

func costOf(page []Message) int64 {
	cost := int64(decodedSize)
	for _, m := range page {
		cost += int64(len(m.Payload)) + decodedSize
	}
	return cost
}

// hand waits until so much of what was recovered is handled that there is room
// for more. It reports false if the handlers were ended.
func (f *fill) hand(w *waiting, id string, page []Message, last bool) bool {
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
	f.queue.Do(func() { w.found(id, page, items, last, cost) })
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

// Recovered is the Value of items that a backfill has found.
type Recovered struct {
	Value any // of the Message
	fill  *fill
}

// HandledBefore reports whether a message was handled before the gap.
func (r *Recovered) HandledBefore(key uint64) bool { return r.fill.handled[key] }

// Count counts a message that goes to its handlers.
func (r *Recovered) Count() { r.fill.messages.Add(1) }
