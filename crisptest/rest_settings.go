package crisptest

import (
	"net/http"

	"github.com/crisp-go/crisp"
)

// The bodies that the routes of websites take.
var (
	newWebsiteShape = object(members{"name": filled, "domain": filled}, nil)
	goodbyeShape    = object(members{"verify": proof}, nil)
	settingsShape   = object(nil, members{
		"name":              filled,
		"domain":            filled,
		"domain_alternates": listOf(0, filled),
		"logo":              textual,
		"audit":             object(nil, members{"log": boolean}),
		"contact":           mapOf(either(textual, null)),
		"inbox":             object(nil, members{"lock_removal": boolean, "force_operator_token": boolean, "locale": textual}),
		"emails":            mapOf(either(boolean, null)),
		"chatbox":           mapOf(either(boolean, textual, listOf(0, textual), null)),
	})
)

// settingsRoutes adds the routes of websites themselves and of their settings.
func (s *Server) settingsRoutes(handle addRoute) {
	user := func(method, path string, handler restHandler) {
		handle(method, path, requireTier(crisp.TierUser, handler))
	}
	handle("HEAD", "website", s.findWebsite)
	user("POST", "website", s.postWebsite)
	handle("GET", "website/{website}", s.onSite(getWebsite))
	user("DELETE", "website/{website}", s.onSite(deleteWebsite))
	user("DELETE", "website/{website}/expunge", s.onSite(abortDeletion))
	handle("GET", "website/{website}/settings", s.onSite(getWebsiteSettings))
	handle("PATCH", "website/{website}/settings", s.onSite(patchWebsiteSettings))
}

// newSettings are those of a website of which nothing was set yet.
func newSettings(websiteID string) document {
	return document{"website_id": websiteID, "name": "Website", "domain": websiteID + ".invalid"}
}

// siteOfDomain returns the website of a domain, nil if there is none; s.mu is held.
func (s *Server) siteOfDomain(domain string) *site {
	for _, w := range s.sites.All() {
		if w.settings.text("domain") == domain {
			return w
		}
	}
	return nil
}

func (s *Server) findWebsite(call restCall) restReply {
	domain := call.URL.Query().Get("domain")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case domain == "":
		return invalid
	case s.siteOfDomain(domain) == nil:
		return refusal(http.StatusNotFound, "website_not_found")
	default:
		return success("resolved", struct{}{})
	}
}

func (s *Server) postWebsite(call restCall) restReply {
	var body document
	if !call.decode(newWebsiteShape, &body) {
		return invalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.siteOfDomain(body.text("domain")) != nil {
		return refusal(http.StatusConflict, "website_exists")
	}
	w := s.site(s.newID())
	s.websites = s.websites.add(w.id)
	w.settings["name"], w.settings["domain"] = body["name"], body["domain"]
	return reply(http.StatusCreated, "added", w.websiteForm())
}

func (w *site) websiteForm() document {
	return w.settings.excerpt("website_id", "name", "domain", "logo")
}

func getWebsite(_ restCall, w *site) restReply { return success("resolved", w.websiteForm()) }

// deleteWebsite schedules that the website is removed, which it never is.
func deleteWebsite(call restCall, w *site) restReply {
	if !call.has(goodbyeShape) {
		return invalid
	}
	w.condemned = true
	return reply(http.StatusAccepted, "scheduled", struct{}{})
}

func abortDeletion(_ restCall, w *site) restReply {
	if !w.condemned {
		return refusal(http.StatusNotFound, "deletion_not_found")
	}
	w.condemned = false
	return success("aborted", struct{}{})
}

func getWebsiteSettings(_ restCall, w *site) restReply { return success("resolved", w.settings) }

// patchWebsiteSettings replaces those settings that are given, also within groups of
// them.
func patchWebsiteSettings(call restCall, w *site) restReply {
	var body document
	if !call.decode(settingsShape, &body) {
		return invalid
	}
	delete(body, "website_id")
	for name, v := range body {
		group, isGroup := v.(map[string]any)
		if !isGroup {
			w.settings[name] = v
			continue
		}
		merged := map[string]any{}
		for key, v := range w.settings.object(name) {
			merged[key] = v
		}
		for key, v := range group {
			merged[key] = v
		}
		w.settings[name] = merged
	}
	return success("updated", struct{}{})
}
