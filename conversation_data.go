package crisp

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// Conversation is a conversation with a visitor, as the REST API has it. What is not
// known of it is zero.
type Conversation struct {
	WebsiteID string
	SessionID string
	InboxID   string // empty = the main inbox
	PeopleID  string // of the contact's profile
	State     SessionState
	Status    int // Crisp's number for the State; which is which is not documented

	Verified      bool // the visitor's identity is verified now
	Blocked       bool // the visitor's messages are rejected
	Availability  Availability
	Active        Active
	Verifications []Verification // past and current ones
	Participants  []Participant
	Mentions      []string // user IDs of operators

	LastMessage string // excerpt
	Preview     MessagePreview
	Topic       string
	Unread      Unread
	Compose     ConversationCompose
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

// Session names the conversation.
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

// ConversationCompose says who is typing in a conversation.
type ConversationCompose struct {
	Operator ComposeStatus
	Visitor  ComposeStatus
}

// ComposeStatus says whether a side is typing; zero if it is not known.
type ComposeStatus struct {
	State     ComposeState
	Excerpt   string    // what has been typed so far
	Time      time.Time // when it began or ceased
	User      User      // who types; has no Type
	Automated bool      // no person does
}

// decodeMember reads an object of which only one member matters, a text such as the operator's
// identifier, and returns that.
func decodeMember(d *payload.Decoder, member string) (text string) {
	if !d.Object(payload.Optional) {
		return ""
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		if key == member {
			text = d.String(payload.Optional)
		} else {
			d.Skip()
		}
	}
	return text
}

// decodeConversation reads a conversation of a website.
func decodeConversation(raw json.RawMessage, websiteID string) *Conversation {
	c := new(Conversation)
	c.Problems = decodeData(raw, c.decode)
	c.Raw = raw
	if c.WebsiteID == "" {
		c.WebsiteID = websiteID
	}
	return c
}

// ConversationMeta is what is known of the visitor of a conversation.
type ConversationMeta struct {
	Nickname string
	Email    string
	Phone    string
	Address  string
	Subject  string // of the conversation
	Origin   string // the channel that the conversation came through
	Avatar   string // URL of the image
	// Data is custom data by key: strings, numbers (float64) and booleans.
	Data map[string]any
	// Segments are what the conversation is classed by.
	Segments   []string
	IP         string // of the visitor
	Connection NetworkConnection
	Device     Device

	// Raw is what came, with what has no field here; nil inside a Conversation.
	// Strings share its memory: read it, don't write to it.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero. Those of a meta inside a Conversation are among the
	// Conversation's.
	Problems []FieldProblem
}

// Device is what is known of the visitor's device.
type Device struct {
	Capabilities []string // such as "browsing" or "call"
	Geolocation  Geolocation
	System       System
	Timezone     time.Duration // offset from UTC as the browser tells it, in whole minutes
	Locales      []string      // languages, such as "en"
}

func decodeConversationMeta(raw json.RawMessage) *ConversationMeta {
	m := new(ConversationMeta)
	m.Problems = decodeData(raw, m.decode)
	m.Raw = raw
	return m
}

// PluginWebsite is a website that has installed a plugin.
type PluginWebsite struct {
	WebsiteID string
	// Settings are the plugin's own for this website; nil if there are none.
	Settings json.RawMessage
	// Token is a secret by which pages of the plugin prove that they act for this website.
	// Raw has it, too. Printing or logging the PluginWebsite shows neither, but printing
	// one of the two fields does.
	Token string
	// Price is what the plugin costs for this website, in the unit that the plugin
	// has its prices in at Crisp, which documents none.
	Price float64
	// Plan is the website's own plan with Crisp; zero if it was not told.
	Plan Plan
	// Difference is what has happened to the website, in lists of changes only.
	Difference string

	// Raw is the entry as it came, with what has no field here.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero.
	Problems []FieldProblem
}

// String returns the website's identifier and no secret; every verb of fmt prints that.
func (w PluginWebsite) String() string { return "plugin website " + w.WebsiteID }

// Format writes String, for every verb.
func (w PluginWebsite) Format(f fmt.State, _ rune) { fmt.Fprint(f, w.String()) }

// LogValue is String, for log/slog.
func (w PluginWebsite) LogValue() slog.Value { return slog.StringValue(w.String()) }

// decodeData reads the data of an answer, which must be valid JSON, and returns the fields of
// unexpected types.
func decodeData(raw json.RawMessage, decode func(*payload.Decoder, payload.Presence)) []FieldProblem {
	d := payload.NewDecoder(raw)
	decode(d, payload.Required)
	return fieldProblems(d.Problems())
}
