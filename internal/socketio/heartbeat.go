package socketio

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// heartbeat keeps the connection alive and notices when the peer is dead. It is
// a timer, which fires a few times per ping interval however many frames there
// are, and whether or not anybody calls Next.
type heartbeat struct {
	timer  *time.Timer
	every  time.Duration // how long we may go without sending a heartbeat
	packet []byte        // the heartbeat on the wire
	last   atomic.Int64  // when the last was due, in the tap's time

	watchdog watchdog // owned by tick
	kept     int64    // when keepAlive last sent a ping, in the tap's time; owned by tick
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
	hb.every, hb.packet = h.PingInterval, []byte("2")
	if c.opt.Version == 4 {
		hb.every, hb.packet = h.PingInterval+h.PingTimeout/2, []byte("3")
	}
	hb.watchdog = newWatchdog(h.PingInterval + h.PingTimeout)
	c.tap.doubt.setPatience(h.PingInterval, h.PingTimeout)
	now := c.tap.now()
	hb.last.Store(now)
	c.tickIn(now, min(hb.every, hb.watchdog.limit-hb.watchdog.grace, c.keepAlive(now)))
}

// tick ends the connection if the peer is dead, sends a heartbeat if one is due,
// and sets the timer to when either may next be the case.
func (c *Conn) tick() {
	if c.err() != nil {
		return // the timer fired while end was stopping it
	}
	hb, now := &c.heartbeat, c.tap.now()
	next, dead := hb.watchdog.look(time.Duration(now), c.tap.wait())
	if dead != nil {
		_ = c.end(dead)
		return
	}
	sinceBeat := time.Duration(now - hb.last.Load())
	if sinceBeat >= hb.every {
		sinceBeat = 0
		c.beat()
	}
	next = min(next, c.keepAlive(now))
	c.tickIn(now, min(hb.every-sinceBeat, next)) // last, because the next tick may begin at once
}

// tickIn sets the timer. The watchdog has to know when it is due.
func (c *Conn) tickIn(now int64, d time.Duration) {
	c.heartbeat.watchdog.due = time.Duration(now) + d
	c.heartbeat.timer.Reset(d)
}

// pongPatience is how long keepAlive waits for the answer to its ping: longer than the
// WebSocket library takes to give up writing, which ends the connection.
const pongPatience = 20 * time.Second

// keepAlive sends a ping if the connection is idle for too long, and returns how soon
// to look again.
func (c *Conn) keepAlive(now int64) time.Duration {
	every := c.opt.KeepAlive
	if every <= 0 {
		return math.MaxInt64
	}
	hb := &c.heartbeat
	idle := time.Duration(now - max(c.tap.heard.Load(), hb.kept))
	if idle < every {
		return every - idle
	}
	hb.kept = now
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), pongPatience)
		defer cancel()
		_ = c.ws.Ping(ctx) // it is traffic, whether it is answered or not
	}()
	return every
}
