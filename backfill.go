package crisp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
	// MaxRequests is how many REST calls a gap may cost; default 500. Crisp's
	// daily quota of a plugin token is 5,000 unless configured otherwise.
	MaxRequests int
	// MaxAge is how old what is fetched may be; default 24 h. The part of a gap
	// before that stays unfilled.
	MaxAge time.Duration
}

const (
	defaultOverlap     = 2 * time.Minute
	defaultMaxRequests = 500
	defaultMaxAge      = 24 * time.Hour

	conversationsPerPage = 50
	// fillAhead is how many conversations may be fetched ahead of the handlers.
	fillAhead = 8
)

// WithBackfill fetches, after each [Gap], the messages that were missed, by
// REST, and gives them to the same handlers as [*MessageSend] and
// [*MessageReceived] with [SourceBackfill]: in order within each session, before
// newer live events of that session, and none that came live too. Live events of
// a session wait while its messages are fetched; other sessions go on.
// Hooks.Backfilled tells the outcome.
//
// Only messages can be recovered: Crisp keeps no other events. A user token
// needs [WithFilter] with Rooms, which says what websites to ask for.
func WithBackfill(b Backfill) RTMOption {
	return func(c *rtmConfig) error {
		if b.Overlap < 0 || b.MaxRequests < 0 || b.MaxAge < 0 {
			return errors.New("crisp: WithBackfill: Overlap, MaxRequests and MaxAge can't be negative")
		}
		c.backfill = &Backfill{
			Overlap:     cmp.Or(b.Overlap, defaultOverlap),
			MaxRequests: cmp.Or(b.MaxRequests, defaultMaxRequests),
			MaxAge:      cmp.Or(b.MaxAge, defaultMaxAge),
		}
		return nil
	}
}

// Backfilled tells what became of a gap.
type Backfilled struct {
	Gap           Gap
	Complete      bool  // every message of the gap has reached its handlers
	Messages      int   // fetched, those not needed left out
	Conversations int   // that had changed since the gap began
	Requests      int   // REST calls made
	Err           error // why it is not complete
}

var (
	errFillBudget  = errors.New("crisp: the backfill's request budget is used up (Backfill.MaxRequests)")
	errFillTooOld  = errors.New("crisp: the gap began before what the backfill may fetch (Backfill.MaxAge)")
	errFillStopped = errors.New("crisp: the client was stopped during the backfill")
)

// fill recovers the messages of one gap.
//
// It goes through three phases. Until the conversations are listed, a mark holds
// all lanes back. From then on a session is either pending, and its live events
// are held by its lane, or it is not concerned. When its messages are fetched
// they go to its lane, which handles them, then what it held, and the session is
// pending no more.
type fill struct {
	rtm  *RTM
	gap  Gap
	mark *mark
	told chan struct{} // closed when the gap's hooks have returned

	mu      sync.Mutex
	pending map[string]struct{} // session ids

	ahead    chan struct{} // one token for each conversation on its way through the lanes
	requests int
	messages atomic.Int64
	done     chan struct{}
}

// conversation is what the list of conversations tells of one.
type conversation struct {
	website   string
	SessionID string  `json:"session_id"`
	InboxID   string  `json:"inbox_id"`
	UpdatedAt float64 `json:"updated_at"` // ms
}

// startFill begins to recover a gap. The mark is lifted when the conversations
// are listed and told is closed.
func (t *RTM) startFill(gap Gap, m *mark, told chan struct{}) {
	f := &fill{
		rtm:     t,
		gap:     gap,
		mark:    m,
		told:    told,
		pending: make(map[string]struct{}),
		ahead:   make(chan struct{}, fillAhead),
		done:    make(chan struct{}),
	}
	m.fill = f
	t.mu.Lock()
	var before *fill
	if n := len(t.fills); n > 0 {
		before = t.fills[n-1]
	}
	t.fills = append(t.fills, f)
	t.mu.Unlock()
	go f.run(before)
}

// run waits its turn, so that there is one fill at a time: the lanes know of
// one.
func (f *fill) run(before *fill) {
	defer close(f.done)
	t := f.rtm
	if before != nil {
		<-before.done
	}
	conversations, err := f.list(t.stopped)
	for _, c := range conversations {
		f.pending[c.SessionID] = struct{}{}
	}
	<-f.told
	close(f.mark.lifted)

	for _, c := range conversations {
		var items []item
		if err == nil {
			items, err = f.fetch(t.stopped, c)
		}
		// After an error, the sessions that are left are only let go.
		if !f.acquire() {
			break
		}
		t.delivery.inject(injection{fill: f, session: c.SessionID, items: items})
	}
	for range cap(f.ahead) { // until the lanes have handled it all
		if !f.acquire() {
			break
		}
	}
	f.finish(len(conversations), f.outcome(err))
}

// acquire takes a token of the conversations on their way. It is false if the
// lanes were abandoned, which gives no token back.
func (f *fill) acquire() bool {
	select {
	case f.ahead <- struct{}{}:
		return true
	case <-f.rtm.handling.Done():
		return false
	}
}

// finish tells the outcome. A fill that was cut short by the end of the program
// stays on the list of what is lacking, and so in the stored position.
func (f *fill) finish(conversations int, err error) {
	t := f.rtm
	if !errors.Is(err, errFillStopped) {
		t.mu.Lock()
		t.fills = slices.DeleteFunc(t.fills, func(other *fill) bool { return other == f })
		t.mu.Unlock()
	}
	if err != nil {
		t.client.logger.Warn("crisp: backfill incomplete", "error", err)
	}
	notify(t.hooks, t.cfg.hooks.Backfilled, Backfilled{
		Gap:           f.gap,
		Complete:      err == nil,
		Messages:      int(f.messages.Load()),
		Conversations: conversations,
		Requests:      f.requests,
		Err:           err,
	})
}

// over tells whether no session is pending any more.
func (f *fill) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// outcome is why a fill is not complete, if it is not.
func (f *fill) outcome(err error) error {
	switch {
	case f.rtm.handling.Err() != nil, err != nil && f.rtm.stopped.Err() != nil:
		return errFillStopped
	case err == nil && f.since().After(f.gap.From):
		return errFillTooOld
	}
	return err
}

// since is where the search begins.
func (f *fill) since() time.Time {
	cfg := f.rtm.cfg.backfill
	since := f.gap.From.Add(-cfg.Overlap)
	if oldest := f.gap.To.Add(-cfg.MaxAge); since.Before(oldest) {
		return oldest
	}
	return since
}

// list finds the conversations that have changed since the gap began.
func (f *fill) list(ctx context.Context) ([]conversation, error) {
	websites, err := f.websites(ctx)
	if err != nil {
		return nil, err
	}
	var all []conversation
	for _, website := range websites {
		found, err := f.listWebsite(ctx, website)
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// websites are those of the filter, or all that the token sees.
func (f *fill) websites(ctx context.Context) ([]string, error) {
	token := f.rtm.client.token()
	if rooms := f.rtm.currentFilter().Rooms; len(rooms) > 0 {
		return rooms, nil
	}
	if token.Tier == TierWebsite {
		return []string{token.WebsiteID()}, nil
	}
	var ids []string
	for page := 1; ; page++ {
		var websites []struct {
			WebsiteID string `json:"website_id"`
		}
		if err := f.get(ctx, "plugin/connect/websites/all/"+strconv.Itoa(page), &websites); err != nil {
			return nil, err
		}
		if len(websites) == 0 {
			return ids, nil
		}
		for _, w := range websites {
			ids = append(ids, w.WebsiteID)
		}
	}
}

// listWebsite walks the list, latest change first. A conversation that changes
// meanwhile moves to the front and pushes the others on, so the walk is repeated
// for what has changed since it began, until nothing has.
func (f *fill) listWebsite(ctx context.Context, website string) ([]conversation, error) {
	var (
		all   []conversation
		seen  = make(map[string]bool)
		until = float64(f.since().UnixMilli())
	)
	for {
		latest := until
		fresh := 0
		for page := 1; ; page++ {
			conversations, err := f.page(ctx, website, page)
			if err != nil {
				return all, err
			}
			reached := len(conversations) == 0
			for _, c := range conversations {
				reached = reached || c.UpdatedAt < until
				if c.UpdatedAt < until || seen[c.SessionID] || c.SessionID == "" {
					continue
				}
				seen[c.SessionID] = true
				latest = max(latest, c.UpdatedAt)
				if f.concerns(c) {
					c.website = website
					all = append(all, c)
				}
				fresh++
			}
			if reached {
				break
			}
		}
		if fresh == 0 {
			return all, nil
		}
		until = latest
	}
}

func (f *fill) page(ctx context.Context, website string, page int) (list []conversation, err error) {
	route := fmt.Sprintf("website/%s/conversations/%d?per_page=%d&order_date_updated=1",
		url.PathEscape(website), page, conversationsPerPage)
	return list, f.get(ctx, route, &list)
}

// concerns tells whether the filter lets the conversation through.
func (f *fill) concerns(c conversation) bool {
	inboxes := f.rtm.currentFilter().Inboxes
	return len(inboxes) == 0 || slices.Contains(inboxes, c.InboxID)
}

// missed is what of a message decides how it is handled.
type missed struct {
	From        string  `json:"from"`
	Fingerprint int64   `json:"fingerprint"`
	Timestamp   float64 `json:"timestamp"` // ms
}

// fetch gets a conversation's messages since the gap began, oldest first.
func (f *fill) fetch(ctx context.Context, c conversation) ([]item, error) {
	var (
		items []item
		seen  = make(map[int64]bool)
		after = f.since().UnixMilli()
	)
	for {
		page, err := f.messagesAfter(ctx, c, after)
		if err != nil {
			return items, err
		}
		fresh := false
		for _, m := range page {
			if seen[m.Fingerprint] {
				continue
			}
			seen[m.Fingerprint], fresh = true, true
			after = max(after, int64(m.Timestamp))
			if name, ok := f.eventOf(m.From); ok {
				items = append(items, item{
					name:     name,
					payload:  m.raw,
					received: time.Now(),
					fill:     f,
					ref:      SessionRef{WebsiteID: c.website, SessionID: c.SessionID},
				})
			}
		}
		if !fresh {
			return items, nil
		}
	}
}

type rawMessage struct {
	missed
	raw json.RawMessage
}

// messagesAfter is one page, by time. Whether the route includes the moment
// itself is not documented, so it is asked from the millisecond before.
func (f *fill) messagesAfter(ctx context.Context, c conversation, after int64) ([]rawMessage, error) {
	route := fmt.Sprintf("website/%s/conversation/%s/messages?timestamp_after=%d",
		url.PathEscape(c.website), url.PathEscape(c.SessionID), after-1)
	var raws []json.RawMessage
	if err := f.get(ctx, route, &raws); err != nil {
		return nil, err
	}
	page := make([]rawMessage, 0, len(raws))
	for _, raw := range raws {
		m := rawMessage{raw: raw}
		if json.Unmarshal(raw, &m.missed) != nil {
			return nil, fmt.Errorf("crisp: backfill: a message of session %s has a sender, fingerprint or timestamp of an unexpected type", c.SessionID)
		}
		page = append(page, m)
	}
	slices.SortStableFunc(page, func(a, b rawMessage) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return page, nil
}

// eventOf tells as which event a message would have come, if that is
// subscribed to.
func (f *fill) eventOf(from string) (name string, ok bool) {
	name = (&MessageReceived{}).EventName()
	if From(from) == FromUser {
		name = (&MessageSend{}).EventName()
	}
	return name, slices.Contains(f.rtm.currentFilter().Events, name)
}

// get makes one REST call out of the budget.
func (f *fill) get(ctx context.Context, route string, out any) error {
	if f.requests >= f.rtm.cfg.backfill.MaxRequests {
		return errFillBudget
	}
	f.requests++
	return f.rtm.client.Do(ctx, http.MethodGet, route, nil, out)
}

// holds tells whether a session's live events must wait.
func (f *fill) holds(session string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, pending := f.pending[session]
	return pending
}

// complete gives a recovered message what an event says of itself.
func (f *fill) complete(ev Event, ref SessionRef) {
	meta := ev.EventMeta()
	meta.Source = SourceBackfill
	meta.WebsiteID = ref.WebsiteID
	switch ev := ev.(type) {
	case *MessageSend:
		ev.WebsiteID, ev.SessionID = ref.WebsiteID, ref.SessionID
	case *MessageReceived:
		ev.WebsiteID, ev.SessionID = ref.WebsiteID, ref.SessionID
	}
}

// handledAlready tells whether a message has come the other way before: live
// before it was recovered, or the other way round.
func (t *RTM) handledAlready(ev Event) bool {
	key, ok := keyOf(ev)
	return ok && t.recent.repeats(key, ev.EventMeta().Source)
}

func (t *RTM) remember(ev Event) {
	if key, ok := keyOf(ev); ok {
		t.recent.add(key, ev.EventMeta().Source)
	}
}

// awaitFills returns when no fill is running any more. They stop fetching when
// the client stops receiving.
func (t *RTM) awaitFills() {
	t.mu.Lock()
	fills := slices.Clone(t.fills)
	t.mu.Unlock()
	for _, f := range fills {
		<-f.done
	}
}

// settle ends the wait of a session.
func (f *fill) settle(session string) {
	f.mu.Lock()
	delete(f.pending, session)
	f.mu.Unlock()
	<-f.ahead
}

// checkBackfill tells before any network what a backfill would lack.
func checkBackfill(f Filter, tier Tier) error {
	wanted := func(ev Event) bool { return slices.Contains(f.Events, ev.EventName()) }
	if !wanted(&MessageSend{}) && !wanted(&MessageReceived{}) {
		return errors.New("crisp: WithBackfill recovers message:send and message:received, but neither is subscribed to")
	}
	if tier == TierUser && len(f.Rooms) == 0 {
		return errors.New("crisp: WithBackfill with a user token needs WithFilter with Rooms, the websites to ask for")
	}
	return nil
}
