package backfill

import (
	"context"
	"slices"
	"time"
)

// search finds the messages that were missed in a gap: first the conversations that have
// changed since it began, then each one's messages. It belongs to one goroutine at a time: the
// lister, then the fetcher.
type search struct {
	source Source
	cfg    Config
	since  time.Time // where it begins
	late   bool      // that is later than the gap, because of MaxAge
	latest time.Time // the latest change of a conversation in the list

	err  error // the first for which something was left out
	over bool  // an error that all further requests would meet, too, has ended it
}

func newSearch(source Source, cfg Config, gap Gap) *search {
	since := gap.From.Add(-gap.Overlap)
	if oldest := gap.To.Add(-cfg.MaxAge); since.Before(oldest) {
		since = oldest
	}
	return &search{source: source, cfg: cfg, since: since.Truncate(time.Millisecond), late: since.After(gap.From)}
}

// join adds a search that has listed for a later gap. If that one came to an end, what this
// one has listed can still be fetched.
func (s *search) join(other *search) {
	if other.since.Before(s.since) {
		s.since = other.since
	}
	if other.latest.After(s.latest) {
		s.latest = other.latest
	}
	s.late = s.late || other.late
	if other.err != nil {
		s.fail(other.err)
	}
	if !other.over {
		s.source, s.over = other.source, false
	}
}

// outcome returns why something of the gap was left out; nil if nothing was.
func (s *search) outcome() error {
	if s.err == nil && s.late {
		return ErrTooOld
	}
	return s.err
}

// fail notes that something is left out, and why.
func (s *search) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// failed is fail for an error of the source, which ends the search unless it is Local.
func (s *search) failed(err error) {
	s.fail(err)
	s.over = s.over || !s.source.Local(err)
}

// conversations lists the conversations that have changed since the gap began. The list is
// partial if some changed so often while it was read that they may be missing.
func (s *search) conversations(ctx context.Context) (list []Conversation, partial bool) {
	for _, website := range s.websites(ctx) {
		if s.over {
			break
		}
		found, exact := s.changed(ctx, website)
		list = append(list, found...)
		partial = partial || !exact
	}
	return list, partial
}

func (s *search) websites(ctx context.Context) []string {
	var websites []string
	for website, err := range s.source.Websites(ctx) {
		if err != nil {
			s.fail(err)
			s.over = true // even if it is Local: nobody knows which websites are left out
			break
		}
		websites = append(websites, website)
	}
	return websites
}

const (
	// maxWalks is how often a website's list is walked through before it is taken to change
	// faster than that can be done.
	maxWalks = 4

	// maxStale is how many pages in a row without anything new end a walk. One such page can
	// result from conversations that moved to the front meanwhile.
	maxStale = 3
)

// changed walks through a website's list, latest change first. A conversation that changes
// meanwhile moves to the front, where a walk of several pages may miss it. So it walks again,
// as far as the walk before began, until a walk takes one page. The list is not exact if too
// much changes for that, or if its pages repeat themselves.
func (s *search) changed(ctx context.Context, website string) (found []Conversation, exact bool) {
	w := walk{search: s, website: website, seen: make(map[string]bool)}
	until := s.since
	for range maxWalks {
		if w.run(ctx, until) {
			return w.found, true
		}
		if w.stuck {
			break
		}
		until = w.began
	}
	return w.found, false
}

// walk goes through a website's list of conversations.
type walk struct {
	*search
	website string
	seen    map[string]bool
	began   time.Time // the latest change when the last run began
	stuck   bool      // the server ignores the pages' numbers: what is further back is out of reach
	found   []Conversation
}

// run walks back to the conversations that were last changed before a time. It reports whether
// another walk would be of no use: this one took one page, so that it can have missed nothing,
// or it failed, as another would.
func (w *walk) run(ctx context.Context, until time.Time) (exact bool) {
	pages, stale, listed := 0, 0, make(map[string]bool)
	for page, err := range w.source.Conversations(ctx, w.website) {
		if err != nil {
			w.failed(err)
			return true
		}
		before := len(listed)
		for _, c := range page {
			w.add(c, until)
			listed[c.ID] = true
		}
		if stale++; len(listed) > before {
			stale = 0
		}
		if pages++; pages == 1 {
			w.began = w.latest
		}
		switch {
		case len(w.found) > w.cfg.MaxRequests: // they could not be fetched anyway
			w.fail(ErrBudget)
			return true
		case page[len(page)-1].Changed.Before(until):
			return pages == 1
		case stale == maxStale:
			w.fail(errPages)
			w.stuck = true
			return false
		}
	}
	return pages <= 1
}

// add adds a conversation to those found, once, if it has changed since a time and its inbox is
// wanted.
func (w *walk) add(c Conversation, until time.Time) {
	if c.ID == "" || c.Changed.IsZero() {
		w.fail(errList)
		return
	}
	if c.Changed.Before(until) || w.seen[c.ID] {
		return
	}
	w.seen[c.ID] = true
	if c.Changed.After(w.latest) {
		w.latest = c.Changed
	}
	if w.source.Wanted(c.Inbox) {
		w.found = append(w.found, c)
	}
}

// page is one of a conversation's messages, or why there is none.
type page struct {
	of       Conversation
	messages []Message
	first    bool // of the conversation's pages
	err      error
}

// take returns those messages of a page that are to be handed over, and whether to fetch
// another page. live has the fingerprints of those that came live.
//
// A conversation ends with the first page that came live entirely, and with what was sent
// after the conversations were listed: that comes live, too, or belongs to a later gap.
// Without that bound, a backfill slower than the conversation would never end.
func (s *search) take(p page, live map[int64]bool) (due []Message, more bool) {
	if p.err != nil {
		s.failed(p.err)
		return nil, false
	}
	if s.over {
		return nil, false
	}
	if slices.ContainsFunc(p.messages, func(m Message) bool { return m.Fingerprint == 0 || m.Sent.IsZero() }) {
		s.fail(errMessage)
	}
	until := s.latest.Add(max(s.cfg.Overlap, settling))
	due = slices.DeleteFunc(slices.Clone(p.messages), func(m Message) bool { return m.Sent.After(until) })
	if len(due) == 0 {
		return nil, len(p.messages) == 0
	}
	due = slices.DeleteFunc(due, func(m Message) bool { return m.Value == nil })
	if len(due) > 0 && !slices.ContainsFunc(due, func(m Message) bool { return !live[m.Fingerprint] }) {
		return nil, false
	}
	return due, !p.isLast()
}

const (
	// shortPage is fewer messages than the server puts on any page but the last.
	shortPage = 10
	// settling is how far a conversation's last change may be from the date of its last
	// message: later, since a message changes the state as well, or earlier, since messages
	// of one moment may be dated one after the other.
	settling = time.Second
)

// isLast reports whether a page is the conversation's last, to judge by when the conversation
// changed last. Not every page up to that moment is: a full one may be cut between messages of
// that very moment, and one that is not the first may look short because it leaves out what was
// on the page before.
func (p *page) isLast() bool {
	changed, last := p.of.Changed, p.messages[len(p.messages)-1].Sent
	if changed.IsZero() {
		return false
	}
	return last.After(changed.Add(settling)) || p.first && len(p.messages) < shortPage && !last.Before(changed.Add(-settling))
}
