package crisptest

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/fifo"
)

// PluginID is the ID of the plugin whose token [Server.Token] is, unless
// [WithPluginID] sets another. It is that of all samples.
const PluginID = "d6b2907f-34ae-4185-8c9d-e17f50b3a246"

// plugin is where the plugin is installed, and how. Server.mu guards it.
type plugin struct {
	installed websiteSet
	settings  map[string]map[string]any // by website; of those that have any
	changes   *fifo.Map[string, *websiteChange]
}

func newPlugin(installed websiteSet, history int) plugin {
	return plugin{
		installed: installed,
		settings:  make(map[string]map[string]any),
		changes:   fifo.New[string, *websiteChange](history),
	}
}

// subscriptionUpdated is the event that tells a plugin of a website.
const subscriptionUpdated = "plugin:subscription:updated"

// Install installs the plugin on a website, which exists from now on if it didn't,
// and sends plugin:subscription:updated, also to RTM sessions of plugins that don't
// see the website yet. To see it, they have to send socket:bind.
func (s *Server) Install(websiteID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribe(websiteID)
}

// Uninstall removes the plugin from a website, with its settings, and sends
// plugin:subscription:updated. REST and new RTM sessions refuse the website to the
// plugin's token from now on. RTM sessions that are open keep it until they send
// socket:bind, which is refused if it lists the website among its rooms.
func (s *Server) Uninstall(websiteID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsubscribe(websiteID)
}

// subscribe is Install with s.mu held.
func (s *Server) subscribe(websiteID string) {
	s.websites = s.websites.add(websiteID)
	s.plugin.installed = s.plugin.installed.add(websiteID)
	s.changed(websiteID, websiteAdded)
	s.announceSubscription(websiteID, true)
}

// unsubscribe is Uninstall with s.mu held.
func (s *Server) unsubscribe(websiteID string) {
	s.plugin.installed = s.plugin.installed.remove(websiteID)
	delete(s.plugin.settings, websiteID)
	s.changed(websiteID, websiteRemoved)
	s.announceSubscription(websiteID, false)
}

func (s *Server) announceSubscription(websiteID string, bound bool) {
	s.emit(subscriptionUpdated, mustJSON(map[string]any{
		"website_id": websiteID,
		"plugin_id":  s.pluginID,
		"bound":      bound,
		"target":     "plugin",
	}))
}

// SavePluginSettings replaces the plugin's settings for a website, as somebody does
// on its page of settings, and sends plugin:settings:saved. They are what
// encoding/json can encode; otherwise SavePluginSettings panics.
func (s *Server) SavePluginSettings(websiteID string, settings map[string]any) {
	plain := map[string]any{} // with the types that REST would have decoded
	if err := json.Unmarshal(mustJSON(settings), &plain); err != nil {
		panic("crisptest: SavePluginSettings: " + err.Error()) // can't be: it has just been encoded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saveSettings(websiteID, plain)
}

// PluginSettings returns the plugin's settings for a website, as they were saved by
// [Server.SavePluginSettings] or over REST. They are empty if there are none.
func (s *Server) PluginSettings(websiteID string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settingsOf(websiteID)
}

// settingsOf returns a copy of a website's settings; s.mu is held.
func (s *Server) settingsOf(websiteID string) map[string]any {
	settings := map[string]any{}
	maps.Copy(settings, s.plugin.settings[websiteID])
	return settings
}

// saveSettings replaces the settings; s.mu is held.
func (s *Server) saveSettings(websiteID string, settings map[string]any) {
	s.plugin.settings[websiteID] = settings
	s.changed(websiteID, websiteUpdated)
	s.emit("plugin:settings:saved", mustJSON(map[string]any{
		"website_id": websiteID,
		"plugin_id":  s.pluginID,
		"settings":   settings,
	}))
}

const websitesPerPage = 20

// pluginRoutes adds the routes by which a plugin learns where it is installed, and
// how.
func (s *Server) pluginRoutes(handle func(method, path string, handler restHandler)) {
	const subscription = "plugins/subscription/{website}/{plugin}"
	in := func(method, path string, answer restHandler) {
		handle(method, subscription+path, s.requireWebsite(s.withSubscription(answer)))
	}
	handle("GET", "plugin/connect/websites/all/{page}", requireTier(crisp.TierPlugin, s.listWebsites))
	handle("POST", "plugins/subscription/{website}", requireTier(crisp.TierUser, s.requireWebsite(s.postSubscription)))
	in("DELETE", "", requireTier(crisp.TierUser, s.deleteSubscription))
	in("GET", "", s.getSubscription)
	in("GET", "/settings", s.getSettings)
	in("PUT", "/settings", s.putSettings)
	in("PATCH", "/settings", s.patchSettings)
}

// withSubscription refuses plugins that are not installed on the call's website,
// and holds s.mu while it is answered.
func (s *Server) withSubscription(answer restHandler) restHandler {
	return func(call restCall) restReply {
		s.mu.Lock()
		defer s.mu.Unlock()
		if call.PathValue("plugin") != s.pluginID || !s.plugin.installed.has(call.PathValue("website")) {
			return refusal(http.StatusNotFound, "subscription_not_found")
		}
		return answer(call)
	}
}

func (s *Server) listWebsites(call restCall) restReply {
	page, ok := call.page()
	if !ok {
		return invalid
	}
	configured := call.URL.Query().Get("filter_configured") == "1"
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []map[string]any
	for _, id := range s.knownWebsites() {
		settings := s.settingsOf(id)
		if s.plugin.installed.has(id) && (!configured || len(settings) > 0) {
			list = append(list, map[string]any{"website_id": id, "settings": settings})
		}
	}
	return success("listed", pageOf(list, page, websitesPerPage))
}

func (s *Server) postSubscription(call restCall) restReply {
	var body struct {
		PluginID string `json:"plugin_id"`
	}
	if !call.decode(object(members{"plugin_id": filled}, nil), &body) {
		return invalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if body.PluginID != s.pluginID {
		return refusal(http.StatusNotFound, "plugin_not_found")
	}
	s.subscribe(call.PathValue("website"))
	return reply(http.StatusCreated, "added", struct{}{})
}

func (s *Server) deleteSubscription(call restCall) restReply {
	s.unsubscribe(call.PathValue("website"))
	return success("deleted", struct{}{})
}

func (s *Server) getSubscription(call restCall) restReply {
	return success("resolved", s.subscriptionForm(call.PathValue("website")))
}

func (s *Server) subscriptionForm(websiteID string) map[string]any {
	return map[string]any{"id": s.pluginID, "website_id": websiteID, "active": true}
}

func (s *Server) getSettings(call restCall) restReply {
	website := call.PathValue("website")
	return success("resolved", map[string]any{
		"plugin_id":  s.pluginID,
		"website_id": website,
		"schema":     struct{}{},
		"settings":   s.settingsOf(website),
	})
}

func (s *Server) putSettings(call restCall) restReply {
	var settings map[string]any
	if !call.decode(mapOf(anything), &settings) {
		return invalid
	}
	s.saveSettings(call.PathValue("website"), settings)
	return success("saved", struct{}{})
}

// patchSettings replaces those settings that are given.
func (s *Server) patchSettings(call restCall) restReply {
	var changes map[string]any
	if !call.decode(mapOf(anything), &changes) {
		return invalid
	}
	website := call.PathValue("website")
	settings := s.settingsOf(website)
	maps.Copy(settings, changes)
	s.saveSettings(website, settings)
	return success("updated", struct{}{})
}
