package crisptest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// OperatorProfile is what is known of an operator of a website.
type OperatorProfile struct {
	UserID    string // made if it is empty
	Email     string
	FirstName string
	LastName  string
	Avatar    string // URL
	Role      string // "owner" or "member", which it is if it is empty
	Title     string
}

// AddOperator makes somebody an operator of a website, offline to begin with, and
// returns them. It takes the place of an operator with the same user ID, and of an
// invitation to the same email address.
func (s *Server) AddOperator(websiteID string, p OperatorProfile) *Operator {
	p.Role = cmp.Or(p.Role, "member")
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.UserID == "" {
		p.UserID = s.newID()
	}
	w := s.site(websiteID)
	w.invited.Delete(p.Email)
	w.unlink(p.UserID)
	w.members.Put(p.UserID, &member{
		details: document{
			"user_id":    p.UserID,
			"email":      p.Email,
			"first_name": p.FirstName,
			"last_name":  p.LastName,
			"avatar":     orNull(p.Avatar),
			"role":       p.Role,
			"title":      p.Title,
		},
		availability: crisp.AvailabilityOffline,
		since:        s.now(),
	})
	return &Operator{UserID: p.UserID, Nickname: strings.TrimSpace(p.FirstName + " " + p.LastName), server: s}
}

// Arrive makes the operator available, which is online, on all websites whose
// operator they are: see [Server.AddOperator]. It sends
// website:update_operators_availability, and website:users:available if nobody
// else was.
func (o *Operator) Arrive() { o.setAvailability(crisp.AvailabilityOnline) }

// Leave makes the operator unavailable, which is offline, on all websites whose
// operator they are. It sends website:update_operators_availability, and
// website:users:available if nobody else is available.
func (o *Operator) Leave() { o.setAvailability(crisp.AvailabilityOffline) }

func (o *Operator) setAvailability(to crisp.Availability) {
	s := o.server
	s.mu.Lock()
	defer s.mu.Unlock()
	var sites []*site
	for _, w := range s.sites.All() {
		sites = append(sites, w)
	}
	for _, w := range slices.Backward(sites) {
		if m, ok := w.members.Get(o.UserID); ok {
			w.setAvailability(m, to)
		}
	}
}

// staff is the operators of a website.
type staff struct {
	members *fifo.Map[string, *member]  // by user ID
	invited *fifo.Map[string, document] // by email address, as REST returns their details
	online  bool                        // somebody is
	changed time.Time                   // when that last did
}

// member is an operator of a website.
type member struct {
	details      document // as REST returns them, without the availability
	availability crisp.Availability
	since        time.Time // when the availability last changed
	active       time.Time // when they last did something; zero if they never have, or it was flushed
}

func newStaff(s *Server) staff {
	return staff{
		members: fifo.New[string, *member](s.history),
		invited: fifo.New[string, document](s.history),
		changed: s.now(),
	}
}

// inOrder returns the members in the order in which they were added.
func (st *staff) inOrder() []*member {
	list := make([]*member, 0, st.members.Len())
	for _, m := range st.members.All() {
		list = append(list, m)
	}
	slices.Reverse(list)
	return list
}

// hasMember reports whether an operator has the email address, in any case.
func (st *staff) hasMember(email string) bool {
	return slices.ContainsFunc(st.inOrder(), func(m *member) bool { return strings.EqualFold(m.details.text("email"), email) })
}

// restForm returns the operator's details as REST returns them.
func (m *member) restForm() document {
	details := document{"availability": m.availability, "has_token": false}
	for name, v := range m.details {
		details[name] = v
	}
	return details
}

// saw records that an operator has done something.
func (w *site) saw(userID string) {
	if m, ok := w.members.Get(userID); ok {
		m.active = w.server.now()
	}
}

func (w *site) setAvailability(m *member, to crisp.Availability) {
	if m.availability == to {
		return
	}
	m.availability, m.since = to, w.server.now()
	m.active = m.since
	w.emit("website:update_operators_availability", map[string]any{
		"user_id":      m.details["user_id"],
		"availability": map[string]any{"type": to},
	})
	w.updateOnline()
}

// updateOnline finds out whether the website is available, which it is while one of
// its operators is.
func (w *site) updateOnline() {
	online := slices.ContainsFunc(w.inOrder(), func(m *member) bool { return m.availability == crisp.AvailabilityOnline })
	if w.online == online {
		return
	}
	w.online, w.changed = online, w.server.now()
	w.emit("website:users:available", map[string]any{"available": online})
}

// unlink removes an operator, and reports whether there was one.
func (w *site) unlink(userID string) bool {
	m, ok := w.members.Get(userID)
	if !ok {
		return false
	}
	w.setAvailability(m, crisp.AvailabilityOffline)
	w.members.Delete(userID)
	return true
}
