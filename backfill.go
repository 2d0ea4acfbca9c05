package crisp

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
)

// Backfill configures [WithBackfill]. The zero value has the defaults.
type Backfill struct {
	// Overlap is how far before a gap the search begins, to make up for clocks
	// that differ from Crisp's; default 30 s if Crisp's time is known, as its REST
	// API tells it, else 2 min. What was handled before is not handled again.
	Overlap time.Duration
	// MaxRequests is how many REST requests a gap may cost; default 500. Crisp's
	// daily quota of a plugin token is 5,000 unless configured otherwise.
	MaxRequests int
	// MaxRequestsPerHour is how many all gaps together may cost; default four times
	// MaxRequests. What was not used lately may be used at once.
	MaxRequestsPerHour int
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
	knownOverlap       = 30 * time.Second // if Crisp's time is known, give or take seconds
	defaultMaxRequests = 500
	gapsPerHour        = 4 // of MaxRequests each
	defaultMaxAge      = 24 * time.Hour
	defaultPatience    = time.Minute

	// Recovered messages on their way to the handlers may take up 1/aheadShare of the
	// queue's bound in addition, and minAhead at least.
	aheadShare = 4
	minAhead   = 1 << 20

	// How many conversations are fetched at a time, at most. What the server bears is
	// for the pace of the REST client to find out.
	sideBySide = 8
)

// WithBackfill fetches, after each [Gap], the messages that were missed, by
// REST, and passes them to the same handlers as [*MessageSend] and
// [*MessageReceived] with [SourceBackfill]: in order within each conversation,
// before newer live events of that conversation, without those that also came live.
// Hooks.Backfilled tells the outcome.
//
// Live events wait until it is known which conversations have changed; those of
// the others go on then, and those of a conversation that has changed wait until
// its messages are fetched, which is done first where events wait.
//
// Without [WithPosition], the end of the client cuts a backfill short. With it,
// [RTM.Shutdown] waits for the backfill: otherwise live events that wait here would
// be handled before the older messages. Only [RTM.Close], Shutdown's deadline and the
// end of Run's context cut it short then, and the next run goes on with it.
//
// Only messages can be recovered: Crisp keeps no other events. A user token
// needs [WithFilter] with Rooms, which says what websites to ask for; for a
// plugin that many websites have installed, Rooms saves requests.
func WithBackfill(b Backfill) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if b.Overlap < 0 || b.MaxRequests < 0 || b.MaxRequestsPerHour < 0 || b.MaxAge < 0 || b.Patience < 0 {
			return errors.New("crisp: WithBackfill: Overlap, MaxRequests, MaxRequestsPerHour, MaxAge and Patience can't be negative")
		}
		c.ownOverlap = b.Overlap != 0
		c.backfill = &Backfill{
			Overlap:            cmp.Or(b.Overlap, defaultOverlap),
			MaxRequests:        cmp.Or(b.MaxRequests, defaultMaxRequests),
			MaxRequestsPerHour: cmp.Or(b.MaxRequestsPerHour, gapsPerHour*cmp.Or(b.MaxRequests, defaultMaxRequests)),
			MaxAge:             cmp.Or(b.MaxAge, defaultMaxAge),
			Patience:           cmp.Or(b.Patience, defaultPatience),
		}
		return nil
	})
}

// checkBackfill returns, before any network, what a backfill would lack.
func checkBackfill(f Filter, tier Tier) error {
	if !slices.Contains(f.Events, nameMessageSend) && !slices.Contains(f.Events, nameMessageReceived) {
		return errors.New("crisp: WithBackfill recovers message:send and message:received, but neither is subscribed to")
	}
	if tier == TierUser && len(f.Rooms) == 0 {
		return errNoRooms
	}
	return nil
}

var (
	errFillStopped  = fmt.Errorf("%w during the backfill", ErrClosed)
	errNoRooms      = errors.New("crisp: WithBackfill with a user token needs WithFilter with Rooms, the websites to ask for")
	errHourlyBudget = errors.New("crisp: the backfill's request budget is used up by all gaps within an hour (Backfill.MaxRequestsPerHour)")
	errNoWebsite    = errors.New("crisp: backfill: a website of the list has no website_id")
)

// The events that messages come as.
var (
	nameMessageSend     = (*MessageSend)(nil).EventName()
	nameMessageReceived = (*MessageReceived)(nil).EventName()
)

// newBackfill makes what fills the gaps of a run. If a position is kept, fetching
// does not end when the client stops receiving: what this run leaves out the next
// one will recover, and it must not come behind newer events that wait for it
// here.
func (t *RTM) newBackfill() *backfill.Backfill {
	fetching := t.stopped
	if t.cfg.position != nil {
		fetching = t.handling
	}
	cfg := backfill.Config{
		Overlap:      t.cfg.backfill.Overlap,
		MaxAge:       t.cfg.backfill.MaxAge,
		MaxRequests:  t.cfg.backfill.MaxRequests,
		MaxAhead:     max(t.cfg.queueBytes/aheadShare, minAhead),
		SideBySide:   sideBySide,
		Fingerprint:  t.itemFingerprint,
		Conversation: t.itemConversation,
	}
	if t.router.looksAtRecovered() {
		cfg.Whole = t.recoveredAll
	}
	return backfill.New(t.handling, fetching, t.queue, t.seen, cfg)
}

// recoveredAll lets the router know of all missed messages of a conversation, before
// the first has its turn. Those that were handled already are no news.
func (t *RTM) recoveredAll(c backfill.Conversation, messages []backfill.Message) (after func()) {
	var events []Event
	for _, m := range messages {
		ev := m.Value.(Event)
		if key, ok := messageKey(ev); !ok || !t.seen.Repeats(key, true) {
			events = append(events, ev)
		}
	}
	ref := SessionRef{WebsiteID: c.Website, SessionID: c.ID}
	return t.router.recoveredAll(recovered{ref, SessionState(c.State), c.Changed, events}, &t.recovered)
}

// itemFingerprint is that of the message, 0 if the item is none.
func (t *RTM) itemFingerprint(it *delivery.Item) int64 {
	if it.Name != nameMessageSend && it.Name != nameMessageReceived {
		return 0
	}
	ev, err := t.eventOf(it)
	if err != nil {
		return 0 // which its handler will report
	}
	m, _ := messageOf(ev)
	return m.Fingerprint
}

// itemConversation names the conversation that an event belongs to, if it does.
func (t *RTM) itemConversation(it *delivery.Item) backfill.Conversation {
	ev, err := t.eventOf(it)
	if err != nil {
		return backfill.Conversation{}
	}
	of, _ := ev.(SessionEvent)
	if of == nil {
		return backfill.Conversation{}
	}
	ref := of.Session()
	return backfill.Conversation{Website: strings.Clone(ref.WebsiteID), ID: strings.Clone(ref.SessionID)}
}

// fill begins to recover a gap, which is closed when it is filled as far as it can
// be. One that was cut short by the end of the program stays open, and so in the
// stored position.
func (t *RTM) fill(gap Gap, open *openGap, told <-chan struct{}) {
	source := &fillSource{client: t.client, cfg: t.cfg.backfill, filter: t.subscription.current(), budget: &t.budget}
	to := t.client.clock.Crisp(t.client.clock.Now())
	missed := backfill.Gap{From: to.Add(gap.From.Sub(gap.To)), To: to, Began: open.from.Moment, Overlap: t.overlap(open.from)}
	t.backfill.Start(missed, source, told, func(o backfill.Outcome) {
		err := o.Err
		switch {
		case o.Abandoned || err != nil && errors.Is(err, context.Cause(t.stopped)):
			err = errFillStopped
		case err != nil && t.stopped.Err() != nil: // by another failure: what waited for the missed messages was handled before them
			err = fmt.Errorf("%w: %w", errFillStopped, err)
		default:
			open.close()
			t.saveSoon() // what was missed need not be looked for again
		}
		if err != nil && !errors.Is(err, ErrClosed) { // the end is no trouble
			t.client.logger.Warn("crisp: backfill incomplete", "error", err)
		}
		notify(t.callbacks, t.cfg.hooks.Backfilled, Backfilled{
			Gap:           gap,
			Complete:      err == nil,
			Messages:      o.Messages,
			Conversations: o.Conversations,
			Requests:      o.Requests,
			Err:           err,
		})
	})
}

// overlap is how far before a gap its backfill begins.
func (t *RTM) overlap(began clock.Stamp) time.Duration {
	if _, crisp := t.client.clock.Dates(began); t.cfg.ownOverlap || crisp.IsZero() {
		return t.cfg.backfill.Overlap
	}
	return knownOverlap
}

// handleOnce dispatches an event, unless it is a message that has come the other
// way before: live before it was recovered, or the other way round. A message
// whose handlers gave up because the client was closed is not remembered: it shall
// come again after a restart.
func (t *RTM) handleOnce(ctx context.Context, slot *slot, ev Event, it *delivery.Item) {
	recovered, _ := it.Value.(*backfill.Recovered)
	key, isMessage := messageKey(ev)
	if isMessage && (recovered != nil && recovered.HandledBefore(key) || t.seen.Repeats(key, recovered != nil)) {
		return
	}
	if recovered != nil {
		recovered.Count()
	}
	interrupted := false
	defer func() { // also if a handler ends the goroutine
		if isMessage && !interrupted {
			t.seen.Add(key, recovered != nil)
		}
	}()
	interrupted = !t.dispatch(ctx, slot, ev, it)
}

// messageKey identifies an event that is a message: fingerprints are unique in a
// conversation. It is stable between runs of a program. 64 bits are enough: a message is
// compared with some ten thousand others, and taken for one of them only if one of the two
// was recovered.
func messageKey(ev Event) (key uint64, ok bool) {
	m, ok := messageOf(ev)
	if !ok || m.Fingerprint == 0 {
		return 0, false
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.SessionID))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(m.Fingerprint)))
	return h.Sum64(), true
}

// fillSource is where a gap's messages are: the REST API, asked within a budget, and
// again after any failure until the patience is over, since the network that was just
// lost may fail again.
type fillSource struct {
	client   *Client
	cfg      *Backfill
	filter   Filter
	budget   *budget
	requests atomic.Int64
}

// get makes a REST call. Each time that it is sent it has a share of the patience
// to be answered: what hangs on a connection that died must not use it up.
func (s *fillSource) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	how := policy{persistent: true, timeout: min(answerTimeout, s.cfg.Patience/maxSendings), allow: s.spend}
	return s.client.do(ctx, how, http.MethodGet, path, nil, out)
}

// spend takes a request from the budgets.
func (s *fillSource) spend() error {
	if s.requests.Add(1) > int64(s.cfg.MaxRequests) {
		s.requests.Add(-1)
		return backfill.ErrBudget
	}
	if !s.budget.spend(s.client.clock.Now(), s.cfg.MaxRequestsPerHour) {
		s.requests.Add(-1)
		return errHourlyBudget
	}
	return nil
}

// budget is what all gaps together may cost.
type budget struct {
	mu    sync.Mutex // guards what follows
	used  float64    // of an hour's requests, as of the last
	last  clock.Moment
	count int64 // requests since take was called
}

func (b *budget) spend(now clock.Moment, perHour int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = max(0, b.used-now.Sub(b.last).Hours()*float64(perHour))
	b.last = now
	if b.used+1 > float64(perHour) {
		return false
	}
	b.used++
	b.count++
	return true
}

// take returns how many requests there were since it was called last.
func (b *budget) take() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := b.count
	b.count = 0
	return count
}

func (s *fillSource) Requests() int { return int(s.requests.Load()) }

// Local is true of refusals that a later call would meet too, though not one that
// asks for something else.
func (s *fillSource) Local(err error) bool { return final(err) }

func (s *fillSource) Wanted(inbox string) bool {
	return len(s.filter.Inboxes) == 0 || slices.Contains(s.filter.Inboxes, inbox)
}

// Websites are those of the filter, or all that the token sees.
func (s *fillSource) Websites(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		token := s.client.token()
		switch {
		case len(s.filter.Rooms) > 0:
			for _, website := range s.filter.Rooms {
				if !yield(website, nil) {
					return
				}
			}
		case token.Tier == TierWebsite:
			yield(token.WebsiteID(), nil)
		case token.Tier == TierUser: // the filter was bound anew without them
			yield("", errNoRooms)
		default:
			for website, err := range flatten(untilShort(websitePages(ctx, s.get), shortPage)) {
				if err == nil && website.WebsiteID == "" {
					err = errNoWebsite
				}
				if err != nil {
					yield("", err)
					return
				}
				if !yield(website.WebsiteID, nil) {
					return
				}
			}
		}
	}
}

// shortPage is fewer elements than any page has that is followed by another, whatever
// the server makes of per_page.
const shortPage = 10

// lastChanged has the latest change first, since a search ends at the first that is
// too old.
var lastChanged = ConversationQuery{PerPage: 50, Order: OrderUpdated}

func (s *fillSource) Conversations(ctx context.Context, website string) iter.Seq2[[]backfill.Conversation, error] {
	return changedConversations(ctx, s.get, website)
}

// changedConversations lists a website's conversations. What it says of one does not share
// the memory of the answer, which has all that is known of it.
func changedConversations(ctx context.Context, get getter, website string) iter.Seq2[[]backfill.Conversation, error] {
	pages := untilShort(conversationList(get, website, lastChanged).pages(ctx), shortPage)
	return mapPages(pages, func(c *Conversation) backfill.Conversation {
		return backfill.Conversation{
			Website: website,
			ID:      strings.Clone(c.SessionID),
			Inbox:   strings.Clone(c.InboxID),
			State:   strings.Clone(string(c.State)),
			Changed: c.UpdatedAt,
		}
	})
}

func (s *fillSource) Messages(ctx context.Context, c backfill.Conversation, since time.Time) iter.Seq2[[]backfill.Message, error] {
	walk := messageWalk{get: s.get, ref: SessionRef{WebsiteID: c.Website, SessionID: c.ID}, after: since}
	return func(yield func([]backfill.Message, error) bool) {
		for page, err := range walk.pages(ctx) {
			if gone(err) {
				return
			}
			if !yield(s.found(walk.ref, page), err) {
				return
			}
		}
	}
}

// found are the messages, with the events that they would have come as where those
// are subscribed to.
func (s *fillSource) found(ref SessionRef, page []*ConversationMessage) []backfill.Message {
	var messages []backfill.Message
	for _, m := range page {
		m.Source = SourceBackfill
		m.WebsiteID, m.Meta.WebsiteID, m.SessionID = ref.WebsiteID, ref.WebsiteID, ref.SessionID
		ev := m.Event()
		found := backfill.Message{Fingerprint: m.Fingerprint, Sent: m.Timestamp, Name: ev.EventName(), Payload: m.Raw}
		if m.Raw[0] == '{' && slices.Contains(s.filter.Events, found.Name) {
			found.Value = ev
		}
		messages = append(messages, found)
	}
	return messages
}
