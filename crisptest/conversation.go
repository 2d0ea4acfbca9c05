package crisptest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// Message is a message of a conversation, as it is in REST and in events.
type Message struct {
	WebsiteID   string          `json:"website_id"`
	SessionID   string          `json:"session_id"`         // identifies the conversation
	InboxID     string          `json:"inbox_id,omitempty"` // empty in the main inbox
	Type        string          `json:"type"`               // "text", "note", "file", …
	From        string          `json:"from"`               // "user", which is the visitor, or "operator"
	Origin      string          `json:"origin"`             // channel: "chat", "email" or a URN
	Content     json.RawMessage `json:"content"`            // a string or an object, depending on Type
	Fingerprint int64           `json:"fingerprint"`        // identifies the message within its conversation
	Timestamp   int64           `json:"timestamp"`          // in milliseconds; unless it was given, later than any before
	Stamped     bool            `json:"stamped"`
	User        json.RawMessage `json:"user,omitempty"`
	Mentions    []string        `json:"mentions,omitempty"`
	References  json.RawMessage `json:"references,omitempty"`
	Original    json.RawMessage `json:"original,omitempty"` // only its "original_id", even if it was sent with the message: see Source
	Properties  json.RawMessage `json:"properties,omitempty"`
	Edited      bool            `json:"edited,omitempty"`
	Translated  bool            `json:"translated,omitempty"`
	Automated   bool            `json:"automated,omitempty"`
	Read        string          `json:"read,omitempty"`      // the origin through which it was read, if it was
	Delivered   string          `json:"delivered,omitempty"` // the origin through which it was delivered, if it was
	Stealth     bool            `json:"-"`                   // the visitor can't see it
	Source      json.RawMessage `json:"-"`                   // the original's "type" and "content", if it was sent with the message
}

// Text returns the content of a message of type text or note, and "" for others.
func (m Message) Text() string {
	var text string
	_ = json.Unmarshal(m.Content, &text)
	return text
}

// weight is how many bytes it takes beyond the fixed size of a message.
func (m *Message) weight() int {
	return len(m.Content) + len(m.User) + len(m.References) + len(m.Properties) + len(m.Source)
}

// String describes the message with its content, for failure messages.
func (m Message) String() string {
	return fmt.Sprintf("%s from %s in %s: %s", m.Type, m.From, m.SessionID, m.Content)
}

// Conversation is the state of a conversation at some time.
type Conversation struct {
	WebsiteID    string
	SessionID    string         // identifies the conversation
	InboxID      string         // empty in the main inbox
	PeopleID     string         // of the contact who has the visitor's address; empty if there is none
	State        string         // "pending", "unresolved" or "resolved"
	Assigned     string         // user ID of the operator it is assigned to; empty if it is unassigned
	Availability string         // of the visitor: "online" or "offline"
	Meta         map[string]any // as REST returns it: "nickname", "email", "data", "segments", …
	Messages     []Message      // in the order they were added, without removed and forgotten ones (WithHistory)
	Pages        []Page         // that the visitor viewed, latest first, at most 100
	Events       []VisitorEvent // what the visitor did, latest first, at most 100
	Participants []Participant  // who takes part beside the visitor and the operators
	Blocked      bool           // what the visitor says goes nowhere
	Verified     bool           // the visitor is who they say they are
	Proven       []Verification // what the visitor has proven, in that order, also if it is no longer Verified
	Reminders    []Reminder     // that were set, in that order, at most 100
	Composing    []string       // who is typing: "user", "operator"
	Unread       Unread
	Created      time.Time
	Updated      time.Time // when it last changed
}

// Unread counts the messages of a conversation that are not read yet.
type Unread struct {
	Operator int `json:"operator"` // messages of the visitor that no operator has read
	Visitor  int `json:"visitor"`  // messages of operators that the visitor has not read
}

// Page is a page that a visitor viewed.
type Page struct {
	Title     string `json:"page_title"`
	URL       string `json:"page_url"`
	Referrer  string `json:"page_referrer,omitempty"`
	Timestamp int64  `json:"timestamp"` // when it was viewed, in milliseconds
}

// The states of conversations and the sides of messages, as on the wire.
const (
	statePending    = "pending"
	stateUnresolved = "unresolved"
	stateResolved   = "resolved"

	fromUser     = "user"
	fromOperator = "operator"
)

// liveConversation is a Conversation in the model. Server.mu guards it.
type liveConversation struct {
	Conversation
	server     *Server
	number     int               // in the order they were created, from 1; 0 if it is not kept yet
	latestTime int64             // the latest timestamp that a message ever had
	present    bool              // the visitor is on the website
	watched    []watching        // of what the visitor does there
	callID     string            // of the call that goes on; empty if there is none
	proofs     map[string]string // tokens that prove identities, by the identities
	forgotten  int               // at most so many places of forgotten messages are before those in Messages
}

// Conversation returns a conversation as it is now, or false if there is none.
func (s *Server) Conversation(websiteID, sessionID string) (Conversation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.findConversation(websiteID, sessionID)
	if c == nil {
		return Conversation{}, false
	}
	return c.snapshot(), true
}

// Sent returns the latest messages ([WithHistory]) that were sent over REST and
// accepted, in order. That is what the program under test has said.
func (s *Server) Sent() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.model.sent)
}

// findConversation returns nil if there is no such conversation; s.mu is held.
func (s *Server) findConversation(websiteID, sessionID string) *liveConversation {
	c, _ := s.model.conversations.Get(conversationKey{websiteID, sessionID})
	return c
}

// newConversation adds a conversation, with a new session ID if none is given;
// s.mu is held.
func (s *Server) newConversation(websiteID, sessionID string) *liveConversation {
	c := s.makeConversation(websiteID, sessionID)
	s.keep(c)
	return c
}

// keep adds a conversation that was made to the model; s.mu is held.
func (s *Server) keep(c *liveConversation) {
	s.model.created++
	c.number = s.model.created
	s.model.conversations.Put(c.key(), c)
}

// makeConversation is newConversation without adding it.
func (s *Server) makeConversation(websiteID, sessionID string) *liveConversation {
	if sessionID == "" {
		s.model.lastSession++
		sessionID = fmt.Sprintf("session_00000000-0000-4000-8000-%012d", s.model.lastSession)
	}
	now := s.now()
	return &liveConversation{server: s, Conversation: Conversation{
		WebsiteID:    websiteID,
		SessionID:    sessionID,
		State:        statePending,
		Availability: string(crisp.AvailabilityOffline),
		Meta:         map[string]any{"nickname": "visitor", "segments": []any{}, "data": map[string]any{}},
		Created:      now,
		Updated:      now,
	}}
}

// forget removes a conversation from the model; s.mu is held.
func (s *Server) forget(c *liveConversation) {
	s.model.conversations.Delete(c.key())
}

// remove removes the conversation.
func (c *liveConversation) remove() {
	c.setPresent(false)
	c.server.forget(c)
	c.emit("session:removed", nil)
}

// snapshot returns a copy that doesn't change with the model.
func (c *liveConversation) snapshot() Conversation {
	view := c.Conversation
	view.Meta = maps.Clone(view.Meta)
	view.Messages = slices.Clone(view.Messages)
	view.Pages = slices.Clone(view.Pages)
	view.Events = slices.Clone(view.Events)
	view.Participants = slices.Clone(view.Participants)
	view.Proven = slices.Clone(view.Proven)
	view.Reminders = slices.Clone(view.Reminders)
	view.Composing = slices.Clone(view.Composing)
	return view
}

// emit sends an event of the conversation, with these fields in addition to the
// common ones, and marks the conversation as changed.
func (c *liveConversation) emit(name string, fields map[string]any) {
	payload := map[string]any{"website_id": c.WebsiteID, "session_id": c.SessionID}
	if c.InboxID != "" {
		payload["inbox_id"] = c.InboxID
	}
	maps.Copy(payload, fields)
	c.touch()
	c.server.emit(name, mustJSON(payload))
}

// touch marks the conversation as changed. The list of conversations is ordered by the
// time of change, so each change gets a later time than the one before. The conversation
// that has not changed for longest is the first to be forgotten.
func (c *liveConversation) touch() {
	now := c.server.now()
	if !now.After(c.Updated) {
		now = c.Updated.Add(time.Millisecond)
	}
	c.Updated = now
	if s := c.server; s.findConversation(c.WebsiteID, c.SessionID) == c { // it was not removed
		s.model.conversations.Put(c.key(), c)
	}
	c.server.changes.announce()
}

// addMessage adds a message and sends its event. The message needs a type, from, origin
// and content; fingerprint, timestamp and user are set if they are missing.
func (c *liveConversation) addMessage(m Message) Message {
	s := c.server
	m.WebsiteID, m.SessionID, m.InboxID = c.WebsiteID, c.SessionID, c.InboxID
	m.Stamped = true
	dated := m.Timestamp != 0
	if !dated {
		m.Timestamp = c.nextTimestamp()
	}
	if m.Fingerprint == 0 {
		m.Fingerprint = s.nextFingerprint()
	}
	if m.User == nil {
		m.User = c.defaultUser(m.From)
	}
	c.latestTime = max(c.latestTime, m.Timestamp)
	c.Messages = append(c.Messages, m)
	s.model.remember(c, m)
	c.stopComposing(m.From)
	c.touch()
	if sent := time.UnixMilli(m.Timestamp); !dated && sent.After(c.Updated) {
		c.Updated = sent // of many messages at once, the last are dated later
	}
	if m.From == fromUser {
		c.Unread.Operator++
		s.emit("message:send", mustJSON(m))
	} else {
		if m.visible() {
			c.Unread.Visitor++
		}
		s.emit("message:received", mustJSON(m))
	}
	c.updateState(m)
	return m
}

// visible reports whether the visitor can see a message.
func (m Message) visible() bool { return m.Type != "note" && !m.Stealth }

// updateState updates the state of the conversation after a message: a pending one
// becomes unresolved by an answer, a resolved one by a message of the visitor.
func (c *liveConversation) updateState(m Message) {
	answered := m.From == fromOperator && m.visible() && c.State == statePending
	reopened := m.From == fromUser && c.State == stateResolved
	if answered || reopened {
		c.setState(stateUnresolved)
	}
}

// nextTimestamp returns the current time, or the first that is later than every other
// message of the conversation, because clients page by time.
func (c *liveConversation) nextTimestamp() int64 {
	return max(c.server.now().UnixMilli(), c.latestTime+1)
}

// nextFingerprint returns a number that is unique within the server, and below
// 2^53, which JavaScript needs.
func (s *Server) nextFingerprint() int64 {
	s.model.lastFingerprint = max(s.model.lastFingerprint+1, s.now().UnixMilli()*1000)
	return s.model.lastFingerprint
}

// defaultUser returns the user of messages that have none.
func (c *liveConversation) defaultUser(from string) json.RawMessage {
	if from == fromUser {
		return mustJSON(map[string]any{"user_id": c.SessionID, "nickname": c.Meta["nickname"]})
	}
	return mustJSON(map[string]any{"type": "participant", "user_id": operatorID, "nickname": "crisptest"})
}

// operatorID is the user ID of the operator of messages that name no user.
const operatorID = "a4815c3b-7f20-4e96-8d1b-52c9e06fa374"

func (c *liveConversation) findMessage(fingerprint int64) *Message {
	for i := range c.Messages {
		if c.Messages[i].Fingerprint == fingerprint {
			return &c.Messages[i]
		}
	}
	return nil
}

func (c *liveConversation) update(m *Message, content json.RawMessage) {
	m.Content, m.Edited = content, true
	c.emit("message:updated", map[string]any{"fingerprint": m.Fingerprint, "content": content})
}

func (c *liveConversation) removeMessage(m *Message) {
	fingerprint := m.Fingerprint
	c.Messages = slices.DeleteFunc(c.Messages, func(m Message) bool { return m.Fingerprint == fingerprint })
	c.emit("message:removed", map[string]any{"fingerprint": fingerprint})
}

// compose records and sends that a side has begun or stopped typing.
func (c *liveConversation) compose(from string, typing bool, fields map[string]any) {
	c.stopComposing(from)
	fields["type"] = "stop"
	if typing {
		fields["type"] = "start"
		c.Composing = append(c.Composing, from)
	}
	fields["timestamp"] = c.server.now().UnixMilli()
	if from == fromUser {
		c.emit("message:compose:send", fields)
		return
	}
	fields["user"] = c.defaultUser(fromOperator)
	c.emit("message:compose:receive", fields)
}

func (c *liveConversation) stopComposing(from string) {
	c.Composing = slices.DeleteFunc(c.Composing, func(who string) bool { return who == from })
}

// acknowledge marks messages of one side, all if fingerprints is nil, and sends
// an event with those that were not marked yet. mark returns the field to set.
func (c *liveConversation) acknowledge(event, from, origin string, fingerprints []int64, mark func(*Message) *string) {
	var marked []int64
	for i := range c.Messages {
		m := &c.Messages[i]
		wanted := m.From == from && (fingerprints == nil || slices.Contains(fingerprints, m.Fingerprint))
		if wanted && *mark(m) == "" {
			*mark(m) = origin
			marked = append(marked, m.Fingerprint)
		}
	}
	if len(marked) > 0 {
		c.emit(event, map[string]any{"origin": origin, "fingerprints": marked})
	}
}

func (c *liveConversation) markRead(from, origin string, fingerprints []int64) {
	event := "message:acknowledge:read:send"
	if from == fromOperator {
		event = "message:acknowledge:read:received"
	}
	c.acknowledge(event, from, origin, fingerprints, func(m *Message) *string { return &m.Read })
	unread := 0
	for _, m := range c.Messages {
		if m.From == from && m.Read == "" && m.visible() {
			unread++
		}
	}
	if from == fromOperator {
		c.Unread.Visitor = unread
	} else {
		c.Unread.Operator = unread
	}
}

func (c *liveConversation) markDelivered(from, origin string, fingerprints []int64) {
	c.acknowledge("message:acknowledge:delivered", from, origin, fingerprints, func(m *Message) *string { return &m.Delivered })
}

// markUnread marks the last message of a side as unread. Crisp has an event for
// that only if the side is the visitor.
func (c *liveConversation) markUnread(from string) {
	for _, m := range slices.Backward(c.Messages) {
		if m.From != from {
			continue
		}
		c.findMessage(m.Fingerprint).Read = ""
		if from == fromUser {
			c.Unread.Operator = max(c.Unread.Operator, 1)
			c.emit("message:acknowledge:unread:send", map[string]any{"origin": m.Origin, "fingerprints": []int64{m.Fingerprint}})
		}
		return
	}
}

func (c *liveConversation) setState(state string) {
	if c.State == state {
		return
	}
	c.State = state
	c.emit("session:set_state", map[string]any{"state": state})
}

// setRouting assigns the conversation to an operator, or to nobody if the user ID
// is empty.
func (c *liveConversation) setRouting(userID string) {
	if c.Assigned == userID {
		return
	}
	fields := map[string]any{"routing_id": orNull(userID), "previous_routing_id": orNull(c.Assigned)}
	c.Assigned = userID
	c.emit("session:set_routing", fields)
}

func (c *liveConversation) setInbox(inboxID string) {
	if c.InboxID == inboxID {
		return
	}
	fields := map[string]any{"inbox_id": orNull(inboxID), "previous_inbox_id": orNull(c.InboxID)}
	c.InboxID = inboxID
	c.emit("session:set_inbox", fields)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// orEmpty returns a list that is not nil, which would be null in JSON.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

// metaEvents are the metas for whose change there is an event, session:set_ and
// the name of the meta, in the order in which the events are sent.
var metaEvents = []string{"email", "phone", "address", "subject", "avatar", "nickname", "origin", "data", "segments"}

// setMeta sets metas, merges "data" with what is there, and sends the events.
func (c *liveConversation) setMeta(changes map[string]any) {
	data, _ := c.Meta["data"].(map[string]any)
	more, merges := changes["data"].(map[string]any)
	maps.Copy(c.Meta, changes)
	if merges {
		merged := make(map[string]any)
		maps.Copy(merged, data)
		maps.Copy(merged, more)
		c.Meta["data"] = merged
	}
	for _, key := range metaEvents {
		if _, changed := changes[key]; changed {
			c.emit("session:set_"+key, map[string]any{key: c.Meta[key]})
		}
	}
	if _, changed := changes["email"]; changed {
		c.bindPerson()
	}
	c.touch()
}

func (c *liveConversation) setAvailability(availability crisp.Availability) {
	c.Availability = string(availability)
	c.emit("session:update_availability", map[string]any{"availability": availability})
	c.setPresent(availability == crisp.AvailabilityOnline)
}

// maxPages is how many pages a conversation has at most.
const maxPages = 100

func (c *liveConversation) visit(p Page) {
	c.Pages = slices.Insert(c.Pages[:min(len(c.Pages), maxPages-1)], 0, p)
	c.emit("session:sync:pages", map[string]any{"pages": c.Pages})
	c.setPresent(true)
}

// lastText returns the latest message that has a text.
func (c *liveConversation) lastText() string {
	for _, m := range slices.Backward(c.Messages) {
		if text := m.Text(); text != "" {
			return text
		}
	}
	return ""
}

func (c *liveConversation) contains(text string) bool {
	return slices.ContainsFunc(c.Messages, func(m Message) bool {
		return strings.Contains(strings.ToLower(m.Text()), strings.ToLower(text))
	})
}

func (c *liveConversation) hasSegment(segment string) bool {
	segments, _ := c.Meta["segments"].([]any)
	return slices.Contains(segments, any(segment))
}

// restForm returns the conversation as REST returns it.
func (c *liveConversation) restForm() map[string]any {
	compose := map[string]any{}
	for _, who := range c.Composing {
		side := map[string]string{fromUser: "visitor", fromOperator: "operator"}[who]
		compose[side] = map[string]any{"type": "start"}
	}
	status := map[string]int{statePending: 0, stateUnresolved: 1, stateResolved: 2}
	w := map[string]any{
		"website_id":   c.WebsiteID,
		"session_id":   c.SessionID,
		"inbox_id":     orNull(c.InboxID),
		"state":        c.State,
		"status":       status[c.State],
		"is_verified":  c.Verified,
		"is_blocked":   c.Blocked,
		"availability": c.Availability,
		"active":       map[string]any{"now": c.Availability == string(crisp.AvailabilityOnline), "last": c.Updated.UnixMilli()},
		"last_message": c.lastText(),
		"participants": orEmpty(c.Participants),
		"mentions":     []any{},
		"compose":      compose,
		"unread":       c.Unread,
		"meta":         c.Meta,
		"created_at":   c.Created.UnixMilli(),
		"updated_at":   c.Updated.UnixMilli(),
	}
	if c.PeopleID != "" {
		w["people_id"] = c.PeopleID
	}
	if c.Assigned != "" {
		w["assigned"] = map[string]any{"user_id": c.Assigned}
	}
	if len(c.Proven) > 0 {
		w["verifications"] = c.Proven
	}
	return w
}
