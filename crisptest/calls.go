package crisptest

import "slices"

// watching is an operator's look at what the visitor of a conversation does.
type watching struct {
	BrowsingID    string `json:"browsing_id"`
	BrowsingToken string `json:"browsing_token"`
	Useragent     string `json:"useragent,omitempty"`
}

// maxWatched is how many browsing sessions a conversation has at most.
const maxWatched = 10

func (c *liveConversation) startBrowsing() {
	one := watching{
		BrowsingID:    "browsing_" + c.server.newID(),
		BrowsingToken: c.server.newID(),
		Useragent:     document(c.Meta).object("device").object("system").text("useragent"),
	}
	c.watched = append(c.watched[max(0, len(c.watched)+1-maxWatched):], one)
	c.emit("browsing:request:initiated", map[string]any{
		"browsing_id":    one.BrowsingID,
		"browsing_token": one.BrowsingToken,
	})
}

// isWatched reports whether there is such a browsing session.
func (c *liveConversation) isWatched(browsingID string) bool {
	return slices.ContainsFunc(c.watched, func(one watching) bool { return one.BrowsingID == browsingID })
}

// startCall begins a call, in the place of one that goes on, and returns its ID.
func (c *liveConversation) startCall() (callID string) {
	c.callID = "call_" + c.server.newID()
	c.emit("call:request:initiated", map[string]any{"call_id": c.callID})
	return c.callID
}

// RejectBrowsing ends all that operators see of what the visitor does on the website.
// It sends browsing:request:rejected for each browsing session that there is.
func (v *Visitor) RejectBrowsing() {
	v.do(func(c *liveConversation) {
		watched := c.watched
		c.watched = nil
		for _, one := range watched {
			c.emit("browsing:request:rejected", map[string]any{"browsing_id": one.BrowsingID})
		}
	})
}

// RejectCall ends the call of the conversation, and sends call:request:rejected. It
// does nothing if there is no call.
func (v *Visitor) RejectCall() {
	v.do(func(c *liveConversation) {
		callID := c.callID
		if callID == "" {
			return
		}
		c.callID = ""
		c.emit("call:request:rejected", map[string]any{"call_id": callID})
	})
}
