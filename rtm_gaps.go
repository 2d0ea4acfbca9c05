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

// progress knows how far an RTM client has got: up to when everything was read,
// and which gaps before that are not dealt with: what the stored position may be.
type progress struct {
	clock     *clock.Clock
	lastEvent atomic.Int64 // the moment when one came; 0 = none yet
	lastSent  atomic.Int64 // a moment that it, and all that follow, were sent after

	mu       sync.Mutex // guards what follows
	conn     *socketio.Conn
	lastLive clock.Stamp // up to when the last connection was complete
	gaps     map[*openGap]struct{}
}

// came notes that an event came. It is for the reading goroutine alone. Those of a burst
// came at the same time, which is written once.
func (p *progress) came(received, sentAfter int64) {
	if p.lastEvent.Load() != received {
		p.lastEvent.Store(received)
	}
	if p.lastSent.Load() != sentAfter {
		p.lastSent.Store(sentAfter)
	}
}

// openGap is one that is not dealt with yet: not told of, or not filled. It
// holds the stored position back.
type openGap struct {
	progress *progress
	from     clock.Stamp
}

func newProgress(c *clock.Clock) *progress {
	return &progress{clock: c, gaps: make(map[*openGap]struct{})}
}

// begin notes that a run begins. The first of all has got to where it begins, so that
// the next misses nothing if it is killed before it connects.
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

// dated is the gap that ends now.
func (g *openGap) dated(reason GapReason) Gap {
	from, _ := g.progress.clock.Dates(g.from)
	return Gap{From: from, To: g.progress.clock.Wall(g.progress.clock.Now()), Reason: reason}
}

func (p *progress) connected(conn *socketio.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
}

// disconnected notes that the connection has ended, after it was read up to a time,
// and returns the moment up to which nothing can be missing.
func (p *progress) disconnected(readUpTo time.Time) clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastLive = p.clock.Stamp(p.clock.At(readUpTo))
	p.conn = nil
	return p.lastLive
}

// handledUpTo is the last moment before which nothing is left to handle; zero
// before the first connection after another run. oldest is SentAfter of the oldest event that
// is not handled; 0 if there is none.
func (p *progress) handledUpTo(oldest func() int64) clock.Stamp {
	// In the order in which events go on: they are read, may have to wait for a gap,
	// and then wait for their handlers. So what moves meanwhile makes the answer too
	// early, never too late.
	at := p.earliestGap(p.readUpTo())
	if oldest := clock.Moment(oldest()); oldest != 0 && oldest < at.Moment {
		at = p.clock.Stamp(oldest)
	}
	return at
}

// earliestGap returns where the earliest open gap begins, if that is before.
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

// beforeSkipped is the last moment before a packet that is being skipped, on the
// reading goroutine; zero without a connection, which has no events to miss.
func (p *progress) beforeSkipped() clock.Stamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return clock.Stamp{}
	}
	return p.clock.Stamp(p.clock.At(p.conn.PassedOn()))
}

// readUpTo is the last moment before which everything was read. A connection
// that is waiting for the network has passed on all it has heard.
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
