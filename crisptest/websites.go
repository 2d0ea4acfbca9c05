package crisptest

import (
	"slices"

	"github.com/crisp-go/crisp"
)

// reach is a set of websites; nil means all there are.
type reach []string

func (r reach) covers(website string) bool { return r == nil || slices.Contains(r, website) }

// beyond gives the first website that is not in the set, if there is one.
func (r reach) beyond(websites []string) (website string, ok bool) {
	for _, website := range websites {
		if !r.covers(website) {
			return website, true
		}
	}
	return "", false
}

// SetWebsites fixes the websites that exist from now on, as [WithWebsites]
// does, for example because one more has installed the plugin; without any,
// every website that is named exists. RTM sessions that are open go on with the
// websites that there were, until they send socket:bind.
func (s *Server) SetWebsites(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.websites = append(reach(nil), ids...) // nil if there are none
}

// reachOf are the websites that a token may see now; s.mu is held.
func (s *Server) reachOf(token crisp.Token) reach {
	only := token.WebsiteID()
	switch {
	case only == "":
		return s.websites
	case s.websites.covers(only):
		return reach{only}
	default:
		return reach{}
	}
}

// knownWebsites are those that were fixed, or else those that were named; s.mu
// is held.
func (s *Server) knownWebsites() []string {
	if s.websites != nil {
		return s.websites
	}
	known := []string{WebsiteID}
	for _, c := range s.model.conversations {
		if !slices.Contains(known, c.WebsiteID) {
			known = append(known, c.WebsiteID)
		}
	}
	return known
}
