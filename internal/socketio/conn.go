package socketio

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A Conn is a Socket.IO connection. Next must be called from one goroutine at a
// time; the other methods are safe for concurrent use.
type Conn struct {
	ws        *websocket.Conn
	tap       *tap
	opt       Options
	handshake Handshake
	heartbeat heartbeat
	replies   *replies
	writing   chan struct{} // guards writing a frame; a channel, so that a context can end the wait

	// Owned by the reading goroutine.
	buf       readBuffer
	early     []frame   // events that came before the namespace was connected, for Next
	earlySize int64     // of early, in bytes; see keep
	assembly  *assembly // the binary packet being received, if any

	endOnce sync.Once
	done    chan struct{} // closed when the connection ends
	cause   atomic.Pointer[error]

	arrived atomic.Int64 // see Arrived; in the tap's time
}

func newConn(ws *websocket.Conn, tap *tap, opt Options) *Conn {
	c := &Conn{
		ws:      ws,
		tap:     tap,
		opt:     opt,
		replies: newReplies(),
		writing: make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	tap.onLate = func() { tap.doubt.settle(ws.Ping) }
	c.heartbeat.timer = time.AfterFunc(math.MaxInt64, c.tick) // set by startHeartbeat
	return c
}

// Handshake returns what the server said when it opened the connection.
func (c *Conn) Handshake() Handshake { return c.handshake }

// LastHeard returns when bytes last arrived from the server.
func (c *Conn) LastHeard() time.Time { return c.tap.lastHeard() }

// Arrived returns when the bytes arrived that completed the last packet which Next
// has dealt with.
func (c *Conn) Arrived() time.Time { return c.tap.start.Add(time.Duration(c.arrived.Load())) }

// PassedOn returns a moment such that Next has passed on everything that the server sent before
// it. That is Arrived, unless what came may be older than it looks, because it came after half
// a second of silence, or because Next was not called for a while. Then it is a moment before
// that time, until the server has answered a ping. See doubt.
func (c *Conn) PassedOn() time.Time {
	arrived := c.Arrived()
	if began := c.tap.doubt.began.Load(); began != 0 {
		if at := c.tap.start.Add(time.Duration(began)); at.Before(arrived) {
			return at
		}
	}
	return arrived
}

// Idle returns PassedOn, and reports whether Next is waiting for the network, which means that
// its caller is done with all events so far.
func (c *Conn) Idle() (passedOn time.Time, idle bool) {
	// In this order, a packet that comes in between can only make the time too early.
	passedOn = c.PassedOn()
	return passedOn, c.tap.listening()
}

// HoldUp has to be called before a while without calls of Next. What Next returns afterwards
// may have been sent at any time since the last packet.
func (c *Conn) HoldUp() { c.tap.doubt.arise(c.arrived.Load()) }

// GoOn ends the while that HoldUp began.
func (c *Conn) GoOn() { c.tap.doubt.settle(c.ws.Ping) }

// Close ends the connection at once, from any goroutine: all calls of Next and
// Emit return [ErrClosed], also those that are waiting for the network. Close
// returns nil; a second call has no effect.
func (c *Conn) Close() error {
	_ = c.end(ErrClosed)
	return nil
}

// end ends the connection and returns the reason why it ended: that of the first
// call. It never waits for the network.
func (c *Conn) end(reason error) error {
	c.endOnce.Do(func() {
		c.cause.Store(&reason)
		close(c.done)
		c.heartbeat.timer.Stop()
		c.tap.abort()
		_ = c.ws.CloseNow()
	})
	return *c.cause.Load()
}

// err returns the reason why the connection ended, nil before that.
func (c *Conn) err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}
