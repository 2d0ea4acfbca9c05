package crisptest

import (
	"slices"

	"github.com/crisp-go/crisp"
)

// websiteSet is a set of website IDs.
type websiteSet struct {
	only   []string // nil means all
	except []string
	named  []string // that were added to all
}

func (set websiteSet) has(website string) bool {
	return (set.only == nil || slices.Contains(set.only, website)) && !slices.Contains(set.except, website)
}

// isAll reports whether all websites there can be are in the set.
func (set websiteSet) isAll() bool { return set.only == nil && len(set.except) == 0 }

// add returns the set with a website.
func (set websiteSet) add(website string) websiteSet {
	set.except = slices.DeleteFunc(slices.Clone(set.except), func(other string) bool { return other == website })
	switch {
	case set.only == nil && !slices.Contains(set.named, website):
		set.named = append(slices.Clip(set.named), website)
	case set.only != nil && !slices.Contains(set.only, website):
		set.only = append(slices.Clip(set.only), website)
	}
	return set
}

// remove returns the set without a website.
func (set websiteSet) remove(website string) websiteSet {
	if !slices.Contains(set.except, website) {
		set.except = append(slices.Clip(set.except), website)
	}
	return set
}

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
// that is named exists. The plugin is installed on all of them. RTM sessions that
// are open keep the websites that there were until they send socket:bind. No event
// is sent: for that, see [Server.Install].
func (s *Server) SetWebsites(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.websites = websiteSet{only: append([]string(nil), ids...)} // nil if there are none
	s.plugin.installed = s.websites
}

// websitesOf returns the websites that a token may access now; s.mu is held.
func (s *Server) websitesOf(token crisp.Token) websiteSet {
	only := token.WebsiteID()
	switch {
	case token.Tier == crisp.TierPlugin:
		return s.plugin.installed
	case only == "":
		return s.websites
	case s.websites.has(only):
		return websiteSet{only: []string{only}}
	default:
		return websiteSet{only: []string{}}
	}
}

// knownWebsites returns the websites that were set, or else WebsiteID, and those that
// have conversations or contacts, or were installed by name. There is always one; s.mu is held.
func (s *Server) knownWebsites() []string {
	if s.websites.only != nil {
		return s.websites.only
	}
	known := []string{WebsiteID}
	for _, website := range s.websites.named {
		if website != WebsiteID {
			known = append(known, website)
		}
	}
	for _, c := range s.model.inOrder() {
		if !slices.Contains(known, c.WebsiteID) {
			known = append(known, c.WebsiteID)
		}
	}
	for _, p := range s.people.of("") {
		if !slices.Contains(known, p.websiteID) {
			known = append(known, p.websiteID)
		}
	}
	return known
}
