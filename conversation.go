package crisp

import (
	"encoding/json"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// Conversation is a conversation with a visitor, as REST gives it. What is not
// known of it is zero.
type Conversation struct {
	WebsiteID string
	SessionID string
	InboxID   string // empty = the main inbox
	PeopleID  string // of the contact's profile
	State     SessionState

	Verified      bool // the visitor's identity is, now
	Blocked       bool // messages of the visitor are not taken
	Availability  Availability
	Active        Active
	Verifications []Verification // past and current ones
	Participants  []Participant
	Mentions      []string // user IDs of operators

	LastMessage string // excerpt of it
	Preview     MessagePreview
	Topic       string
	Unread      Unread
	AssignedTo  string // user ID of the operator; empty = nobody
	Meta        ConversationMeta

	CreatedAt    time.Time
	UpdatedAt    time.Time
	WaitingSince time.Time // when the visitor began to wait for an answer

	// Raw is the conversation as it came, with what has no field here. Strings
	// share its memory: read it, don't write to it.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which
	// were left zero.
	Problems []FieldProblem
}

// Session names the conversation's session.
func (c *Conversation) Session() SessionRef {
	return SessionRef{WebsiteID: c.WebsiteID, SessionID: c.SessionID}
}

// MessagePreview is the last message of a conversation in short.
type MessagePreview struct {
	Type        MessageType
	From        From
	Excerpt     string
	Fingerprint int64
}

// Unread counts the messages of a conversation that wait to be read.
type Unread struct {
	Operator int // sent by the visitor, for operators to read
	Visitor  int // the other way round
}

func (c *Conversation) decode(d *payload.Decoder) {
	if !d.Object(payload.Required) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "website_id":
			c.WebsiteID = d.String(payload.Optional)
		case "session_id":
			c.SessionID = d.String(payload.Optional)
		case "inbox_id":
			c.InboxID = d.String(payload.Optional)
		case "people_id":
			c.PeopleID = d.String(payload.Optional)
		case "state":
			c.State = SessionState(d.String(payload.Optional))
		case "is_verified":
			c.Verified = d.Bool(payload.Optional)
		case "is_blocked":
			c.Blocked = d.Bool(payload.Optional)
		case "availability":
			c.Availability = Availability(d.String(payload.Optional))
		case "active":
			c.Active.decode(d, payload.Optional)
		case "verifications":
			c.Verifications = payload.Slice(d, payload.Optional, (*Verification).decode)
		case "participants":
			c.Participants = payload.Slice(d, payload.Optional, (*Participant).decode)
		case "mentions":
			c.Mentions = d.Strings(payload.Optional)
		case "last_message":
			c.LastMessage = d.String(payload.Optional)
		case "preview_message":
			c.Preview.decode(d)
		case "topic":
			c.Topic = d.String(payload.Optional)
		case "unread":
			c.Unread.decode(d)
		case "assigned":
			c.AssignedTo = decodeAssigned(d)
		case "meta":
			c.Meta.decode(d)
		case "created_at":
			c.CreatedAt = d.Time(payload.Optional)
		case "updated_at":
			c.UpdatedAt = d.Time(payload.Optional)
		case "waiting_since":
			c.WaitingSince = d.Time(payload.Optional)
		default:
			d.Skip()
		}
	}
}

func (p *MessagePreview) decode(d *payload.Decoder) {
	if !d.Object(payload.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "type":
			p.Type = MessageType(d.String(payload.Optional))
		case "from":
			p.From = From(d.String(payload.Optional))
		case "excerpt":
			p.Excerpt = d.String(payload.Optional)
		case "fingerprint":
			p.Fingerprint = d.Int64(payload.Optional)
		default:
			d.Skip()
		}
	}
}

func (u *Unread) decode(d *payload.Decoder) {
	if !d.Object(payload.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "operator":
			u.Operator = d.Int(payload.Optional)
		case "visitor":
			u.Visitor = d.Int(payload.Optional)
		default:
			d.Skip()
		}
	}
}

func decodeAssigned(d *payload.Decoder) (userID string) {
	if !d.Object(payload.Optional) {
		return ""
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		if key == "user_id" {
			userID = d.String(payload.Optional)
		} else {
			d.Skip()
		}
	}
	return userID
}

// decodeConversation reads a conversation of a website.
func decodeConversation(raw json.RawMessage, websiteID string) *Conversation {
	conversation := &Conversation{WebsiteID: websiteID, Raw: raw}
	conversation.Problems = decodeData(raw, conversation.decode)
	return conversation
}
