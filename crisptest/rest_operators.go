package crisptest

import (
	"net/http"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// The bodies that the routes of operators take.
var (
	inviteShape = object(members{"email": filled, "role": filled, "verify": proof}, nil)
	roleShape   = object(members{"role": filled}, members{"title": textual})
	mailShape   = object(
		members{"subject": filled, "message": filled},
		members{
			"recipient": textual,
			"user_id":   textual,
			"target":    object(nil, members{"label": textual, "url": absoluteURL}),
		})
)

// operatorRoutes adds the routes of a website's operators.
func (s *Server) operatorRoutes(handle addRoute) {
	const website = "website/{website}/"
	handle("GET", website+"operators/list", s.onSite(listOperators))
	handle("GET", website+"operators/active", s.onSite(listActiveOperators))
	handle("DELETE", website+"operators/active", requireTier(crisp.TierUser, s.onSite(flushActiveOperators)))
	handle("POST", website+"operators/email", s.onSite(mailOperators))
	handle("POST", website+"operator", requireTier(crisp.TierUser, s.onSite(inviteOperator)))
	handle("GET", website+"operator/{user}", s.onSite(withMember(getOperator)))
	handle("PATCH", website+"operator/{user}", requireTier(crisp.TierUser, s.onSite(withMember(patchOperator))))
	handle("DELETE", website+"operator/{user}", requireTier(crisp.TierUser, s.onSite(deleteOperator)))
}

// withMember finds the operator of a call.
func withMember(answer func(call restCall, m *member) restReply) siteHandler {
	return func(call restCall, w *site) restReply {
		m, ok := w.members.Get(call.PathValue("user"))
		if !ok {
			return refusal(http.StatusNotFound, "operator_not_found")
		}
		return answer(call, m)
	}
}

// listOperators lists the operators, and then those who were invited to be one.
func listOperators(_ restCall, w *site) restReply {
	list := []document{}
	for _, m := range w.inOrder() {
		list = append(list, document{"type": "operator", "details": m.restForm()})
	}
	var invited []document
	for _, details := range w.invited.All() {
		invited = append(invited, document{"type": "invite", "details": details})
	}
	slices.Reverse(invited)
	return success("listed", append(list, invited...))
}

// listActiveOperators lists the operators who have done something, the latest first.
func listActiveOperators(_ restCall, w *site) restReply {
	active := slices.DeleteFunc(w.inOrder(), func(m *member) bool { return m.active.IsZero() })
	slices.SortStableFunc(active, func(a, b *member) int { return b.active.Compare(a.active) })
	list := []document{}
	for _, m := range active {
		list = append(list, document{
			"user_id":   m.details["user_id"],
			"avatar":    m.details["avatar"],
			"nickname":  m.details["first_name"],
			"timestamp": m.active.UnixMilli(),
		})
	}
	return success("listed", list)
}

func flushActiveOperators(_ restCall, w *site) restReply {
	for _, m := range w.inOrder() {
		m.active = time.Time{}
	}
	return success("flushed", struct{}{})
}

func mailOperators(call restCall, w *site) restReply {
	var body document
	if !call.decode(mailShape, &body) {
		return invalid
	}
	if userID := body.text("user_id"); userID != "" {
		if _, ok := w.members.Get(userID); !ok {
			return refusal(http.StatusNotFound, "operator_not_found")
		}
	}
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

func inviteOperator(call restCall, w *site) restReply {
	var body document
	if !call.decode(inviteShape, &body) {
		return invalid
	}
	if w.hasMember(body.text("email")) {
		return refusal(http.StatusConflict, "operator_exists")
	}
	w.invited.Put(body.text("email"), body.excerpt("email", "role"))
	return reply(http.StatusCreated, "invited", struct{}{})
}

func getOperator(_ restCall, m *member) restReply { return success("resolved", m.restForm()) }

func patchOperator(call restCall, m *member) restReply {
	var body document
	if !call.decode(roleShape, &body) {
		return invalid
	}
	m.details["role"] = body.text("role")
	if title, ok := body["title"].(string); ok {
		m.details["title"] = title
	}
	return success("updated", struct{}{})
}

func deleteOperator(call restCall, w *site) restReply {
	if !w.unlink(call.PathValue("user")) {
		return refusal(http.StatusNotFound, "operator_not_found")
	}
	return success("deleted", struct{}{})
}

// availabilityRoutes adds the routes that say who is there to answer.
func (s *Server) availabilityRoutes(handle addRoute) {
	handle("GET", "website/{website}/availability/status", s.onSite(getAvailability))
	handle("GET", "website/{website}/availability/operators", s.onSite(listAvailabilities))
}

func getAvailability(_ restCall, w *site) restReply {
	status := crisp.AvailabilityOffline
	if w.online {
		status = crisp.AvailabilityOnline
	}
	return success("resolved", map[string]any{"status": status, "since": w.changed.UnixMilli()})
}

// listAvailabilities lists for how many seconds each operator has been what they
// are, and since when.
func listAvailabilities(_ restCall, w *site) restReply {
	list := []document{}
	for _, m := range w.inOrder() {
		list = append(list, document{
			"user_id": m.details["user_id"],
			"type":    m.availability,
			"time": document{
				"for":   int64(w.server.now().Sub(m.since) / time.Second),
				"since": m.since.UnixMilli(),
			},
		})
	}
	return success("listed", list)
}
