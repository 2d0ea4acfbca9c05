package crisptest

import (
	"slices"

	"github.com/crisp-go/crisp"
)

// websiteSet is a set of website IDs; nil means all.
type websiteSet []string

func (set websiteSet) has(website string) bool { return set == nil || slices.Contains(set, website) }

// firstMissing returns the first website that is not in the set, if there is one.
func (set websiteSet) firstMissing(websites []string) (website string, ok bool) {
	for _, website := range websites {
		if !set.has(website) {
			return website, true
		}
	}
	return "", false
}

// SetWebsites replaces the websites that exist, as set by [WithWebsites], for
// example because another one has installed the plugin. Without IDs, any website
// that is named exists. RTM sessions that are open keep the websites that there
// were until they send socket:bind.
func (s *Server) SetWebsites(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.websites = append(websiteSet(nil), ids...) // nil if there are none
}

// websitesOf returns the websites that a token may access now; s.mu is held.
func (s *Server) websitesOf(token crisp.Token) websiteSet {
	only := token.WebsiteID()
	switch {
	case only == "":
		return s.websites
	case s.websites.has(only):
		return websiteSet{only}
	default:
		return websiteSet{}
	}
}

// knownWebsites returns the websites that were set, or else WebsiteID and those
// that have conversations. There is always one; s.mu is held.
func (s *Server) knownWebsites() []string {
	if s.websites != nil {
		return s.websites
	}
	known := []string{WebsiteID}
	for _, c := range s.model.inOrder() {
		if !slices.Contains(known, c.WebsiteID) {
			known = append(known, c.WebsiteID)
		}
	}
	return known
}
