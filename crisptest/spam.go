package crisptest

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/crisp-go/crisp"
)

// Spam is a message that Crisp took for spam, and keeps for somebody to decide.
type Spam struct {
	Type     string         // such as "email", which it is if it is empty
	Reason   string         // why it is taken for spam
	Metadata map[string]any // of the message
	Headers  map[string]any // of the message
	Content  map[string]any // of the message
}

// AddSpam adds a message to the spam of a website, sends spam:message, and returns its
// ID. AddSpam panics if encoding/json can't encode what it has.
func (s *Server) AddSpam(websiteID string, spam Spam) (spamID string) {
	d := document{
		"type":     cmp.Or(spam.Type, "email"),
		"reason":   spam.Reason,
		"metadata": plain(spam.Metadata),
		"headers":  plain(spam.Headers),
		"content":  plain(spam.Content),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.site(websiteID)
	d["timestamp"] = s.now().UnixMilli()
	spamID = w.spams.add(s, d)
	w.emit("spam:message", d.excerpt("spam_id", "type", "reason", "metadata", "headers", "timestamp"))
	return spamID
}

// decisionShape is the body of a decision on spam.
var decisionShape = object(members{"action": filled}, nil)

// spamRoutes adds the routes of what was taken for spam.
func (s *Server) spamRoutes(handle addRoute) {
	on := func(method, path string, answer siteHandler) {
		handle(method, "website/{website}/conversations/"+path, requireTier(crisp.TierUser, s.onSite(answer)))
	}
	on("GET", "spams/{page}", listSpams)
	on("GET", "spam/{spam}/content", withSpam(getSpam))
	on("POST", "spam/{spam}/decision", withSpam(decideSpam))
}

// withSpam finds the spam of a call.
func withSpam(answer documentHandler) siteHandler {
	return func(call restCall, w *site) restReply {
		d, ok := w.spams.kept.Get(call.PathValue("spam"))
		if !ok {
			return refusal(http.StatusNotFound, "spam_not_found")
		}
		return answer(call, w, d)
	}
}

func listSpams(call restCall, w *site) restReply {
	var list []document
	for _, d := range slices.Backward(w.spams.all()) {
		list = append(list, d.excerpt("spam_id", "type", "reason", "metadata", "headers", "timestamp"))
	}
	return pageReply(call, list)
}

func getSpam(_ restCall, _ *site, d document) restReply {
	return success("resolved", d.excerpt("spam_id", "type", "reason", "metadata", "headers", "timestamp", "content"))
}

// decideSpam removes the spam from the list, whatever the decision: Crisp documents
// only that there is one.
func decideSpam(call restCall, w *site, d document) restReply {
	var body document
	if !call.decode(decisionShape, &body) {
		return invalid
	}
	id := d.text("spam_id")
	w.spams.kept.Delete(id)
	w.emit("spam:decision", map[string]any{"spam_id": id, "action": body.text("action")})
	return success("updated", struct{}{})
}
