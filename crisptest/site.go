package crisptest

import (
	"fmt"
	"maps"

	"github.com/crisp-go/crisp/internal/fifo"
)

// site is what a website has beside its conversations. Server.mu guards it.
type site struct {
	server *Server
	id     string
	staff
	visitors
	verifying
	inboxes   collection
	teams     collection
	templates collection
	campaigns collection
	runs      *fifo.Map[string, *campaignRun] // of campaigns that were dispatched, by their IDs
	spams     collection
	hidden    suggestions
	usage     record[*document] // that the plugin has reported
	settings  document
	condemned bool // its removal is scheduled
}

// newSites returns a list of no sites, with a limit. The site that was not used for longest
// is the first to be forgotten.
func newSites(history int) *fifo.Map[string, *site] { return fifo.New[string, *site](history) }

// site returns what a website has, and makes an empty one the first time; s.mu is held.
func (s *Server) site(id string) *site {
	w, ok := s.sites.Get(id)
	if !ok {
		w = &site{
			server:    s,
			id:        id,
			staff:     newStaff(s),
			visitors:  newVisitors(s.history),
			verifying: newVerifying(),
			inboxes:   newCollection("inbox_id", s.history),
			teams:     newCollection("team_id", s.history),
			templates: newCollection("template_id", s.history),
			campaigns: newCollection("campaign_id", s.history),
			runs:      fifo.New[string, *campaignRun](s.history),
			spams:     newCollection("spam_id", s.history),
			hidden:    newSuggestions(s.history),
			usage:     newRecord[*document](s.history),
			settings:  newSettings(id),
		}
	}
	s.sites.Put(id, w)
	return w
}

// emit sends an event of the website, with these fields in addition to its ID.
func (w *site) emit(name string, fields map[string]any) {
	payload := map[string]any{"website_id": w.id}
	maps.Copy(payload, fields)
	w.server.emit(name, mustJSON(payload))
	w.server.changes.announce()
}

// conversations returns those of the website, in the order they were created.
func (w *site) conversations() []*liveConversation {
	var own []*liveConversation
	for _, c := range w.server.model.inOrder() {
		if c.WebsiteID == w.id {
			own = append(own, c)
		}
	}
	return own
}

// newID returns an identifier that nothing else of the server has; s.mu is held.
func (s *Server) newID() string {
	s.model.lastID++
	return fmt.Sprintf("00000000-0000-4000-9000-%012d", s.model.lastID)
}

// newToken returns digits that nothing else of the server has; s.mu is held.
func (s *Server) newToken() string {
	s.model.lastID++
	return fmt.Sprintf("%06d", s.model.lastID)
}

// addRoute adds a route below the base URL.
type addRoute func(method, path string, handler restHandler)

// siteRoutes adds the routes of what a website has beside conversations.
func (s *Server) siteRoutes(handle addRoute) {
	s.operatorRoutes(handle)
	s.availabilityRoutes(handle)
	s.inboxRoutes(handle)
	s.teamRoutes(handle)
	s.visitorRoutes(handle)
	s.campaignRoutes(handle)
	s.templateRoutes(handle)
	s.batchRoutes(handle)
	s.verifyRoutes(handle)
	s.suggestionRoutes(handle)
	s.spamRoutes(handle)
	s.settingsRoutes(handle)
	s.pluginAccountRoutes(handle)
}

// siteHandler answers a call about a website; Server.mu is held.
type siteHandler func(call restCall, w *site) restReply

// onSite finds the website of a call.
func (s *Server) onSite(answer siteHandler) restHandler {
	return s.requireWebsite(func(call restCall) restReply {
		s.mu.Lock()
		defer s.mu.Unlock()
		return answer(call, s.site(call.PathValue("website")))
	})
}
