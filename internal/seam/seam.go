// Package seam has what package bridge needs of package crisp, and no program does:
// to make an event again that another process has received, and to tell a router of
// an event's arrival before its turn. Package crisp fills it in; it can't be imported
// here, so that its types are any.
package seam

import (
	"context"
	"crypto/sha256"
	"time"
)

// Recorded is an event as another process has received it.
type Recorded struct {
	Name      string
	Data      []byte // the payload, never in an envelope; the event's from then on
	WebsiteID string
	Time      time.Time // zero = the payload's
	Source    string
	ID        [sha256.Size]byte // by which it is known, unless it is a message
	Stable    bool              // the ID would be the same if it came again
}

// SettlingGap is a crisp.Gap that an RTM client is about to tell of.
type SettlingGap struct {
	Gap any
	// Settled is closed when all that was received before the gap is handled, except for
	// what waits for the backfill of an earlier one, or when the client's handlers are to
	// stop.
	Settled <-chan struct{}
}

// Functions are of package crisp.
type Functions struct {
	// Decode returns a crisp.Event.
	Decode func(Recorded) (any, error)
	// Freeze ends registration with a *crisp.Router.
	Freeze func(router any)
	// Hooks returns crisp.Hooks, which are told of each gap before Hooks.Gap is.
	Hooks func(gapSettles func(SettlingGap)) any
	// Arrived tells a *crisp.Router that a crisp.Event has come. The router is frozen.
	Arrived func(router, event any)
	// Dispatch is that of a *crisp.Router, for an event whose arrival was told of. The
	// router is frozen.
	Dispatch func(ctx context.Context, router, event any) error
}

// Crisp is filled in by package crisp.
var Crisp Functions
