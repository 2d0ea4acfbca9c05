package crisptest

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// The bodies that the routes below take.
var (
	usageShape       = object(members{"name": filled, "units": whole}, members{"price": number})
	channelShape     = object(members{"namespace": filled, "payload": mapOf(anything)}, members{"identifier": textual})
	pluginEventShape = object(members{"name": filled}, members{"data": mapOf(anything)})
	bucketShape      = object(
		members{"namespace": oneOf(buckets...), "id": filled, "file": object(members{"name": filled, "type": filled}, nil)},
		members{"resource": object(members{"type": filled, "id": filled}, nil)})
)

// pluginURN is the name under which the plugin's events are sent.
const pluginURN = "urn:crisptest:plugin:0"

// What happened to one of the plugin's websites.
const (
	websiteAdded   = "added"
	websiteRemoved = "removed"
	websiteUpdated = "updated"
)

// websiteChange is the latest that happened to one of the plugin's websites.
type websiteChange struct {
	time time.Time
	what string
}

// changed records what happened to one of the plugin's websites; s.mu is held.
func (s *Server) changed(websiteID, what string) {
	s.plugin.changes.Put(websiteID, &websiteChange{time: s.now(), what: what})
}

// pluginAccountRoutes adds the routes of the plugin's account, of its events and of
// the files that programs upload.
func (s *Server) pluginAccountRoutes(handle addRoute) {
	plugin := func(method, path string, handler restHandler) {
		handle(method, "plugin/connect/"+path, requireTier(crisp.TierPlugin, handler))
	}
	plugin("GET", "account", s.getAccount)
	plugin("HEAD", "session", func(restCall) restReply { return success("resolved", struct{}{}) })
	plugin("GET", "websites/since", s.listWebsitesSince)
	handle("GET", "plugins/subscription", requireTier(crisp.TierUser, s.listSubscriptions))
	handle("GET", "plugins/subscription/{website}", requireTier(crisp.TierUser, s.requireWebsite(s.listSubscriptions)))
	in := func(method, path string, answer restHandler) {
		handle(method, "plugins/subscription/{website}/{plugin}/"+path, s.requireWebsite(s.withSubscription(answer)))
	}
	in("GET", "bill/usage", s.listUsage)
	in("POST", "bill/usage", requireTier(crisp.TierPlugin, s.postUsage))
	in("POST", "channel", s.postChannel)
	in("POST", "event", s.postPluginEvent)
	handle("POST", "bucket/url/generate", s.postBucketURL)
}

func (s *Server) getAccount(restCall) restReply {
	return success("resolved", map[string]any{"plugin_id": s.pluginID})
}

// listWebsitesSince lists the websites to which something happened, the first first.
func (s *Server) listWebsitesSince(call restCall) restReply {
	query := call.URL.Query()
	since, err := time.Parse(time.RFC3339, query.Get("date_since"))
	if err != nil {
		return invalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []document{}
	for id, change := range s.plugin.changes.All() {
		settings := s.settingsOf(id)
		if change.time.Before(since) || query.Get("filter_configured") == "1" && len(settings) == 0 {
			continue
		}
		list = append(list, document{"website_id": id, "settings": settings, "difference": change.what})
	}
	slices.Reverse(list)
	return success("listed", list)
}

// listSubscriptions lists where the plugin is installed: on the call's website, or on
// all.
func (s *Server) listSubscriptions(call restCall) restReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	websites := s.knownWebsites()
	if only := call.PathValue("website"); only != "" {
		websites = []string{only}
	}
	list := []map[string]any{}
	for _, id := range websites {
		if s.plugin.installed.has(id) {
			list = append(list, s.subscriptionForm(id))
		}
	}
	return success("listed", list)
}

func (s *Server) listUsage(call restCall) restReply {
	return success("listed", orEmpty(all(&s.site(call.PathValue("website")).usage)))
}

func (s *Server) postUsage(call restCall) restReply {
	var body document
	if !call.decode(usageShape, &body) {
		return invalid
	}
	used := body.excerpt("name", "units", "price")
	s.site(call.PathValue("website")).usage.add(&used, 0)
	return reply(http.StatusCreated, "added", struct{}{})
}

func (s *Server) postChannel(call restCall) restReply {
	var body document
	if !call.decode(channelShape, &body) {
		return invalid
	}
	return s.tellPlugin(call, "plugin:channel", body.excerpt("namespace", "identifier", "payload"))
}

func (s *Server) postPluginEvent(call restCall) restReply {
	var body document
	if !call.decode(pluginEventShape, &body) {
		return invalid
	}
	return s.tellPlugin(call, "plugin:event", document{"urn": pluginURN, "name": body["name"], "data": body["data"]})
}

// tellPlugin sends an event of the plugin on the call's website.
func (s *Server) tellPlugin(call restCall, event string, fields document) restReply {
	fields["plugin_id"] = s.pluginID
	s.site(call.PathValue("website")).emit(event, fields)
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

// buckets are what files can be uploaded for; there is an event for each.
var buckets = []string{"upload", "avatar", "website", "campaign", "helpdesk", "status", "processing"}

// bucketLimit is the size that an upload may have, in bytes.
const bucketLimit = 10_000_000

// postBucketURL sends the event that has where to upload a file. Nobody listens there.
func (s *Server) postBucketURL(call restCall) restReply {
	var body document
	if !call.decode(bucketShape, &body) {
		return invalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resource := body.object("resource")
	if website := resource.text("id"); resource.text("type") == "website" && !s.websitesOf(call.token).has(website) {
		return refusal(http.StatusForbidden, "not_allowed")
	}
	identifier := call.token.Identifier
	if call.token.Tier == crisp.TierPlugin {
		identifier = s.pluginID
	}
	url := "https://storage.invalid/" + body.text("namespace") + "/" + s.newID() + "/"
	payload := document{
		"type":       body["namespace"],
		"from":       call.token.Tier,
		"id":         body["id"],
		"identifier": identifier,
		"url":        document{"resource": url, "signed": url + "?signature=" + s.newToken()},
		"policy":     document{"size_limit": bucketLimit},
	}
	if resource != nil {
		payload["resource"] = maps.Clone(resource)
	}
	s.emit("bucket:url:"+body.text("namespace")+":generated", mustJSON(payload))
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}
