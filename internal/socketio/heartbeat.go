package socketio

import (
	"fmt"
	"sync/atomic"
	"time"
)

// heartbeat keeps the connection alive and notices when the peer is dead. It is
// a timer, which fires a few times per ping interval however many frames there
// are, and whether or not anybody calls Next.
type heartbeat struct {
	timer *time.Timer
	every time.Duration // how long we may go without sending a heartbeat
	limit time.Duration // how long the peer may be silent

	last    atomic.Int64 // when we last sent a heartbeat, in the tap's time
	writing atomic.Bool  // a heartbeat is being written
}

// startHeartbeat starts the timer with the server's settings.
//
// In Engine.IO 3 the client pings every pingInterval. In 4 the server pings and
// [Conn.Next] answers; but while Next isn't called, the ping waits behind events
// that nobody reads. So once the answer is overdue it is sent although the ping
// hasn't been seen, in the middle of the pingTimeout that the server allows;
// engine.io servers accept it as a heartbeat at any time.
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

// tick ends the connection if the peer is dead, sends a heartbeat if one is due,
// and sets the timer to when either may next be the case.
func (c *Conn) tick() {
	if c.err() != nil {
		return // the timer fired while end was stopping it
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

// beat sends a heartbeat: a ping in Engine.IO 3, a pong in 4. It waits for other
// writers and the network, but does nothing if another heartbeat is waiting. An
// error needs no handling: it has ended the connection, or the reader will
// notice, too.
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
