package crisp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// search finds the messages that were missed in a gap, by REST: first the
// conversations that have changed since it began, then each one's messages. It
// is for one goroutine.
type search struct {
	client *Client
	cfg    Backfill
	filter Filter
	since  time.Time
	latest float64 // change of a conversation in the list, ms by Crisp's clock

	requests int   // made
	err      error // the first that left something out
	over     bool  // after an error that all further calls would meet too
}

func newSearch(t *RTM, gap Gap) *search {
	s := &search{client: t.client, cfg: *t.cfg.backfill, filter: t.currentFilter()}
	s.since = gap.From.Add(-s.cfg.Overlap)
	if oldest := gap.To.Add(-s.cfg.MaxAge); s.since.Before(oldest) {
		s.since = oldest
	}
	return s
}

// outcome is what of the gap was left out, if anything was.
func (s *search) outcome(gap Gap) error {
	if s.err == nil && s.since.After(gap.From) {
		return errFillTooOld
	}
	return s.err
}

// What a search can't make use of.
var (
	errFillList    = errors.New("crisp: backfill: a conversation of the list has no session_id or no updated_at")
	errFillMessage = errors.New("crisp: backfill: a message has no fingerprint or no timestamp")
)

// fail notes that something is left out, and why.
func (s *search) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// stop does the same when there is no use in going on.
func (s *search) stop(err error) {
	s.fail(err)
	s.over = true
}

// get makes a REST call out of the budget, and makes it again as long as it
// fails for reasons that may pass and patience lasts. A longer patience than the
// client's own is due here: the network that was just lost may go again.
func (s *search) get(ctx context.Context, route string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	for failures := 1; !s.over; failures++ {
		err := s.client.do(ctx, s.send, http.MethodGet, route, nil, out)
		switch {
		case err == nil || refusesOne(err):
			return err
		case errors.Is(err, errFillBudget) || errors.Is(err, ErrQuota) || errors.Is(err, ErrRateLimited):
			s.stop(err)
		case sleep(ctx, backoffAfter(failures, minFailureWait, maxFailureWait)) != nil:
			s.stop(err)
		}
	}
	return s.err
}

// send sends a call within the budget. Each time it has a share of the patience
// to be answered: what hangs on a connection that died must not use it up.
func (s *search) send(ctx context.Context, call *call) (*answer, error) {
	call.timeout = min(answerTimeout, s.cfg.Patience/maxSendings)
	call.allowed = s.spend
	return s.client.send(ctx, call)
}

// spend takes a request from the budget.
func (s *search) spend() error {
	if s.requests >= s.cfg.MaxRequests {
		return errFillBudget
	}
	s.requests++
	return nil
}

// refusesOne tells whether an error concerns one website or conversation, and
// others may do better.
func refusesOne(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.StatusCode >= 400 && refusal.StatusCode < 500 && !passing(refusal.StatusCode)
}

// conversation is one that has changed since the gap began.
type conversation struct {
	conversationHead
	website string
	settled bool // live events of it need not wait any more; the fill's mutex guards this

	mu      sync.Mutex
	awaited bool           // live events of it wait
	live    map[int64]bool // fingerprints of the messages among them

	// For the sequencer alone.
	reached bool   // a message that came live was among those that were found
	later   []item // what was found after that
}

// conversationHead is what the list of conversations tells of one.
type conversationHead struct {
	SessionID string  `json:"session_id"`
	InboxID   string  `json:"inbox_id"`
	UpdatedAt float64 `json:"updated_at"` // ms
}

func (c *conversation) ref() SessionRef {
	return SessionRef{WebsiteID: c.website, SessionID: c.SessionID}
}

// await notes that a live event waits for what is missing.
func (c *conversation) await(it *item) {
	fingerprint, isMessage := it.fingerprint()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited = true
	if isMessage {
		if c.live == nil {
			c.live = make(map[int64]bool)
		}
		c.live[fingerprint] = true
	}
}

func (c *conversation) isAwaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaited
}

// cameLive tells whether a message that was found waits already.
func (c *conversation) cameLive(m missed) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[m.Fingerprint]
}

// conversations lists those that have changed since the gap began. The list is
// partial if some may have changed so often while it was read that they escaped.
func (s *search) conversations(ctx context.Context) (list []*conversation, partial bool) {
	for _, website := range s.websites(ctx) {
		found, exact := s.changed(ctx, website)
		list = append(list, found...)
		partial = partial || !exact
	}
	return list, partial
}

// websites are those of the filter, or all that the token sees.
func (s *search) websites(ctx context.Context) []string {
	token := s.client.token()
	switch {
	case len(s.filter.Rooms) > 0:
		return s.filter.Rooms
	case token.Tier == TierWebsite:
		return []string{token.WebsiteID()}
	case token.Tier == TierUser: // the filter was bound anew without them
		s.stop(errNoRooms)
		return nil
	}
	var ids []string
	for page := 1; ; page++ {
		var websites []struct {
			WebsiteID string `json:"website_id"`
		}
		err := s.get(ctx, "plugin/connect/websites/all/"+strconv.Itoa(page), &websites)
		if err != nil {
			s.stop(err)
		}
		if len(websites) == 0 {
			return ids
		}
		for _, w := range websites {
			ids = append(ids, w.WebsiteID)
		}
	}
}

// changed walks a website's list, latest change first. A conversation that
// changes meanwhile moves to the front, so that a walk of several pages may
// miss it: the walk is repeated, as far back as the one before began, until one
// page is enough. Where too much changes for that, the list is not exact.
func (s *search) changed(ctx context.Context, website string) (found []*conversation, exact bool) {
	w := walk{search: s, website: website, seen: make(map[string]bool)}
	until := float64(s.since.UnixMilli())
	for range maxWalks {
		if w.run(ctx, until) {
			return w.found, true
		}
		until = w.began
	}
	return w.found, false
}

const maxWalks = 4

// walk goes through a website's list of conversations.
type walk struct {
	*search
	website string
	seen    map[string]bool
	began   float64 // the latest change when it did, ms
	found   []*conversation
}

// run goes back to the conversations that were last changed before a time in
// ms. It is true if no conversation can have escaped: if it took one page, or
// came to nothing, which another walk would too.
func (w *walk) run(ctx context.Context, until float64) bool {
	first := "" // session of the page before
	for page := 1; ; page++ {
		list, err := w.page(ctx, page)
		if err != nil {
			w.fail(err)
			return true
		}
		if len(list) == 0 {
			return page <= 2
		}
		for _, c := range list {
			w.add(c, until)
		}
		if page == 1 {
			w.began = w.latest
		}
		switch {
		case len(w.found) > w.cfg.MaxRequests: // they could not be fetched anyway
			w.fail(errFillBudget)
			return true
		case list[len(list)-1].UpdatedAt < until:
			return page == 1
		case list[0].SessionID == first: // the page's number is not heeded
			return false
		}
		first = list[0].SessionID
	}
}

const conversationsPerPage = 50

func (w *walk) page(ctx context.Context, page int) ([]conversationHead, error) {
	route := fmt.Sprintf("website/%s/conversations/%d?per_page=%d&order_date_updated=1",
		url.PathEscape(w.website), page, conversationsPerPage)
	var list []json.RawMessage
	err := w.get(ctx, route, &list)
	return lenient[conversationHead](list), err
}

// lenient decodes values of which single fields may have another type than
// expected: those are left zero.
func lenient[T any](values []json.RawMessage) []T {
	decoded := make([]T, len(values))
	for i, raw := range values {
		_ = json.Unmarshal(raw, &decoded[i]) // the JSON is valid, and its types are what the caller checks
	}
	return decoded
}

// add takes a conversation in that has changed, once, if the filter lets it
// through.
func (w *walk) add(c conversationHead, until float64) {
	if c.SessionID == "" || c.UpdatedAt <= 0 {
		w.fail(errFillList)
		return
	}
	if c.UpdatedAt < until || w.seen[c.SessionID] {
		return
	}
	w.seen[c.SessionID] = true
	w.latest = max(w.latest, c.UpdatedAt)
	if len(w.filter.Inboxes) > 0 && !slices.Contains(w.filter.Inboxes, c.InboxID) {
		return
	}
	w.found = append(w.found, &conversation{conversationHead: c, website: w.website})
}

// missed is a message that was found.
type missed struct {
	event string // that it would have come as
	found time.Time
	raw   json.RawMessage
	messageHead
}

// messageHead is what of a message decides how it is handled.
type messageHead struct {
	From        string  `json:"from"`
	Fingerprint int64   `json:"fingerprint"`
	Timestamp   float64 `json:"timestamp"` // ms
}

// messages gives a conversation's messages since the gap began that are
// subscribed to, oldest first, page by page, up to where all has come live. What
// was sent after the conversations were listed comes live, too, or belongs to a
// later gap; without that bound, a backfill that is slower than the conversation
// would never end.
func (s *search) messages(ctx context.Context, c *conversation) iter.Seq[[]missed] {
	until := s.latest + float64(s.cfg.Overlap.Milliseconds())
	return func(yield func([]missed) bool) {
		seen := make(map[messageHead]bool)
		for after := s.since.UnixMilli() - 1; ; {
			page, err := s.messagesAfter(ctx, c, after)
			if err != nil && !gone(err) {
				s.fail(err)
			}
			page = slices.DeleteFunc(page, func(m missed) bool { return m.Timestamp > until })
			if len(page) == 0 {
				return
			}
			first, last := int64(page[0].Timestamp), int64(page[len(page)-1].Timestamp)
			fresh := slices.DeleteFunc(page, func(m missed) bool { return seen[m.messageHead] })
			switch {
			case slices.ContainsFunc(fresh, func(m missed) bool { return !c.cameLive(m) }):
				for _, m := range fresh {
					seen[m.messageHead] = true
				}
				if !yield(s.subscribed(fresh)) {
					return
				}
				after = max(after, last-1) // the next page may have more of the same time
			case len(page) > 1 && first == last && after < last:
				after = last // there are so many of the same time that they could fill the page
			default:
				return
			}
		}
	}
}

// gone tells whether a conversation was removed: nothing is missing of it then.
func gone(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound
}

// messagesAfter is the page of messages that follows a time in ms.
func (s *search) messagesAfter(ctx context.Context, c *conversation, after int64) ([]missed, error) {
	route := fmt.Sprintf("website/%s/conversation/%s/messages?timestamp_after=%d",
		url.PathEscape(c.website), url.PathEscape(c.SessionID), after)
	var list []json.RawMessage
	if err := s.get(ctx, route, &list); err != nil {
		return nil, err
	}
	page, now := make([]missed, 0, len(list)), time.Now()
	for i, head := range lenient[messageHead](list) {
		if head.Fingerprint == 0 || head.Timestamp <= 0 {
			s.fail(errFillMessage)
		}
		if list[i][0] == '{' {
			page = append(page, missed{found: now, raw: list[i], messageHead: head})
		}
	}
	slices.SortStableFunc(page, func(a, b missed) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return page, nil
}

// The events that messages come as.
var (
	nameMessageSend     = (*MessageSend)(nil).EventName()
	nameMessageReceived = (*MessageReceived)(nil).EventName()
)

// subscribed names the events that messages would have come as, and leaves out
// those that are not subscribed to.
func (s *search) subscribed(messages []missed) []missed {
	for i, m := range messages {
		messages[i].event = nameMessageReceived
		if From(m.From) == FromUser {
			messages[i].event = nameMessageSend
		}
	}
	return slices.DeleteFunc(messages, func(m missed) bool { return !slices.Contains(s.filter.Events, m.event) })
}
