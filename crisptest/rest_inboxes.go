package crisptest

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/crisp-go/crisp"
)

// The bodies that the routes of inboxes and teams take.
var (
	condition = object(
		members{"criterion": filled, "operator": oneOf("eq", "neq", "gte", "lte", "gt", "lt"), "query": listOf(0, textual)},
		members{"model": oneOf("session")})
	newInboxShape = object(members{"name": filled}, members{
		"emoji":      textual,
		"order":      whole,
		"operators":  listOf(0, filled),
		"teams":      listOf(0, filled),
		"conditions": listOf(0, condition),
		"operator":   oneOf("and", "or"),
	})
	inboxOrderShape = object(members{
		"orders": listOf(1, object(members{"inbox_id": filled, "order": whole}, nil)),
	}, nil)
	teamShape = object(members{"name": filled}, members{"emoji": textual, "operators": listOf(0, filled)})
)

// inboxRoutes adds the routes of a website's inboxes, beside the main one.
func (s *Server) inboxRoutes(handle addRoute) {
	resource{
		name:      "inbox",
		list:      "inboxes/list",
		one:       "inbox",
		new:       newInboxShape,
		saved:     newInboxShape,
		writeTier: crisp.TierUser,
		own:       []string{"team_operators"},
		of:        func(w *site) collection { return w.inboxes },
		begin: func() document {
			return document{"emoji": "", "order": 0.0, "operators": []any{}, "teams": []any{}, "conditions": []any{}, "operator": "and"}
		},
		show: showInbox,
		find: func(_ restCall, w *site) []document { return w.inboxesInOrder() },
		removed: func(w *site, id string) {
			for _, c := range w.conversations() {
				if c.InboxID == id {
					c.setInbox("")
				}
			}
		},
	}.routes(s, handle)
	handle("PATCH", "website/{website}/inboxes/batch/order", requireTier(crisp.TierUser, s.onSite(orderInboxes)))
}

// showInbox adds the operators of the inbox's teams.
func showInbox(w *site, d document) document {
	shown := d.excerpt("inbox_id", "name", "emoji", "order", "operators", "teams", "conditions", "operator", "created_at", "updated_at")
	ofTeams := []string{}
	for _, id := range d.texts("teams") {
		team, _ := w.teams.kept.Get(id)
		for _, userID := range team.texts("operators") {
			if !slices.Contains(ofTeams, userID) {
				ofTeams = append(ofTeams, userID)
			}
		}
	}
	shown["team_operators"] = ofTeams
	return shown
}

// inboxesInOrder returns the inboxes by their order.
func (w *site) inboxesInOrder() []document {
	list := []document{}
	for _, d := range w.inboxes.all() {
		list = append(list, showInbox(w, d))
	}
	slices.SortStableFunc(list, func(a, b document) int { return cmp.Compare(a.number("order"), b.number("order")) })
	return list
}

func orderInboxes(call restCall, w *site) restReply {
	var body struct {
		Orders []struct {
			InboxID string  `json:"inbox_id"`
			Order   float64 `json:"order"`
		} `json:"orders"`
	}
	if !call.decode(inboxOrderShape, &body) {
		return invalid
	}
	for _, one := range body.Orders {
		if _, ok := w.inboxes.kept.Get(one.InboxID); !ok {
			return refusal(http.StatusNotFound, "inbox_not_found")
		}
	}
	for _, one := range body.Orders {
		d, _ := w.inboxes.kept.Get(one.InboxID)
		d["order"] = one.Order
	}
	return success("updated", struct{}{})
}

// teamRoutes adds the routes of a website's teams.
func (s *Server) teamRoutes(handle addRoute) {
	resource{
		name:  "team",
		list:  "teams/list",
		one:   "team",
		new:   teamShape,
		saved: teamShape,
		of:    func(w *site) collection { return w.teams },
		begin: func() document { return document{"emoji": "", "operators": []any{}} },
		show:  asIs,
		find:  func(_ restCall, w *site) []document { return w.teams.all() },
	}.routes(s, handle)
}
