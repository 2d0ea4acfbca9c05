package crisptest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// The sizes of pages.
const (
	messagesPerPage      = 20
	conversationsPerPage = 20 // by default
	maxPerPage           = 50 // of conversations
	pagesPerPage         = 20
)

// conversationRoutes adds the routes of conversations. POST, PATCH and PUT create a
// conversation that doesn't exist, unless strictSessions is set.
func (s *Server) conversationRoutes(handle func(method, path string, handler restHandler)) {
	const conversation = "website/{website}/conversation/{session}"
	in := func(method, path string, answer conversationHandler) {
		create := method == http.MethodPost || method == http.MethodPatch || method == http.MethodPut
		handle(method, conversation+path, s.requireWebsite(s.withConversation(create, answer)))
	}
	handle("POST", "website/{website}/conversation", s.requireWebsite(s.createConversation))
	handle("GET", "website/{website}/conversations/{page}", s.requireWebsite(s.listConversations))
	in("GET", "", getConversation)
	in("DELETE", "", removeConversation)
	in("POST", "/initiate", initiateConversation)
	in("GET", "/messages", getMessages)
	in("POST", "/message", s.postMessage)
	in("GET", "/message/{fingerprint}", withMessage(getMessage))
	in("PATCH", "/message/{fingerprint}", withMessage(patchMessage))
	in("DELETE", "/message/{fingerprint}", withMessage(deleteMessage))
	in("PATCH", "/compose", patchCompose)
	in("PATCH", "/read", patchRead)
	in("PATCH", "/delivered", patchDelivered)
	in("PATCH", "/unread", patchUnread)
	in("GET", "/state", getState)
	in("PATCH", "/state", patchState)
	in("GET", "/routing", getRouting)
	in("PATCH", "/routing", patchRouting)
	in("PATCH", "/inbox", patchInbox)
	in("GET", "/meta", getMeta)
	in("PATCH", "/meta", patchMeta)
	in("GET", "/pages/{page}", getPages)
	in("GET", "/original/{original}", getOriginal)
	s.statusRoutes(in)
	s.verificationRoutes(in)
	s.callRoutes(in)
}

// conversationHandler answers a call of a conversation's route; Server.mu is held.
type conversationHandler func(call restCall, c *liveConversation) restReply

// withConversation finds the conversation of a call, or creates it.
func (s *Server) withConversation(create bool, answer conversationHandler) restHandler {
	return func(call restCall) restReply {
		s.mu.Lock()
		defer s.mu.Unlock()
		website, session := call.PathValue("website"), call.PathValue("session")
		c := s.findConversation(website, session)
		if c == nil {
			if !create || s.strictSessions {
				return refusal(http.StatusNotFound, "conversation_not_found")
			}
			c = s.makeConversation(website, session)
		}
		answer := answer(call, c)
		if c.number == 0 && answer.status < http.StatusBadRequest { // what is refused leaves no trace
			s.keep(c)
		}
		return answer
	}
}

var invalid = refusal(http.StatusBadRequest, "invalid_data")

// decode decodes the call's body if it has the shape, and reports whether it has.
func (call restCall) decode(is shape, into any) bool {
	body, err := io.ReadAll(call.Body)
	return err == nil && is.fits(body) && json.Unmarshal(body, into) == nil
}

// has reports whether the call's body has the shape.
func (call restCall) has(is shape) bool {
	var body json.RawMessage
	return call.decode(is, &body)
}

// page returns the number of the requested page, from 1.
func (call restCall) page() (int, bool) {
	n, err := strconv.Atoi(call.PathValue("page"))
	return n, err == nil && n > 0
}

// pageOf returns a page of a list. It is never nil, which would be null in JSON.
func pageOf[T any](list []T, page, size int) []T {
	first := min((page-1)*size, len(list))
	return append([]T{}, list[first:min(first+size, len(list))]...)
}

func (s *Server) createConversation(call restCall) restReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newConversation(call.PathValue("website"), "")
	return reply(http.StatusCreated, "added", map[string]any{"session_id": c.SessionID})
}

func getConversation(_ restCall, c *liveConversation) restReply {
	return success("resolved", c.restForm())
}

func removeConversation(_ restCall, c *liveConversation) restReply {
	c.remove()
	return success("deleted", struct{}{})
}

func initiateConversation(_ restCall, c *liveConversation) restReply {
	c.emit("session:request:initiated", nil)
	return success("initiated", struct{}{})
}

// newMessage is the body of a request to send a message.
type newMessage struct {
	Type        string          `json:"type"`
	From        string          `json:"from"`
	Origin      string          `json:"origin"`
	Content     json.RawMessage `json:"content"`
	Fingerprint int64           `json:"fingerprint"`
	Timestamp   int64           `json:"timestamp"`
	User        json.RawMessage `json:"user"`
	Mentions    []string        `json:"mentions"`
	References  json.RawMessage `json:"references"`
	Original    json.RawMessage `json:"original"`
	Properties  json.RawMessage `json:"properties"`
	Stealth     bool            `json:"stealth"`
	Translated  bool            `json:"translated"`
	Automated   bool            `json:"automated"`
}

func (s *Server) postMessage(call restCall, c *liveConversation) restReply {
	var body newMessage
	if !call.decode(messageShape, &body) || !validContent(body.Type, body.Content) {
		return invalid
	}
	original, source := s.keepOriginal(body.Original)
	m := c.addMessage(Message{
		Type:        body.Type,
		From:        body.From,
		Origin:      body.Origin,
		Content:     body.Content,
		Fingerprint: body.Fingerprint,
		Timestamp:   body.Timestamp,
		User:        body.User,
		Mentions:    body.Mentions,
		References:  body.References,
		Original:    original,
		Source:      source,
		Properties:  body.Properties,
		Stealth:     body.Stealth,
		Translated:  body.Translated,
		Automated:   body.Automated,
	})
	s.model.sent.add(&m, m.weight())
	s.note(Entry{Message: &m})
	return reply(http.StatusAccepted, "dispatched", map[string]any{"fingerprint": m.Fingerprint})
}

// keepOriginal returns the original of a message as the message comes back with
// it, which is only its ID, and what is kept of a new one; s.mu is held.
func (s *Server) keepOriginal(sent json.RawMessage) (original, source json.RawMessage) {
	if !newOriginal.fits(sent) || knownOriginal.fits(sent) {
		return sent, nil
	}
	s.model.lastOriginal++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.model.lastOriginal)
	return mustJSON(map[string]any{"original_id": id}), sent
}

// getOriginal returns what a message was made of.
func getOriginal(call restCall, c *liveConversation) restReply {
	wanted := oneOf(call.PathValue("original"))
	for _, m := range c.Messages {
		if m.Source == nil || !object(members{"original_id": wanted}, nil).fits(m.Original) {
			continue
		}
		var source struct {
			Type    string `json:"type"`
			Content string `json:"content"`
		}
		_ = json.Unmarshal(m.Source, &source) // its shape was checked
		return success("resolved", map[string]any{
			"website_id":  c.WebsiteID,
			"session_id":  c.SessionID,
			"original_id": call.PathValue("original"),
			"type":        source.Type,
			"content":     source.Content,
			"timestamp":   m.Timestamp,
		})
	}
	return refusal(http.StatusNotFound, "original_not_found")
}

// withMessage finds the message of a call.
func withMessage(answer func(call restCall, c *liveConversation, m *Message) restReply) conversationHandler {
	return func(call restCall, c *liveConversation) restReply {
		fingerprint, err := strconv.ParseInt(call.PathValue("fingerprint"), 10, 64)
		if err != nil {
			return invalid
		}
		m := c.findMessage(fingerprint)
		if m == nil {
			return refusal(http.StatusNotFound, "message_not_found")
		}
		return answer(call, c, m)
	}
}

func getMessage(_ restCall, _ *liveConversation, m *Message) restReply {
	return success("resolved", *m)
}

func patchMessage(call restCall, c *liveConversation, m *Message) restReply {
	var body struct {
		Content json.RawMessage `json:"content"`
	}
	if !call.decode(editShape, &body) || !validContent(m.Type, body.Content) {
		return invalid
	}
	c.update(m, body.Content)
	return success("updated", struct{}{})
}

func deleteMessage(_ restCall, c *liveConversation, m *Message) restReply {
	c.removeMessage(m)
	return success("deleted", struct{}{})
}

// getMessages returns a page of messages, oldest first: the latest ones, or those
// next to a time.
func getMessages(call restCall, c *liveConversation) restReply {
	byTime, compare := c.Messages, func(a, b Message) int { return cmp.Compare(a.Timestamp, b.Timestamp) }
	if !slices.IsSortedFunc(byTime, compare) { // some were given a time
		byTime = slices.Clone(byTime)
		slices.SortStableFunc(byTime, compare)
	}
	query := call.URL.Query()
	from, to := len(byTime)-messagesPerPage, len(byTime)
	for _, key := range []string{"timestamp_before", "timestamp_after", "timestamp_around"} {
		if !query.Has(key) {
			continue
		}
		at, err := strconv.ParseInt(query.Get(key), 10, 64)
		if err != nil {
			return invalid
		}
		from, to = aroundTime(byTime, key, at)
	}
	from, to = max(from, 0), min(to, len(byTime))
	return success("listed", append([]Message{}, byTime[from:to]...))
}

// aroundTime returns the range of indices of a page by time, which may exceed the
// list. Messages of that very time are neither before nor after it.
func aroundTime(byTime []Message, key string, at int64) (from, to int) {
	first := func(reached func(Message) bool) int {
		if i := slices.IndexFunc(byTime, reached); i >= 0 {
			return i
		}
		return len(byTime)
	}
	notBefore := first(func(m Message) bool { return m.Timestamp >= at })
	switch key {
	case "timestamp_before":
		return notBefore - messagesPerPage, notBefore
	case "timestamp_after":
		after := first(func(m Message) bool { return m.Timestamp > at })
		return after, after + messagesPerPage
	default:
		return notBefore - messagesPerPage/2, notBefore + messagesPerPage/2
	}
}

func patchCompose(call restCall, c *liveConversation) restReply {
	var body struct {
		Type      string `json:"type"`
		From      string `json:"from"`
		Excerpt   string `json:"excerpt"`
		Automated bool   `json:"automated"`
	}
	if !call.decode(composeShape, &body) {
		return invalid
	}
	fields := map[string]any{}
	if body.Excerpt != "" {
		fields["excerpt"] = body.Excerpt
	}
	if body.Automated {
		fields["automated"] = true
	}
	c.compose(body.From, body.Type == "start", fields)
	return success("dispatched", struct{}{})
}

// receipts is the body of a request to mark messages.
type receipts struct {
	From         string       `json:"from"`
	Origin       string       `json:"origin"`
	Fingerprints fingerprints `json:"fingerprints"`
}

func patchRead(call restCall, c *liveConversation) restReply {
	var body receipts
	if !call.decode(receiptsShape, &body) {
		return invalid
	}
	c.markRead(body.From, body.Origin, body.Fingerprints)
	return success("dispatched", struct{}{})
}

func patchDelivered(call restCall, c *liveConversation) restReply {
	var body receipts
	if !call.decode(receiptsShape, &body) {
		return invalid
	}
	c.markDelivered(body.From, body.Origin, body.Fingerprints)
	return success("dispatched", struct{}{})
}

func patchUnread(call restCall, c *liveConversation) restReply {
	var body receipts
	if !call.decode(unreadShape, &body) {
		return invalid
	}
	c.markUnread(body.From)
	return success("dispatched", struct{}{})
}

func getState(_ restCall, c *liveConversation) restReply {
	return success("resolved", map[string]any{"state": c.State})
}

func patchState(call restCall, c *liveConversation) restReply {
	var body struct {
		State string `json:"state"`
	}
	if !call.decode(stateShape, &body) {
		return invalid
	}
	c.setState(body.State)
	return success("updated", struct{}{})
}

func getRouting(_ restCall, c *liveConversation) restReply {
	return success("resolved", map[string]any{"assigned": assignedTo(c.Assigned)})
}

// assignedTo returns the routing as on the wire.
func assignedTo(userID string) any {
	if userID == "" {
		return nil
	}
	return map[string]any{"user_id": userID}
}

func patchRouting(call restCall, c *liveConversation) restReply {
	var body struct {
		Assigned *struct {
			UserID string `json:"user_id"`
		} `json:"assigned"`
	}
	switch {
	case !call.decode(routingShape, &body):
		return invalid
	case body.Assigned == nil:
		c.setRouting("")
	default:
		c.setRouting(body.Assigned.UserID)
	}
	return success("updated", struct{}{})
}

func patchInbox(call restCall, c *liveConversation) restReply {
	var body struct {
		InboxID *string `json:"inbox_id"`
	}
	switch {
	case !call.decode(inboxShape, &body):
		return invalid
	case body.InboxID == nil:
		c.setInbox("")
	default:
		c.setInbox(*body.InboxID)
	}
	return success("updated", struct{}{})
}

func getMeta(_ restCall, c *liveConversation) restReply { return success("resolved", c.Meta) }

func patchMeta(call restCall, c *liveConversation) restReply {
	var changes map[string]any
	if !call.decode(metaShape, &changes) {
		return invalid
	}
	c.setMeta(changes)
	return success("updated", struct{}{})
}

func getPages(call restCall, c *liveConversation) restReply {
	page, ok := call.page()
	if !ok {
		return invalid
	}
	return success("listed", pageOf(c.Pages, page, pagesPerPage))
}

func (s *Server) listConversations(call restCall) restReply {
	page, ok := call.page()
	search, known := parseSearch(call.URL.Query())
	if !ok || !known {
		return invalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := search.find(s.model.inOrder(), call.PathValue("website"))
	list := []map[string]any{}
	for _, c := range pageOf(found, page, search.perPage) {
		list = append(list, c.restForm())
	}
	return success("listed", list)
}
