package crisp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

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
// and which gaps before that are not dealt with. It is the one place that says
// where a gap begins, and what the stored position may be.
type progress struct {
	lastEvent atomic.Int64 // when one was read, UNIX ns; 0 = none yet

	mu       sync.Mutex // guards what follows
	conn     *socketio.Conn
	lastLive time.Time // without a connection: up to when the last one was complete
	gaps     map[*openGap]struct{}
	lag      lag
}

// openGap is one that is not dealt with yet: not told of, or not filled. It
// holds the stored position back.
type openGap struct {
	progress *progress
	from     time.Time
}

func newProgress() *progress { return &progress{gaps: make(map[*openGap]struct{})} }

func (p *progress) openGap(from time.Time) *openGap {
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

func (p *progress) connected(conn *socketio.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
}

// disconnected ends the connection's part, which was read up to a time, and
// returns up to when nothing that it was sent can be missing.
func (p *progress) disconnected(conn *socketio.Conn, readUpTo time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastLive = p.lag.bound(readUpTo, conn)
	p.conn, p.lag = nil, lag{}
	return p.lastLive
}

// handledUpTo is the last moment before which nothing is left to handle; zero
// before the first connection. oldest is when the oldest event was received that
// is not handled; zero if there is none.
func (p *progress) handledUpTo(oldest func() time.Time) time.Time {
	// First what was read, then what of it is not handled: what is handled in
	// between makes the answer earlier than it could be, never later.
	at := p.readUpTo()
	if oldest := oldest(); !oldest.IsZero() && oldest.Before(at) {
		at = oldest
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for g := range p.gaps {
		if g.from.Before(at) {
			at = g.from
		}
	}
	return at
}

// beforeSkipped is the last moment before a packet that is being skipped, on the
// reading goroutine; zero without a connection, which has no events to miss.
func (p *progress) beforeSkipped() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return time.Time{}
	}
	return p.lag.bound(p.conn.PassedOn(), p.conn)
}

// readUpTo is the last moment before which everything was read. A connection
// that is waiting for the network has passed on all it has heard.
func (p *progress) readUpTo() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.lastLive
	if p.conn == nil {
		return at
	}
	if passedOn, idle := p.conn.Idle(); idle {
		at = passedOn
	} else if ns := p.lastEvent.Load(); ns > at.UnixNano() {
		at = time.Unix(0, ns)
	}
	return p.lag.bound(at, p.conn)
}

// lag is the time for which the reader is behind the server, because it had to
// wait for handlers. What it reads then may have been sent long before, and
// what is lost if the connection ends then, too.
type lag struct {
	from    time.Time // zero = there is none
	resumed time.Time // when the reader went on; zero = it waits
	waits   int       // of the reader, so far
	probing bool      // the connection is being asked whether the lag is over
}

// bound returns the beginning of the lag if it is before the given time. The lag
// is over, too, when the connection was found quiet after it.
func (l *lag) bound(at time.Time, conn *socketio.Conn) time.Time {
	if !l.resumed.IsZero() && conn.LastQuiet().After(l.resumed) {
		l.from, l.resumed = time.Time{}, time.Time{}
	}
	if !l.from.IsZero() && l.from.Before(at) {
		return l.from
	}
	return at
}

// readerWaits notes that the reader begins to wait for handlers, with an event in
// hand that was received at a time.
func (p *progress) readerWaits(received time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lag.from.IsZero() {
		p.lag.from = received
	}
	p.lag.resumed = time.Time{}
	p.lag.waits++
}

// readerResumes notes that it goes on. A connection that is never quiet is asked
// then when the lag is over: the server answers a ping behind what it has written
// before. It is asked twice, since the first answer may overtake what waits in the
// server above its socket.
func (p *progress) readerResumes(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag.resumed = time.Now()
	if p.conn == nil || p.lag.probing {
		return
	}
	p.lag.probing = true
	go func(conn *socketio.Conn) {
		for again := true; again; {
			waits := p.readerWaited()
			err := conn.Ping(ctx)
			if err == nil {
				err = conn.Ping(ctx)
			}
			again = p.probed(conn, waits, err)
		}
	}(p.conn)
}

// readerWaited is how often the reader has waited.
func (p *progress) readerWaited() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lag.waits
}

// probed notes that a connection has answered, or ended. What its server had
// written before is read then, and the lag is over, unless the reader has waited
// meanwhile: the connection has to be asked again then, after the wait.
func (p *progress) probed(conn *socketio.Conn, waits int, err error) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != conn {
		return false
	}
	l := &p.lag
	waiting := l.resumed.IsZero()
	if err == nil && !waiting && l.waits != waits {
		return true
	}
	l.probing = false
	if err == nil && !waiting {
		l.from, l.resumed = time.Time{}, time.Time{}
	}
	return false
}
