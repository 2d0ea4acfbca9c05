package crisp

import (
	"errors"
	"sync"
	"time"
)

// Gap is a span of time in which events may have been missed. Crisp does not
// keep events for clients that are away.
//
// Its ends are told by this machine's clock. An event that was on its way when
// the connection was lost may bear an earlier time than From, by as much as it
// takes from Crisp to here.
type Gap struct {
	From   time.Time // the last moment at which nothing can have been missed
	To     time.Time // from here on events are received again
	Reason GapReason
}

// GapReason tells why events may have been missed.
type GapReason string

// Reasons of a gap.
const (
	GapDisconnected GapReason = "disconnected" // the connection was lost
	GapOverflow     GapReason = "overflow"     // the queue was full (OverflowDrop)
	GapSkipped      GapReason = "skipped"      // a frame was over the size limit or unreadable
	GapRestarted    GapReason = "restarted"    // the program was not running
)

// gapReason tells why a session's end leaves a gap.
func gapReason(err error) GapReason {
	if errors.Is(err, ErrTooLarge) {
		return GapSkipped
	}
	return GapDisconnected
}

// openGaps are those that are not dealt with yet: not told of, or not filled.
// They hold the stored position back.
type openGaps struct {
	mu   sync.Mutex
	open map[*openGap]struct{}
}

type openGap struct {
	gaps *openGaps
	from time.Time
}

func (g *openGaps) add(from time.Time) *openGap {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(map[*openGap]struct{})
	}
	o := &openGap{gaps: g, from: from}
	g.open[o] = struct{}{}
	return o
}

func (o *openGap) close() {
	o.gaps.mu.Lock()
	defer o.gaps.mu.Unlock()
	delete(o.gaps.open, o)
}

// bound gives the beginning of the earliest open gap, or the given time if
// that is before.
func (g *openGaps) bound(at time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	for o := range g.open {
		if o.from.Before(at) {
			at = o.from
		}
	}
	return at
}

// resume posts the hooks that tell of a connection or a gap, and holds back
// what is received from here on until they have returned, and until it is known
// what a gap must be filled with.
func (t *RTM) resume(open *openGap, gap *Gap, post func()) {
	t.resuming.Lock() // so that the sequencer, the hooks and the fills agree on the order
	defer t.resuming.Unlock()
	t.delivery.mark()
	post()
	if gap == nil || t.cfg.backfill == nil {
		t.hooks.post(func() { t.delivery.lift(nil, open) })
		return
	}
	told := make(chan struct{})
	t.hooks.post(func() { close(told) })
	t.startFill(*gap, open, told)
}
