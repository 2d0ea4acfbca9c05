package socketio

import (
	"context"
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
	early     []frame // what came before the namespace was connected, for Next
	earlySize int64
	assembly  *assembly // the binary packet being received, if any

	endOnce sync.Once
	done    chan struct{} // closed when the connection ends
	cause   atomic.Pointer[error]

	passedOn atomic.Int64 // see PassedOn; in the tap's time
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
	c.heartbeat.timer = time.AfterFunc(math.MaxInt64, c.tick) // set by startHeartbeat
	return c
}

// Handshake returns what the server said when it opened the connection.
func (c *Conn) Handshake() Handshake { return c.handshake }

// LastHeard returns when bytes last arrived from the server.
func (c *Conn) LastHeard() time.Time { return c.tap.lastHeard() }

// PassedOn returns when the bytes arrived that completed the last packet which
// Next has dealt with. Everything that came up to then has been passed on; what
// came later is part of an incomplete packet, or waits for Next.
func (c *Conn) PassedOn() time.Time { return c.tap.start.Add(time.Duration(c.passedOn.Load())) }

// LastQuiet returns when bytes last arrived after Next had waited for them for
// half a second, which means that until then the server had nothing to send.
// After a time without calls of Next, the events read first may have waited as
// long; once LastQuiet is later than that time, none of them is left.
func (c *Conn) LastQuiet() time.Time { return c.tap.lastQuiet() }

// Idle reports whether Next is waiting for the network, which means that its
// caller is done with all events so far, and returns PassedOn.
func (c *Conn) Idle() (passedOn time.Time, idle bool) {
	// In this order a packet that comes in between can only make the time too
	// early, never too late.
	passedOn = c.PassedOn()
	return passedOn, c.tap.listening()
}

// Ping sends a WebSocket ping and waits for the answer. The answer comes after
// whatever the server has written before it, and is read by Next.
func (c *Conn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }

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
