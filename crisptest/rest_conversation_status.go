package crisptest

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// The bodies that the routes below take.
var (
	openShape         = object(members{"opened": boolean}, nil)
	participantsShape = object(
		members{"participants": listOf(0, object(members{"type": filled, "target": filled}, nil))},
		members{"user": author, "origin": channel})
	blockShape = object(members{"blocked": boolean}, members{"user": author, "origin": channel})

	transcriptShape = object(members{"to": filled}, members{"email": textual})
	reminderShape   = object(members{"date": dateTime, "note": filled}, members{"user": author, "origin": channel})
	reportShape     = object(members{"flag": filled}, nil)
)

// addConversationRoute adds a route below that of a conversation.
type addConversationRoute func(method, path string, answer conversationHandler)

// statusRoutes adds the routes of what else there is of a conversation than its
// messages and metas.
func (s *Server) statusRoutes(in addConversationRoute) {
	in("PATCH", "/open", patchOpen)
	in("GET", "/events/{page}", getEvents)
	in("GET", "/files/{page}", getFiles)
	in("GET", "/relations", getRelations)
	in("GET", "/participants", getParticipants)
	in("PUT", "/participants", putParticipants)
	in("GET", "/block", getBlock)
	in("PATCH", "/block", patchBlock)
	in("POST", "/transcript", accept(transcriptShape, "dispatched"))
	in("POST", "/purge", accept(nil, "purged"))
	in("POST", "/feedback", accept(nil, "requested"))
	in("POST", "/reminder", postReminder)
	in("POST", "/report", accept(reportShape, "reported"))
}

// accept accepts a body of this shape, or any if it is nil, and nothing follows.
func accept(is shape, reason string) conversationHandler {
	return func(call restCall, _ *liveConversation) restReply {
		if is != nil && !call.has(is) {
			return invalid
		}
		return reply(http.StatusAccepted, reason, struct{}{})
	}
}

func patchOpen(call restCall, c *liveConversation) restReply {
	var body document
	if !call.decode(openShape, &body) {
		return invalid
	}
	c.setOpened(body.flag("opened"))
	return success("updated", struct{}{})
}

func getEvents(call restCall, c *liveConversation) restReply { return pageReply(call, c.Events) }

// getFiles lists the files that were sent, the latest first.
func getFiles(call restCall, c *liveConversation) restReply {
	var files []document
	for _, m := range slices.Backward(c.Messages) {
		if m.Type != "file" {
			continue
		}
		var file document
		_ = json.Unmarshal(m.Content, &file)
		file = file.excerpt("name", "type", "url")
		file["fingerprint"], file["timestamp"] = m.Fingerprint, m.Timestamp
		files = append(files, file)
	}
	return pageReply(call, files)
}

// getRelations answers that no conversation is related to this one.
func getRelations(restCall, *liveConversation) restReply {
	return success("resolved", map[string]any{"conversations": map[string]any{"parent": nil, "children": []string{}}})
}

func getParticipants(_ restCall, c *liveConversation) restReply {
	return success("resolved", map[string]any{"participants": orEmpty(c.Participants)})
}

func putParticipants(call restCall, c *liveConversation) restReply {
	var body struct {
		Participants []Participant `json:"participants"`
	}
	if !call.decode(participantsShape, &body) {
		return invalid
	}
	c.setParticipants(body.Participants)
	return success("saved", struct{}{})
}

func getBlock(_ restCall, c *liveConversation) restReply {
	return success("resolved", map[string]any{"blocked": c.Blocked})
}

func patchBlock(call restCall, c *liveConversation) restReply {
	var body document
	if !call.decode(blockShape, &body) {
		return invalid
	}
	c.setBlocked(body.flag("blocked"))
	return success("updated", struct{}{})
}

func postReminder(call restCall, c *liveConversation) restReply {
	var body struct {
		Date time.Time `json:"date"`
		Note string    `json:"note"`
	}
	if !call.decode(reminderShape, &body) {
		return invalid
	}
	c.remind(Reminder{Due: body.Date, Note: body.Note})
	return reply(http.StatusCreated, "added", struct{}{})
}
