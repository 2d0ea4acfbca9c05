package inspect

import (
	"context"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Sending is an event that somebody wants to send from the page.
type Sending struct {
	Body     []byte // of its web hook
	Target   string // the name of one of [Config.Targets], or a URL of this machine
	Attempt  int    // that it claims to be
	KeepTime bool   // the timestamp of the body stays
	Wrong    bool   // the signature is not the body's
	Stale    bool   // it is signed for a time long ago
}

// Sent is what became of it.
type Sent struct {
	ID       ID // of the event's record
	Delivery record.Delivery
}

// Chat is a server's visitors and operators; see [Config.Chat].
type Chat interface {
	Conversations(context.Context) ([]Conversation, error)
}

// Conversation is one of a server.
type Conversation struct {
	WebsiteID string `json:"website_id"`
	SessionID string `json:"session_id"`
}
