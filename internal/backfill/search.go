package backfill

import (
	"context"
	"slices"
	"time"
)

// search finds the messages that were missed in a gap: first the conversations
// that have changed since it began, then each one's messages. It is for one
// goroutine.
type search struct {
	source Source
	cfg    Config
	since  time.Time // that it begins at
	late   bool      // which is later than the gap, because of MaxAge
	latest time.Time // change of a conversation in the list

	err  error // the first that left something out
	over bool  // after an error that all further requests would meet too
}

func newSearch(source Source, cfg Config, gap Gap) *search {
	since := gap.From.Add(-gap.Overlap)
	if oldest := gap.To.Add(-cfg.MaxAge); since.Before(oldest) {
		since = oldest
	}
	return &search{source: source, cfg: cfg, since: since.Truncate(time.Millisecond), late: since.After(gap.From)}
}

// join adds what another has listed since. If that came to nothing, there is still
// what was listed before.
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

// outcome is why something of the gap was left out, if anything was.
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

// failed does the same for an error of the source, after which there may be no
// use in going on.
func (s *search) failed(err error) {
	s.fail(err)
	s.over = s.over || !s.source.Local(err)
}

// conversations lists those that have changed since the gap began. The list is
// partial if some may have changed so often while it was read that they escaped.
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
			s.over = true // it is not known what is left out
			break
		}
		websites = append(websites, website)
	}
	return websites
}

const (
	// maxWalks is when a website's list is taken to change faster than it can be walked.
	maxWalks = 4

	// maxStale is how many pages in a row a walk bears that have nothing new. One can
	// come of conversations that moved to the front meanwhile.
	maxStale = 3
)

// changed walks through a website's list, latest change first. A conversation
// that changes meanwhile moves to the front, so that a walk of several pages may
// miss it: so it walks again, back to where the walk before began, until one page is
// enough. Where too much changes for that, the list is not exact, nor if it does not
// get any further.
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
	began   time.Time // the latest change when it did
	stuck   bool      // the pages' numbers are not heeded: what is further back is out of reach
	found   []Conversation
}

// run goes back to the conversations that were last changed before a time. It
// reports whether no conversation can have escaped: it took one page, or came to
// nothing, which another walk would too.
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

// add takes a conversation in that has changed, once, if it is subscribed to.
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

// take looks at a page, some of whose messages may have come live. It returns those
// that are due, and whether there may be more.
//
// Messages are due up to where all have come live. What was sent after the
// conversations were listed comes live, too, or belongs to a later gap; without that
// bound, a backfill that is slower than the conversation would never end.
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
	// shortPage is fewer messages than any page has that is cut.
	shortPage = 10
	// settling is how far a conversation's last change may be from the date of its last
	// message: after it, since a message changes its state, too, or before, since
	// messages of one moment may be dated one after the other.
	settling = time.Second
)

// isLast reports whether nothing is behind a page that does not come live: the
// list has told when the conversation changed last. A full page may be cut between
// messages of that very moment; and a later page may look short because what was on
// the one before is left out.
func (p *page) isLast() bool {
	changed, last := p.of.Changed, p.messages[len(p.messages)-1].Sent
	if changed.IsZero() {
		return false
	}
	return last.After(changed.Add(settling)) || p.first && len(p.messages) < shortPage && !last.Before(changed.Add(-settling))
}
