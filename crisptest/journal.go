package crisptest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Entry is an entry of a server's journal: see [WithJournal]. One of its pointers is
// set. What they point to must not be changed.
type Entry struct {
	Number   int // consecutive, from 1
	Time     time.Time
	Event    *Emission // that was sent
	Message  *Message  // that was sent over REST and accepted: see Server.Sent
	Request  *Request  // that REST has answered
	Session  *Session  // an RTM session that has opened, authenticated or ended
	Bind     *Bind     // that a client has requested
	Delivery *Delivery // of a web hook, that was answered or failed
}

// Emission is an event as it was sent, to whoever receives it.
type Emission struct {
	Name    string
	Payload json.RawMessage // may be no JSON, if Server.EmitRaw was given that
}

// WithJournal makes a server keep a journal of what happens, for [Server.Journal] and
// [Server.Follow]: the latest n entries. By default it keeps none.
func WithJournal(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithJournal: %d is less than 1", n)
		}
		c.journal = n
		return nil
	}
}

// journal is the record of everything, in one order. Server.mu guards it.
type journal struct {
	kept record[*Entry]
	on   bool
}

func newJournal(limit int) journal {
	return journal{kept: newRecord[*Entry](max(limit, 1)), on: limit > 0}
}

// note adds an entry to the journal, if there is one; s.mu is held.
func (s *Server) note(entry Entry) {
	if !s.journal.on {
		return
	}
	entry.Number = s.journal.kept.next + 1
	entry.Time = time.Now()
	s.journal.kept.add(&entry, entry.weight())
	s.changes.announce()
}

// weight is how many bytes the bodies of an entry take.
func (e *Entry) weight() int {
	switch {
	case e.Event != nil:
		return len(e.Event.Payload)
	case e.Message != nil:
		return e.Message.weight()
	case e.Request != nil:
		return len(e.Request.Body)
	case e.Delivery != nil:
		return e.Delivery.weight()
	}
	return 0
}

// Journal returns the entries of the journal with numbers above one, in order,
// without those that are forgotten. It is empty without [WithJournal].
func (s *Server) Journal(after int) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := &s.journal.kept
	var list []Entry
	for number := max(after, kept.next-kept.latest.Len()); number < kept.next; number++ {
		if entry := kept.get(number); entry != nil {
			list = append(list, *entry)
		}
	}
	return list
}

// Follow returns the entries of the journal with numbers above one, and then those
// that are added, until ctx ends or the server is closed. A reader that is slower
// than they are added misses those that are forgotten in the meantime: their numbers
// are then not consecutive.
func (s *Server) Follow(ctx context.Context, after int) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for {
			changed := s.changes.changed()
			list := s.Journal(after)
			for _, entry := range list {
				after = entry.Number
				if !yield(entry) {
					return
				}
			}
			if len(list) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// noteSession adds the state of a session to the journal; s.mu is held.
func (s *Server) noteSession(session *liveSession) {
	if s.journal.on {
		now := session.snapshot()
		s.note(Entry{Session: &now})
	}
}
