package socketio

import (
	"fmt"
	"sync/atomic"
	"time"
)

// heartbeat keeps the session alive and notices when the peer is dead. It is a
// timer, not a goroutine: it runs a few times per ping interval, however many
// frames there are, and doesn't depend on anybody calling Next.
type heartbeat struct {
	timer *time.Timer
	every time.Duration // the longest time without a beat from us
	limit time.Duration // the longest time without a sign of the peer

	last    atomic.Int64 // when we last sent a beat, in the tap's time
	writing atomic.Bool
}

// startHeartbeat starts the timer, by the server's settings.
//
// With Engine.IO 3 the client pings every pingInterval. With 4 the server pings
// and [Conn.Next] answers, but if Next isn't called for a while the ping waits
// behind events that nobody reads. So an answer that is overdue is sent without
// having seen the ping, in the middle of the pingTimeout that the server grants;
// engine.io servers take it for a heartbeat at any time.
func (c *Conn) startHeartbeat() {
	h, hb := c.handshake, &c.heartbeat
	hb.every = h.PingInterval
	if c.opt.Version == 4 {
		hb.every += h.PingTimeout / 2
	}
	hb.limit = h.PingInterval + h.PingTimeout
	hb.last.Store(c.tap.now())
	hb.timer.Reset(hb.every)
}

// tick ends the session if the peer is dead, sends a beat if one is due, and
// sets the timer to when the next of the two may be the case.
func (c *Conn) tick() {
	if c.err() != nil {
		return // while the timer was being stopped
	}
	hb, silence := &c.heartbeat, c.tap.silence()
	if silence >= hb.limit {
		_ = c.end(fmt.Errorf("%w: nothing was heard for %s", ErrTimeout, silence))
		return
	}
	sinceBeat := time.Duration(c.tap.now() - hb.last.Load())
	due := sinceBeat >= hb.every
	if due {
		sinceBeat = 0
	}
	hb.timer.Reset(min(hb.every-sinceBeat, hb.limit-silence))
	if due {
		c.beat()
	}
}

// beat sends a heartbeat: a ping with Engine.IO 3, a pong with 4. It waits for
// the writer's lock and the network, but not behind another beat. An error
// needs no care: either it ended the session, or the reader notices the same.
func (c *Conn) beat() {
	hb := &c.heartbeat
	if !hb.writing.CompareAndSwap(false, true) {
		return
	}
	defer hb.writing.Store(false)
	hb.last.Store(c.tap.now())
	msg := "3"
	if c.opt.Version == 3 {
		msg = "2"
	}
	_ = c.writeControl([]byte(msg))
}
