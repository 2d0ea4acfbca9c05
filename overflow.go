package crisp

import (
	"log/slog"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// Overflow is what happens when the queue between the reader and the handlers
// is full.
type Overflow int

// Ways to overflow.
const (
	// OverflowBlock stops reading until handlers have caught up with half of
	// the queue. Events wait in the server and in TCP's buffers; heartbeats go
	// on. Nothing is lost as long as the server has the patience.
	OverflowBlock Overflow = iota
	// OverflowDrop goes on reading and drops what comes until handlers have
	// caught up with half of the queue. The loss is reported as
	// [ErrSlowConsumer], to Hooks.Dropped, and as a gap.
	OverflowDrop
)

// episode is a run of events that are dropped because the queue is full: from
// the first that does not fit until handlers have caught up with half of it.
// The zero value is none.
type episode struct {
	mu    sync.Mutex
	count int
	gap   *openGap
}

// admit does what the overflow policy says of an event, and tells whether it
// may be queued. It may wait.
func (t *RTM) admit(it *item) bool {
	fits := t.delivery.fits(it.cost())
	if !fits {
		t.delivery.flush() // handlers can't make room by what they don't have
	}
	if t.cfg.overflow == OverflowDrop {
		return !t.drop(it)
	}
	if !fits {
		t.lag.begin(time.Unix(0, it.received))
		// The connection keeps its heartbeats up while nobody reads it. An event
		// that was read is queued even if the client is stopped meanwhile.
		_ = t.delivery.wait(t.stopped, it.cost())
		t.lag.resume()
		t.probeLag()
	}
	return true
}

// lag is the time for which the reader is behind the server, because it had to
// wait for handlers. What it reads then may have been sent long before, and
// what is lost if the connection ends then, too.
type lag struct {
	mu      sync.Mutex
	from    time.Time      // zero = there is none
	resumed time.Time      // when the reader went on; zero = it waits
	waits   int            // of the reader, so far
	probing *socketio.Conn // that is asked whether the lag is over; nil = none
}

// probeLag finds the end of the lag on a connection that is never quiet: the
// server answers a ping behind what it has written before. It asks twice, since
// the first answer may overtake what waits in the server above its socket.
func (t *RTM) probeLag() {
	t.mu.Lock()
	conn := t.conn
	t.mu.Unlock()
	if conn == nil || !t.lag.probe(conn) {
		return
	}
	go func() {
		for again := true; again; {
			waits := t.lag.waited()
			err := conn.Ping(t.stopped)
			if err == nil {
				err = conn.Ping(t.stopped)
			}
			again = t.lag.probed(conn, waits, err)
		}
	}()
}

// probe tells whether a connection is to be asked: not if it is being asked.
func (l *lag) probe(conn *socketio.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := l.probing != conn
	l.probing = conn
	return fresh
}

// waited counts the waits of the reader.
func (l *lag) waited() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waits
}

// probed notes that a connection has answered, or ended. What its server had
// written before is read then, and the lag is over, unless the reader has waited
// meanwhile: the connection has to be asked again then, after the wait.
func (l *lag) probed(conn *socketio.Conn, waits int, err error) (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.probing != conn {
		return false
	}
	waiting := l.resumed.IsZero()
	if err == nil && !waiting && l.waits != waits {
		return true
	}
	l.probing = nil
	if err == nil && !waiting {
		l.from, l.resumed = time.Time{}, time.Time{}
	}
	return false
}

func (l *lag) begin(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from.IsZero() {
		l.from = at
	}
	l.resumed = time.Time{}
	l.waits++
}

func (l *lag) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resumed = time.Now()
}

// bound gives the beginning of the lag if it is before the given time. The lag
// is over, too, when the connection was found quiet after it.
func (l *lag) bound(at time.Time, conn *socketio.Conn) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.resumed.IsZero() && conn.LastQuiet().After(l.resumed) {
		l.from, l.resumed = time.Time{}, time.Time{}
	}
	if !l.from.IsZero() && l.from.Before(at) {
		return l.from
	}
	return at
}

// end forgets the lag, with the connection that it was of.
func (l *lag) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from, l.resumed, l.probing = time.Time{}, time.Time{}, nil
}

// drop tells whether an event has to be dropped, and counts it.
func (t *RTM) drop(it *item) bool {
	e := &t.episode
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 {
		if t.delivery.fits(it.cost()) {
			return false
		}
		e.gap = t.gaps.add(time.Unix(0, it.received))
		t.hooks.post(t.tellSlowConsumer)
		go t.awaitRoom()
	}
	e.count++
	t.dropped.Add(1)
	return true
}

func (t *RTM) tellSlowConsumer() {
	t.client.logger.Warn("crisp: RTM queue full, dropping events", slog.Int64("queued_bytes", t.delivery.used()))
	t.report(ErrSlowConsumer)
}

// awaitRoom ends the episode when there is room. It does not leave that to the
// next event: a quiet website may not have one for hours, and what was dropped
// shall be recovered.
func (t *RTM) awaitRoom() {
	if t.delivery.wait(t.stopped, 0) == nil {
		t.endEpisode()
	}
}

// endEpisode reports what was dropped, if anything was.
func (t *RTM) endEpisode() {
	e := &t.episode
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 {
		return
	}
	dropped := Dropped{Count: e.count, Err: ErrSlowConsumer}
	gap := Gap{From: e.gap.from, To: time.Now(), Reason: GapOverflow}
	t.resume(e.gap, &gap, func() {
		notify(t.hooks, t.cfg.hooks.Dropped, dropped)
		notify(t.hooks, t.cfg.hooks.Gap, gap)
	})
	e.count, e.gap = 0, nil
}
