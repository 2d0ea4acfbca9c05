package socketio

import (
	"fmt"
	"time"
)

// A watchdog decides when the peer is dead. Only whole packets count as signs of life. WebSocket
// pings don't, nor do bytes that never make a packet: what sends only these is no working
// Engine.IO server.
//
// It has no clock and no lock: it is asked from time to time, says when it wants to be asked
// again, and notices when it is asked much later than that. Then the process was stopped (a
// frozen container, a suspended machine), and what came meanwhile waits in the network's
// buffers. Such a time does not count, and the reader always gets some time in which the
// process runs before the peer is declared dead.
type watchdog struct {
	limit time.Duration // how long the peer may take for a packet, if it is not large
	grace time.Duration // how long the reader gets before the end

	due     time.Duration // when it is to be asked again; set by the caller, who may ask sooner
	since   time.Duration // the beginning of the wait that it was asked about last
	stopped time.Duration // how much of that wait the process was stopped for
	awake   time.Duration // when the process was last found to have been stopped
	warned  bool          // the grace has begun
}

// minRate is how fast a large packet has to come, in bytes per second: each minRate bytes of it
// that have come allow one second more.
const minRate = 16 << 10

// maxGrace bounds the grace. It is ample for reading what waits in the network's buffers.
const maxGrace = 500 * time.Millisecond

// A wait is what the reader is waiting for. Times are those of the tap.
type wait struct {
	since time.Duration // when it began to wait for a packet, 0 if it doesn't
	heard time.Duration // when bytes last arrived
	size  int64         // of the packet, as far as it has come, in bytes
}

func newWatchdog(limit time.Duration) watchdog {
	return watchdog{limit: limit, grace: min(maxGrace, limit/4)}
}

// look returns how soon to ask again, or why the peer is dead.
func (d *watchdog) look(now time.Duration, w wait) (next time.Duration, dead error) {
	if w.since != d.since {
		d.since, d.stopped, d.warned = w.since, 0, false
	}
	if late := now - d.due; late > d.grace/10 {
		d.stopped += min(late, now-w.since)
		d.awake = now
		d.warned = d.warned && late < d.grace
	}
	if w.since == 0 {
		return d.limit - d.grace, nil
	}
	left := d.left(now, w)
	switch {
	case left <= 0 && d.warned:
		return 0, d.reason(now, w)
	case left <= 0:
		left = d.grace
	case left > d.grace:
		d.warned = false
		return left - d.grace, nil
	}
	d.warned = true
	return left, nil
}

// left returns after which time the peer is dead if nothing more comes.
func (d *watchdog) left(now time.Duration, w wait) time.Duration {
	allowed := d.limit + time.Duration(w.size)*time.Second/minRate
	packet := allowed - (now - w.since - d.stopped)
	byteLeft := d.limit - (now - max(w.since, w.heard, d.awake))
	if w.size == 0 {
		return packet
	}
	return min(packet, byteLeft)
}

func (d *watchdog) reason(now time.Duration, w wait) error {
	switch {
	case w.size > 0:
		return fmt.Errorf("%w: %d bytes of a packet have come in %s, and no more in the last %s",
			ErrTimeout, w.size, now-w.since, now-w.heard)
	case w.heard > w.since:
		return fmt.Errorf("%w: no whole Engine.IO packet came for %s, only WebSocket pings or a part of one", ErrTimeout, now-w.since)
	}
	return fmt.Errorf("%w: nothing was heard for %s", ErrTimeout, now-w.since)
}
