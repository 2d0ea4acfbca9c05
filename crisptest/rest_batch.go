package crisptest

import (
	"net/http"
	"slices"

	"github.com/crisp-go/crisp"
)

// The bodies that the batch routes take of conversations.
var (
	sessionList = listOf(1, filled)
	batchShape  = either(
		object(members{"sessions": sessionList}, members{"inbox_id": filled}),
		object(members{"inbox_id": filled}, members{"sessions": null}))
	batchReportShape   = object(members{"sessions": sessionList, "flag": filled}, nil)
	batchBlockShape    = object(members{"sessions": sessionList, "blocked": boolean}, nil)
	batchRoutingShape  = object(members{"sessions": sessionList, "assigned": either(null, object(members{"user_id": filled}, nil))}, nil)
	batchInboxShape    = object(members{"sessions": sessionList, "inbox_id": either(null, filled)}, nil)
	batchDataShape     = object(members{"sessions": sessionList, "data": mapOf(scalar)}, nil)
	batchSegmentsShape = object(members{"sessions": sessionList, "segments": listOf(0, textual)}, nil)
)

// batchRoutes adds the routes that change many conversations at once.
func (s *Server) batchRoutes(handle addRoute) {
	patch := func(path string, tier crisp.Tier, is shape, change batchChange) {
		answer := s.batch(is, change)
		if tier != "" {
			answer = requireTier(tier, answer)
		}
		handle("PATCH", "website/{website}/batch/"+path, answer)
	}
	patch("resolve", crisp.TierUser, batchShape, func(c *liveConversation, _ document) { c.setState(stateResolved) })
	patch("unresolve", "", batchShape, func(c *liveConversation, _ document) { c.setState(stateUnresolved) })
	patch("read", crisp.TierUser, batchShape, func(c *liveConversation, _ document) { c.markRead(fromUser, originChat, nil) })
	patch("unread", "", batchShape, func(c *liveConversation, _ document) { c.markUnread(fromUser) })
	patch("block", "", batchBlockShape, func(c *liveConversation, body document) { c.setBlocked(body.flag("blocked")) })
	patch("routing", "", batchRoutingShape, func(c *liveConversation, body document) {
		c.setRouting(body.object("assigned").text("user_id"))
	})
	patch("inbox", "", batchInboxShape, func(c *liveConversation, body document) { c.setInbox(body.text("inbox_id")) })
	s.batchRoutesOfPeople(handle)
	handle("POST", "website/{website}/batch/report", s.onSite(reportBatch))
}

// batchChange changes one of the conversations that a body selects.
type batchChange func(c *liveConversation, body document)

// batch answers a call that changes the conversations of a list, or else those of an
// inbox. Those that are not there are passed over.
func (s *Server) batch(is shape, change batchChange) restHandler {
	return s.onSite(func(call restCall, w *site) restReply {
		var body document
		if !call.decode(is, &body) {
			return invalid
		}
		sessions := body.texts("sessions")
		inbox := body.text("inbox_id")
		for _, c := range w.conversations() {
			if slices.Contains(sessions, c.SessionID) || sessions == nil && c.InboxID == inbox {
				change(c, body)
			}
		}
		return success("updated", struct{}{})
	})
}

// reportBatch takes a report of conversations, of which nothing follows.
func reportBatch(call restCall, _ *site) restReply {
	if !call.has(batchReportShape) {
		return invalid
	}
	return reply(http.StatusAccepted, "reported", struct{}{})
}
