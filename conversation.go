package crisp

import (
	"encoding/json"
	"time"

	"github.com/crisp-go/crisp/internal/wire"
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

func (c *Conversation) decode(d *wire.Decoder) {
	if !d.Object(wire.Required) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "website_id":
			c.WebsiteID = d.String(wire.Optional)
		case "session_id":
			c.SessionID = d.String(wire.Optional)
		case "inbox_id":
			c.InboxID = d.String(wire.Optional)
		case "people_id":
			c.PeopleID = d.String(wire.Optional)
		case "state":
			c.State = SessionState(d.String(wire.Optional))
		case "is_verified":
			c.Verified = d.Bool(wire.Optional)
		case "is_blocked":
			c.Blocked = d.Bool(wire.Optional)
		case "availability":
			c.Availability = Availability(d.String(wire.Optional))
		case "active":
			c.Active.decode(d, wire.Optional)
		case "verifications":
			c.Verifications = wire.Slice(d, wire.Optional, (*Verification).decode)
		case "participants":
			c.Participants = wire.Slice(d, wire.Optional, (*Participant).decode)
		case "mentions":
			c.Mentions = d.Strings(wire.Optional)
		case "last_message":
			c.LastMessage = d.String(wire.Optional)
		case "preview_message":
			c.Preview.decode(d)
		case "topic":
			c.Topic = d.String(wire.Optional)
		case "unread":
			c.Unread.decode(d)
		case "assigned":
			c.AssignedTo = decodeAssigned(d)
		case "meta":
			c.Meta.decode(d)
		case "created_at":
			c.CreatedAt = d.Time(wire.Optional)
		case "updated_at":
			c.UpdatedAt = d.Time(wire.Optional)
		case "waiting_since":
			c.WaitingSince = d.Time(wire.Optional)
		default:
			d.Skip()
		}
	}
}

func (p *MessagePreview) decode(d *wire.Decoder) {
	if !d.Object(wire.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "type":
			p.Type = MessageType(d.String(wire.Optional))
		case "from":
			p.From = From(d.String(wire.Optional))
		case "excerpt":
			p.Excerpt = d.String(wire.Optional)
		case "fingerprint":
			p.Fingerprint = d.Int64(wire.Optional)
		default:
			d.Skip()
		}
	}
}

func (u *Unread) decode(d *wire.Decoder) {
	if !d.Object(wire.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "operator":
			u.Operator = d.Int(wire.Optional)
		case "visitor":
			u.Visitor = d.Int(wire.Optional)
		default:
			d.Skip()
		}
	}
}

func decodeAssigned(d *wire.Decoder) (userID string) {
	if !d.Object(wire.Optional) {
		return ""
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		if key == "user_id" {
			userID = d.String(wire.Optional)
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
