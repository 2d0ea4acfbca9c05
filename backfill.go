package crisp

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
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
	defaultMaxRequests = 500
	gapsPerHour        = 4 // of MaxRequests each
	defaultMaxAge      = 24 * time.Hour
	defaultPatience    = time.Minute
)

var (
	errNoRooms      = errors.New("crisp: WithBackfill with a user token needs WithFilter with Rooms, the websites to ask for")
	errHourlyBudget = errors.New("crisp: the backfill's request budget is used up by all gaps within an hour (Backfill.MaxRequestsPerHour)")
	errNoWebsite    = errors.New("crisp: backfill: a website of the list has no website_id")
)

// fillSource is the backfill.Source of one gap: the REST API, called within a budget. Calls are
// repeated after any failure until Backfill.Patience is over, since the network that was just
// lost may fail again.
type fillSource struct {
	client   *Client
	cfg      *Backfill
	filter   Filter
	budget   *budget      // of all gaps
	requests atomic.Int64 // for this gap so far
}

// get makes a REST call. Each time that it is sent, it has a share of the patience to be
// answered, so that hanging on a dead connection doesn't use up all of it.
func (s *fillSource) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	how := policy{persistent: true, timeout: min(answerTimeout, s.cfg.Patience/maxSendings), allow: s.spend}
	return s.client.do(ctx, how, http.MethodGet, path, nil, out)
}

// spend takes a request from both budgets, or returns which one is used up.
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

// budget limits what all gaps together may cost: a bucket of requests that leaks an hour's
// worth per hour.
type budget struct {
	mu    sync.Mutex // guards what follows
	used  float64    // requests in the bucket, as of last
	last  clock.Moment
	count int64 // requests since take was called
}

// spend takes a request, and reports whether there was one left.
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

// take returns how many requests were spent since its last call.
func (b *budget) take() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := b.count
	b.count = 0
	return count
}

// Requests returns how many requests the gap has cost so far.
func (s *fillSource) Requests() int { return int(s.requests.Load()) }

// Local reports whether an error concerns only what was asked for: Crisp refused it for good.
// Any other would meet the next call, too.
func (s *fillSource) Local(err error) bool { return final(err) }

// Wanted reports whether the filter has an inbox.
func (s *fillSource) Wanted(inbox string) bool {
	return len(s.filter.Inboxes) == 0 || slices.Contains(s.filter.Inboxes, inbox)
}

// Websites iterates over those of the filter, or over all that the token sees.
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
			for website, err := range flatten(untilShort(websitePages(ctx, s.get))) {
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

// shortPage is fewer elements than any page but the last has, whatever the server makes of
// per_page.
const shortPage = 10

// untilShort ends with the first short page: the empty one behind it costs no request.
func untilShort[T any](pages iter.Seq2[[]T, error]) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		for page, err := range pages {
			if !yield(page, err) || len(page) < shortPage {
				return
			}
		}
	}
}

// lastChanged asks for the latest change first: a search ends at the first that is too old.
var lastChanged = ConversationQuery{PerPage: 50, Order: OrderUpdated}

// Conversations lists a website's conversations, the latest change first.
func (s *fillSource) Conversations(ctx context.Context, website string) iter.Seq2[[]backfill.Conversation, error] {
	return changedConversations(ctx, s.get, website)
}

// changedConversations lists a website's conversations. Their strings don't share the memory
// of the answer, which holds much more of each.
func changedConversations(ctx context.Context, get getter, website string) iter.Seq2[[]backfill.Conversation, error] {
	pages := untilShort(conversationList(get, website, lastChanged).pages(ctx))
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

// Messages lists a conversation's messages since a time, the oldest first; none if the
// conversation was removed.
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

// found makes what the backfill has to know of each message. The Value is the event that it
// would have come as, if that is subscribed to.
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
