package crisptest

import "time"

// Reset makes the server forget what has happened and heals it, as if it had just been
// started, so that tests can share a server in a process of its own. It forgets
// conversations, contacts, what was recorded, the journal's entries, the websites that
// were added, the plugin's settings and the web hooks that wait. RTM sessions and the URLs
// of web hooks stay. No event is sent; numbers such as fingerprints and those
// of the journal are not used again.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.forget()
	s.binds.forget()
	s.requests.forget()
	s.deliveries.forget()
	s.handled.forget()
	s.journal.kept.forget()
	s.model.forget()
	s.people.forgetAll()
	s.sites = newSites(s.history)
	s.dispatches.forget()
	s.websites = s.began
	s.plugin = newPlugin(s.began, s.history)
	s.faults = faults{}
	s.rate.spanEnds, s.rate.inSpan, s.rate.inAll = time.Time{}, 0, 0
	for _, sub := range s.subscribers {
		sub.forget()
		sub.duplicate, sub.reorder = 0, 0
	}
	s.changes.announce()
}

// forget empties the list. What comes next has the next number.
func (r *record[P]) forget() {
	for r.latest.Len() > 0 {
		r.latest.DeleteOldest()
	}
}

// forget empties the model.
func (m *model) forget() {
	for m.conversations.Len() > 0 {
		m.conversations.DeleteOldest()
	}
	for m.messages.Len() > 0 {
		m.messages.DeleteOldest()
	}
	m.sent.forget()
}

// forgetAll removes all contacts. What is created next has the next number.
func (p *people) forgetAll() {
	created := p.created
	*p = newPeople(p.limit)
	p.created = created
}
