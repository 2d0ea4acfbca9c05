package crisptest

import "net/http"

// The bodies that the routes of browsing sessions and calls take.
var (
	browsingShape = object(members{"action": filled}, nil)
	assistShape   = object(members{"action": filled}, members{"mouse": screenPoint, "click": screenPoint, "scroll": screenPoint})
	screenPoint   = object(members{"x": whole, "y": whole}, nil)
	callShape     = object(members{"mode": oneOf("audio", "video")}, members{"user": author, "origin": channel})
	abortShape    = object(nil, members{"user": author, "origin": channel})
	signalShape   = object(members{"type": filled, "payload": something}, nil)
)

// callRoutes adds the routes by which an operator sees what a visitor does, and calls
// them.
func (s *Server) callRoutes(in addConversationRoute) {
	in("GET", "/browsing", listBrowsings)
	in("POST", "/browsing", postBrowsing)
	in("PATCH", "/browsing/{browsing}", withBrowsing(accept(browsingShape, "dispatched")))
	in("PATCH", "/browsing/{browsing}/assist", withBrowsing(accept(assistShape, "dispatched")))
	in("POST", "/call", postCall)
	in("GET", "/call", getCall)
	in("DELETE", "/call/{call}", withCall(deleteCall))
	in("PATCH", "/call/{call}", withCall(accept(signalShape, "dispatched")))
}

func listBrowsings(_ restCall, c *liveConversation) restReply {
	return success("listed", orEmpty(c.watched))
}

func postBrowsing(_ restCall, c *liveConversation) restReply {
	c.startBrowsing()
	return reply(http.StatusAccepted, "initiated", struct{}{})
}

// withBrowsing refuses browsing sessions that are not there.
func withBrowsing(answer conversationHandler) conversationHandler {
	return func(call restCall, c *liveConversation) restReply {
		if !c.isWatched(call.PathValue("browsing")) {
			return refusal(http.StatusNotFound, "browsing_not_found")
		}
		return answer(call, c)
	}
}

func postCall(call restCall, c *liveConversation) restReply {
	if !call.has(callShape) {
		return invalid
	}
	return reply(http.StatusCreated, "initiated", map[string]any{"call_id": c.startCall()})
}

func getCall(_ restCall, c *liveConversation) restReply {
	if c.callID == "" {
		return refusal(http.StatusNotFound, "call_not_found")
	}
	return success("resolved", map[string]any{"call_id": c.callID})
}

// withCall refuses calls that don't go on.
func withCall(answer conversationHandler) conversationHandler {
	return func(call restCall, c *liveConversation) restReply {
		if id := call.PathValue("call"); id != c.callID || id == "" {
			return refusal(http.StatusNotFound, "call_not_found")
		}
		return answer(call, c)
	}
}

func deleteCall(call restCall, c *liveConversation) restReply {
	if call.ContentLength != 0 && !call.has(abortShape) {
		return invalid
	}
	c.callID = ""
	c.touch()
	return success("aborted", struct{}{})
}
