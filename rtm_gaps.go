package crisp

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/socketio"
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

// GapReason says why events may have been missed.
type GapReason string

// Reasons of a gap.
const (
	GapDisconnected GapReason = "disconnected" // the connection was lost
	GapOverflow     GapReason = "overflow"     // the queue was full (OverflowDrop)
	GapSkipped      GapReason = "skipped"      // an event was over the size limit or unreadable
	GapRestarted    GapReason = "restarted"    // the program was not running
)

// gapReason is why a connection's end leaves a gap.
func gapReason(err error) GapReason {
	if errors.Is(err, ErrTooLarge) {
		return GapSkipped
	}
	return GapDisconnected
}

// progress knows how far an RTM client has got: up to when everything was read, and which
// gaps before that are still open. The stored position follows from both.
type progress struct {
	clock     *clock.Clock
	lastEvent atomic.Int64 // the clock.Moment when the last event came; 0 = none yet
	lastSent  atomic.Int64 // a clock.Moment after which it, and all that follow, were sent

	mu       sync.Mutex     // guards what follows
	conn     *socketio.Conn // the current one; nil = none
	lastLive clock.Stamp    // up to when the connection before was complete
	gaps     map[*openGap]struct{}
}

// came notes that an event came; both times are a clock.Moment. It is for the reading
// goroutine alone. The events of a burst share their times, which are written once.
func (p *progress) came(received, sentAfter int64) {
	if p.lastEvent.Load() != received {
		p.lastEvent.Store(received)
	}
	if p.lastSent.Load() != sentAfter {
		p.lastSent.Store(sentAfter)
	}
}

// openGap is a gap that is not reported yet, or not filled. It holds the stored position
// back.
type openGap struct {
	progress *progress
	from     clock.Stamp
}

func newProgress(c *clock.Clock) *progress {
	return &progress{clock: c, gaps: make(map[*openGap]struct{})}
}

// begin notes that a run begins. The very first has no position to go on from, and starts
// with its beginning: so the next run knows what was missed if this one is killed before it
// connects.
func (p *progress) begin(first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first {
		p.lastLive = p.clock.Stamp(p.clock.Now())
	}
}

func (p *progress) openGap(from clock.Stamp) *openGap {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := &openGap{progress: p, from: from}
	p.gaps[g] = struct{}{}
	return g
}

func (g *openGap) close() {
	g.progress.mu.Lock()
	defer g.progress.mu.Unlock()
	delete(g.progress.gaps, g)
}

// dated returns the gap with its dates, ending now.
func (g *openGap) dated(reason GapReason) Gap {
	from, _ := g.progress.clock.Dates(g.from)
	return Gap{From: from, To: g.progress.clock.Wall(g.progress.clock.Now()), Reason: reason}
}

func (p *progress) connected(conn *socketio.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
}

// disconnected notes that the connection has ended, and returns the moment up to which it was
// read: nothing before can be missing.
func (p *progress) disconnected(readUpTo time.Time) clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastLive = p.clock.Stamp(p.clock.At(readUpTo))
	p.conn = nil
	return p.lastLive
}

// handledUpTo returns the last moment before which nothing is left to handle; zero before
// the first connection of a run that follows another. oldest returns SentAfter of the oldest
// event that is not handled, 0 if there is none.
func (p *progress) handledUpTo(oldest func() int64) clock.Stamp {
	// The three are asked in the order in which events pass them: reading, waiting for a gap,
	// waiting for a handler. So an event that moves on meanwhile is counted twice, not missed:
	// the answer may be too early, never too late.
	at := p.earliestGap(p.readUpTo())
	if oldest := clock.Moment(oldest()); oldest != 0 && oldest < at.Moment {
		at = p.clock.Stamp(oldest)
	}
	return at
}

// earliestGap returns the beginning of the earliest open gap, or at if that is earlier.
func (p *progress) earliestGap(at clock.Stamp) clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	for g := range p.gaps {
		if g.from.Moment < at.Moment {
			at = g.from
		}
	}
	return at
}

// beforeSkipped returns the last moment before a packet that is being skipped; zero before
// the connection is authenticated, when there are no events to miss. It is for the reading
// goroutine alone.
func (p *progress) beforeSkipped() clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return clock.Stamp{}
	}
	return p.clock.Stamp(p.clock.At(p.conn.PassedOn()))
}

// readUpTo returns the last moment before which everything was read. A connection that waits
// for the network has passed on everything that it has received.
func (p *progress) readUpTo() clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return p.lastLive
	}
	if passedOn, idle := p.conn.Idle(); idle {
		return p.clock.Stamp(p.clock.At(passedOn))
	}
	return p.clock.Stamp(max(p.lastLive.Moment, clock.Moment(p.lastSent.Load())))
}
