package crisptest

import (
	"net/http"
	"slices"

	"github.com/crisp-go/crisp"
)

// The bodies that the routes of campaigns take.
var (
	newCampaignShape = object(members{"type": oneOf(oneShot, automated), "name": filled}, nil)
	campaignFilter   = object(members{"criterion": filled, "operator": filled}, members{"model": textual})
	campaignShape    = object(nil, members{
		"type":    oneOf(oneShot, automated),
		"format":  filled,
		"name":    filled,
		"subject": textual,
		"tag":     textual,
		"message": textual,
		"sender":  object(nil, members{"user_id": filled}),
		"recipients": object(nil, members{
			"type":     filled,
			"segments": listOf(0, filled),
			"people":   listOf(0, filled),
			"filter":   listOf(0, campaignFilter),
		}),
		"flow": object(nil, members{
			"launch_event":  textual,
			"assert_filter": listOf(0, campaignFilter),
			"assert_delay":  whole,
			"deliver_once":  boolean,
			"deliver_delay": whole,
		}),
		"options": object(nil, members{
			"deliver_to_chatbox":  boolean,
			"deliver_to_email":    boolean,
			"sender_name_website": boolean,
			"sender_email_reply":  boolean,
			"tracking":            boolean,
		}),
	})
)

// campaignRoutes adds the routes of a website's campaigns.
func (s *Server) campaignRoutes(handle addRoute) {
	r := resource{
		name:      "campaign",
		list:      "campaigns/list",
		one:       "campaign",
		new:       newCampaignShape,
		saved:     campaignShape,
		patch:     campaignShape,
		readTier:  crisp.TierUser,
		writeTier: crisp.TierUser,
		own:       []string{"ready", "dispatched", "running", "progress", "targets", "reached", "dispatched_at", "statistics"},
		of:        func(w *site) collection { return w.campaigns },
		begin:     beginCampaign,
		show:      showCampaign,
		find:      findCampaigns,
		removed:   func(w *site, id string) { w.runs.Delete(id) },
	}
	r.routes(s, handle)
	on := func(method, path string, answer documentHandler) {
		handle(method, "website/{website}/campaign/{id}/"+path, requireTier(crisp.TierUser, s.onSite(r.with(answer))))
	}
	handle("GET", "website/{website}/campaigns/tags", requireTier(crisp.TierUser, s.onSite(listCampaignTags)))
	on("POST", "dispatch", dispatchCampaign)
	on("POST", "resume", resumeCampaign)
	on("POST", "pause", pauseCampaign)
	on("POST", "test", testCampaign)
	on("GET", "recipients/{page}", listCampaignRecipients)
	on("GET", "statistics/{action}/{page}", listCampaignStatistics)
}

func beginCampaign() document {
	return document{
		"format":     "markdown",
		"dispatched": false,
		"running":    false,
		"progress":   0,
		"targets":    0,
		"reached":    0,
	}
}

func showCampaign(w *site, d document) document {
	shown := document{"ready": isReady(d)}
	for name, v := range d {
		shown[name] = v
	}
	counts := document{}
	run, dispatched := w.runs.Get(d.text("campaign_id"))
	for _, reaction := range reactions {
		counts[reaction] = 0
		if dispatched {
			counts[reaction] = run.counts[reaction]
		}
	}
	shown["statistics"] = counts
	return shown
}

// campaignStatuses are the query parameters that filter campaigns by their status.
var campaignStatuses = map[string]func(document) bool{
	"filter_status_not_configured": func(d document) bool { return !isReady(d) && !d.flag("dispatched") },
	"filter_status_ready":          func(d document) bool { return isReady(d) && !d.flag("dispatched") },
	"filter_status_paused":         func(d document) bool { return d.flag("dispatched") && !d.flag("running") && !isDone(d) },
	"filter_status_sending":        func(d document) bool { return d.flag("running") },
	"filter_status_done":           isDone,
}

// isDone reports whether a campaign has reached all whom it is for.
func isDone(d document) bool { return d["progress"] == 100 }

func findCampaigns(call restCall, w *site) []document {
	query := call.URL.Query()
	types := chosen(query, map[string]func(document) bool{
		"filter_type_one_shot":  func(d document) bool { return d.text("type") == oneShot },
		"filter_type_automated": func(d document) bool { return d.text("type") == automated },
	})
	statuses := chosen(query, campaignStatuses)
	var list []document
	for _, d := range w.campaigns.all() {
		tagged := !query.Has("filter_tag") || query.Get("filter_tag") == d.text("tag")
		if types(d) && statuses(d) && tagged && named(query, d) {
			list = append(list, showCampaign(w, d).excerpt("campaign_id", "type", "format", "name", "subject", "tag", "ready",
				"dispatched", "running", "progress", "targets", "reached", "created_at", "updated_at", "dispatched_at"))
		}
	}
	return list
}

func listCampaignTags(_ restCall, w *site) restReply {
	tags := []string{}
	for _, d := range w.campaigns.all() {
		if tag := d.text("tag"); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return success("listed", tags)
}

func dispatchCampaign(_ restCall, w *site, d document) restReply {
	switch {
	case d.flag("dispatched"):
		return refusal(http.StatusConflict, "campaign_dispatched")
	case !isReady(d):
		return refusal(http.StatusConflict, "campaign_not_ready")
	}
	w.dispatch(d)
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

func resumeCampaign(_ restCall, w *site, d document) restReply {
	run, dispatched := w.runs.Get(d.text("campaign_id"))
	if !dispatched || d.flag("running") || isDone(d) {
		return refusal(http.StatusConflict, "campaign_not_paused")
	}
	w.setRunning(d, run, true)
	return success("resumed", struct{}{})
}

func pauseCampaign(_ restCall, w *site, d document) restReply {
	run, dispatched := w.runs.Get(d.text("campaign_id"))
	if !dispatched || !d.flag("running") {
		return refusal(http.StatusConflict, "campaign_not_running")
	}
	w.setRunning(d, run, false)
	return success("paused", struct{}{})
}

// testCampaign takes the place of sending the campaign to who asks for it.
func testCampaign(_ restCall, _ *site, d document) restReply {
	if !isReady(d) {
		return refusal(http.StatusConflict, "campaign_not_ready")
	}
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

func listCampaignRecipients(call restCall, w *site, d document) restReply {
	recipients := recipientsOf(d)
	if run, dispatched := w.runs.Get(d.text("campaign_id")); dispatched {
		recipients = run.recipients
	}
	var list []document
	for _, recipient := range recipients {
		one := recipientForm(recipient)
		one["subscribed"] = true
		list = append(list, one)
	}
	return pageReply(call, list)
}

func listCampaignStatistics(call restCall, w *site, d document) restReply {
	action := call.PathValue("action")
	if !slices.Contains(reactions, action) {
		return invalid
	}
	var list []document
	if run, dispatched := w.runs.Get(d.text("campaign_id")); dispatched {
		for _, one := range all(&run.reactions) {
			if one.text("type") == action {
				list = append(list, one)
			}
		}
	}
	return pageReply(call, list)
}
