package crisp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Backfill configures [WithBackfill]. The zero value has the defaults.
type Backfill struct {
	// Overlap is how far before a gap the search begins, to make up for clocks
	// that differ from Crisp's; default 2 min. What was handled before is not
	// handled again.
	Overlap time.Duration
	// MaxRequests is how many REST requests a gap may cost; default 500. Crisp's
	// daily quota of a plugin token is 5,000 unless configured otherwise.
	MaxRequests int
	// MaxAge is how old what is fetched may be; default 24 h. The part of a gap
	// before that stays unfilled.
	MaxAge time.Duration
	// Patience is how long a REST call may take, with its repetitions after
	// failures and refusals for the rate; default 1 min. A call that takes
	// longer ends the backfill.
	Patience time.Duration
}

const (
	defaultOverlap     = 2 * time.Minute
	defaultMaxRequests = 500
	defaultMaxAge      = 24 * time.Hour
	defaultPatience    = time.Minute

	// aheadShare of the queue's bound is what recovered messages may take up
	// besides, on their way to the handlers, but not less than minAhead.
	aheadShare = 4
	minAhead   = 1 << 20
)

// WithBackfill fetches, after each [Gap], the messages that were missed, by
// REST, and gives them to the same handlers as [*MessageSend] and
// [*MessageReceived] with [SourceBackfill]: in order within each session, before
// newer live events of that session, and none that came live too.
// Hooks.Backfilled tells the outcome.
//
// Live events wait until it is known which sessions have changed; those of the
// others go on then, and those of a session that has changed wait until its
// messages are fetched, which is done first for the sessions that have such.
//
// The end of the client cuts a backfill short. With [WithPosition], the next run
// of the program goes on with it, and [RTM.Shutdown] waits for it: otherwise
// events that wait here for older messages would be handled before them.
//
// Only messages can be recovered: Crisp keeps no other events. A user token
// needs [WithFilter] with Rooms, which says what websites to ask for; for a
// plugin that many websites have installed, Rooms saves requests.
func WithBackfill(b Backfill) RTMOption {
	return func(c *rtmConfig) error {
		if b.Overlap < 0 || b.MaxRequests < 0 || b.MaxAge < 0 || b.Patience < 0 {
			return errors.New("crisp: WithBackfill: Overlap, MaxRequests, MaxAge and Patience can't be negative")
		}
		c.backfill = &Backfill{
			Overlap:     cmp.Or(b.Overlap, defaultOverlap),
			MaxRequests: cmp.Or(b.MaxRequests, defaultMaxRequests),
			MaxAge:      cmp.Or(b.MaxAge, defaultMaxAge),
			Patience:    cmp.Or(b.Patience, defaultPatience),
		}
		return nil
	}
}

// checkBackfill tells before any network what a backfill would lack.
func checkBackfill(f Filter, tier Tier) error {
	if !slices.Contains(f.Events, nameMessageSend) && !slices.Contains(f.Events, nameMessageReceived) {
		return errors.New("crisp: WithBackfill recovers message:send and message:received, but neither is subscribed to")
	}
	if tier == TierUser && len(f.Rooms) == 0 {
		return errNoRooms
	}
	return nil
}

// Backfilled tells what became of a gap.
type Backfilled struct {
	Gap           Gap
	Complete      bool // every message of the gap has reached its handlers
	Messages      int  // fetched, those not needed left out
	Conversations int  // that had changed since the gap began
	Requests      int  // sent to the REST API, repetitions included
	// Err is why it is not complete; [ErrClosed] if the client was stopped: with
	// a position, the next run goes on with it.
	Err error
}

var (
	errFillBudget  = errors.New("crisp: the backfill's request budget is used up (Backfill.MaxRequests)")
	errFillTooOld  = errors.New("crisp: the gap began before what the backfill may fetch (Backfill.MaxAge)")
	errFillStopped = fmt.Errorf("%w during the backfill", ErrClosed)
	errNoRooms     = errors.New("crisp: WithBackfill with a user token needs WithFilter with Rooms, the websites to ask for")
)

// fill recovers the messages of one gap.
//
// It goes through three phases. Until the conversations that have changed are
// listed, a mark holds all events back. From then on a session is either
// pending, and the sequencer holds its live events, or it is not concerned. When
// its messages are fetched the sequencer lets them pass, then what it held, and
// the session is pending no more. Messages are fetched for one gap at a time, the
// oldest first.
type fill struct {
	rtm    *RTM
	gap    Gap
	open   *openGap
	before *fill           // nil for the first
	seen   map[uint64]bool // messages that were handled shortly before the gap
	told   chan struct{}   // closed when the gap's hooks have returned
	lifted chan struct{}   // closed when the mark is lifted
	done   chan struct{}
	over   atomic.Bool   // no session is pending, or will be
	moved  chan struct{} // capacity 1: something has changed that the fill waits for

	mu       sync.Mutex
	known    map[string]*conversation // those found, by session id
	queue    []*conversation          // of these, to be fetched
	partial  bool                     // the list may lack some
	entered  bool                     // no event is behind the mark any more
	ahead    int64                    // bytes on their way to the handlers
	messages int
}

// startFill begins to recover a gap.
func (t *RTM) startFill(gap Gap, open *openGap, told chan struct{}) {
	f := &fill{
		rtm:    t,
		gap:    gap,
		open:   open,
		told:   told,
		seen:   t.recent.handledSince(gap.From.Add(-2 * t.cfg.backfill.Overlap)),
		lifted: make(chan struct{}),
		done:   make(chan struct{}),
		moved:  make(chan struct{}, 1),
		known:  make(map[string]*conversation),
	}
	t.mu.Lock()
	f.before, t.fill = t.fill, f
	t.mu.Unlock()
	go f.run()
}

// run fills the gap as far as it can be.
func (f *fill) run() {
	defer close(f.done)
	s := newSearch(f.rtm, f.gap)
	f.finish(s, f.recover(s))
}

// recover brings all that the search finds to the handlers. It is false if those
// were abandoned.
func (f *fill) recover(s *search) bool {
	fetching := f.fetching()
	f.expect(s.conversations(fetching))
	if !f.await(f.told) || f.before != nil && !f.await(f.before.lifted) {
		return false
	}
	f.rtm.delivery.lift(f, nil)
	close(f.lifted)
	if f.before != nil && !f.await(f.before.done) {
		return false
	}
	f.before = nil // a row of fills must not keep them all
	for {
		c, ok := f.next()
		if !ok {
			return f.over.Load()
		}
		for messages := range s.messages(fetching, c) {
			if !f.hand(&recovery{fill: f, of: c, messages: messages}) {
				return false
			}
		}
		if !f.hand(&recovery{fill: f, of: c, last: true}) {
			return false
		}
	}
}

// fetching ends when nothing more is to be fetched. If a position is kept, that
// is not when the client stops receiving: what this run leaves out the next one
// will recover, and it must not come behind newer events that wait for it here.
func (f *fill) fetching() context.Context {
	if f.rtm.cfg.position != nil {
		return f.rtm.handling
	}
	return f.rtm.stopped
}

// await waits for others, unless the handlers are abandoned.
func (f *fill) await(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-f.rtm.handling.Done():
		return false
	}
}

// move tells the fill that something has changed.
func (f *fill) move() {
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// expect makes the sessions of a list pending.
func (f *fill) expect(list []*conversation, partial bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partial = partial
	for _, c := range list {
		f.add(c)
	}
}

func (f *fill) add(c *conversation) {
	f.known[c.SessionID] = c
	f.queue = append(f.queue, c)
}

// enter notes that the sequencer has looked at all that was behind the mark.
func (f *fill) enter() {
	f.mu.Lock()
	f.entered = true
	f.mu.Unlock()
	f.move()
}

// holds tells whether a live event must wait. If the list may lack
// conversations because they changed while it was read, those that have events
// now are suspects: they are fetched, too.
func (f *fill) holds(session string, it *item) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, known := f.known[session]
	if !known && f.partial && !f.over.Load() {
		c = &conversation{conversationHead: conversationHead{SessionID: session}, website: string(websiteOf(it.payload))}
		f.add(c)
		f.move()
	}
	if c == nil || c.settled {
		return false
	}
	c.await(it)
	return true
}

// next takes a conversation out of the queue, one that live events wait for if
// there is any. It waits for more as long as there may be any, and is false when
// there won't be: the fill is over then, or the handlers were abandoned.
func (f *fill) next() (*conversation, bool) {
	for {
		if c := f.pop(); c != nil {
			return c, true
		}
		if f.over.Load() || !f.await(f.moved) {
			return nil, false
		}
	}
}

func (f *fill) pop() *conversation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.over.Store(f.ahead == 0 && f.entered)
		return nil
	}
	i := max(0, slices.IndexFunc(f.queue, (*conversation).isAwaited))
	c := f.queue[i]
	f.queue = slices.Delete(f.queue, i, i+1)
	return c
}

// hand gives what was found to the sequencer, when so much of what was recovered
// before is handled that there is room for it. It is false if the handlers were
// abandoned.
func (f *fill) hand(r *recovery) bool {
	for !f.fits(r.cost()) {
		if !f.await(f.moved) {
			return false
		}
	}
	f.rtm.delivery.recover(r)
	return true
}

func (f *fill) fits(cost int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ahead > 0 && f.ahead+cost > max(f.rtm.delivery.limit/aheadShare, minAhead) {
		return false
	}
	f.ahead += cost
	return true
}

// finish tells the outcome. A fill that was cut short by the end of the program
// leaves the gap open, and so in the stored position.
func (f *fill) finish(s *search, handled bool) {
	t := f.rtm
	err := s.outcome(f.gap)
	if !handled || err != nil && t.stopped.Err() != nil {
		err = errFillStopped
	} else {
		f.open.close()
	}
	if err != nil {
		t.client.logger.Warn("crisp: backfill incomplete", "error", err)
	}
	f.mu.Lock()
	messages, conversations := f.messages, len(f.known)
	f.mu.Unlock()
	notify(t.hooks, t.cfg.hooks.Backfilled, Backfilled{
		Gap:           f.gap,
		Complete:      err == nil,
		Messages:      messages,
		Conversations: conversations,
		Requests:      s.requests,
		Err:           err,
	})
}

// awaitFills returns when no fill is running any more, or handlers are to
// stop.
func (t *RTM) awaitFills() {
	t.mu.Lock()
	latest := t.fill
	t.mu.Unlock()
	if latest != nil {
		latest.await(latest.done)
	}
}

// recovery is some of what a session has missed, or the word that this was
// all of it.
type recovery struct {
	fill     *fill
	of       *conversation
	messages []missed // oldest first
	last     bool
}

func (r *recovery) cost() int64 {
	cost := int64(itemOverhead) // of the word itself
	for _, m := range r.messages {
		it := r.item(m)
		cost += it.cost()
	}
	return cost
}

func (r *recovery) item(m missed) item {
	return item{name: m.event, payload: m.raw, received: m.found.UnixNano(), recovery: r}
}

// lineUp gives what is to be handled of the session: what was missed and, if this
// was the last of it, what was held meanwhile; live events need not wait then. Messages that were found and
// yet came live stay where they came, among the other events of the session, and
// those that follow them, missed in a later gap perhaps, behind.
func (r *recovery) lineUp(held []item) []item {
	var items []item
	c := r.of
	for _, m := range r.messages {
		switch {
		case c.cameLive(m):
			c.reached = true
		case c.reached:
			c.later = append(c.later, r.item(m))
		default:
			items = append(items, r.item(m))
		}
	}
	if r.last {
		items = slices.Concat(items, held, c.later)
		c.later = nil
		r.fill.settled(c)
	}
	return append(items, item{signal: signalSettled, recovery: r})
}

// settled notes that live events of a session follow what it has missed.
func (f *fill) settled(c *conversation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.settled = true
}

// settle notes that it is handled.
func (r *recovery) settle() {
	f := r.fill
	f.mu.Lock()
	f.ahead -= r.cost()
	f.mu.Unlock()
	f.move()
}

// fingerprint is that of the message, if the event is one.
func (it *item) fingerprint() (int64, bool) {
	if it.name != nameMessageSend && it.name != nameMessageReceived {
		return 0, false
	}
	ev, err := it.decode()
	if err != nil {
		return 0, false
	}
	return fingerprintOf(ev)
}

// complete gives a recovered message what an event says of itself.
func (r *recovery) complete(ev Event) {
	ref, meta := r.of.ref(), ev.EventMeta()
	meta.Source = SourceBackfill
	meta.WebsiteID = ref.WebsiteID
	switch ev := ev.(type) {
	case *MessageSend:
		ev.WebsiteID, ev.SessionID = ref.WebsiteID, ref.SessionID
	case *MessageReceived:
		ev.WebsiteID, ev.SessionID = ref.WebsiteID, ref.SessionID
	}
}

// count notes that a recovered message goes to its handlers.
func (r *recovery) count() {
	r.fill.mu.Lock()
	defer r.fill.mu.Unlock()
	r.fill.messages++
}

// handledAlready tells whether a message has come the other way before: live
// before it was recovered, or the other way round.
func (t *RTM) handledAlready(ev Event, r *recovery) bool {
	key, ok := keyOf(ev)
	return ok && (r != nil && r.fill.seen[key] || t.recent.repeats(key, ev.EventMeta().Source))
}

func (t *RTM) remember(ev Event) {
	if key, ok := keyOf(ev); ok {
		t.recent.add(key, ev.EventMeta().Source)
	}
}
