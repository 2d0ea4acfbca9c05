// Package seam is how package bridge reaches into package crisp for what programs must not see:
// to make an event again that another process has received, and to announce an event's arrival
// to a router before its turn. Package crisp, which imports this one, fills it in; for the same
// reason its types are any here.
package seam

import (
	"context"
	"crypto/sha256"
	"time"
)

// Recorded is an event that another process has received.
type Recorded struct {
	Name      string
	Data      []byte // the payload, never in an envelope; the event's from then on
	WebsiteID string
	Time      time.Time // zero = the payload's
	Source    string
	ID        [sha256.Size]byte // of crisp.EventID, unless it is a message, which has its own
	Stable    bool              // as crisp.EventIDStable
}

// SettlingGap is a crisp.Gap that an RTM client is about to report.
type SettlingGap struct {
	Gap any
	// Settled is closed when all that was received before the gap is handled, except for
	// what waits for the backfill of an earlier one, or when the client's handlers are to
	// stop.
	Settled <-chan struct{}
}

// Functions are functions of package crisp.
type Functions struct {
	// Decode returns a crisp.Event.
	Decode func(Recorded) (any, error)
	// Freeze ends registration with a *crisp.Router.
	Freeze func(router any)
	// Hooks returns crisp.Hooks with a callback for each gap, which runs before Hooks.Gap.
	Hooks func(gapSettles func(SettlingGap)) any
	// Arrived announces to a *crisp.Router, which is frozen, that a crisp.Event has come.
	Arrived func(router, event any)
	// Dispatch is crisp.Router.Dispatch for an event whose arrival was announced. The router
	// is frozen.
	Dispatch func(ctx context.Context, router, event any) error
}

// Crisp is filled in by package crisp.
var Crisp Functions
