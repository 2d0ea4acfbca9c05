package socketio

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A Conn is a Socket.IO session. Next is for one goroutine; the other methods
// are safe for concurrent use.
type Conn struct {
	ws        *websocket.Conn
	tap       *tap
	opt       Options
	handshake Handshake
	heartbeat heartbeat
	writing   chan struct{} // holds a token while a frame is being written

	// For the reading goroutine alone.
	buf       readBuffer
	early     []frame
	earlySize int64
	assembly  *assembly // the binary packet being received, if any

	endOnce sync.Once
	done    chan struct{} // closed at the end of the session
	cause   atomic.Pointer[error]

	passedOn atomic.Int64 // see PassedOn; in the tap's time
}

func newConn(ws *websocket.Conn, tap *tap, opt Options) *Conn {
	c := &Conn{
		ws:      ws,
		tap:     tap,
		opt:     opt,
		writing: make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	c.heartbeat.timer = time.AfterFunc(math.MaxInt64, c.tick) // set by startHeartbeat
	return c
}

// Handshake is what the server said when it opened the session.
func (c *Conn) Handshake() Handshake { return c.handshake }

// LastHeard is when bytes last arrived from the server.
func (c *Conn) LastHeard() time.Time { return c.tap.lastHeard() }

// PassedOn is up to when everything has been passed on: when the bytes arrived
// that completed the last packet which Next has dealt with. What arrived later
// belongs to a packet that is not complete, or waits for Next.
func (c *Conn) PassedOn() time.Time { return c.tap.start.Add(time.Duration(c.passedOn.Load())) }

// LastQuiet is when bytes last arrived after a while in which there were none,
// though Next waited for them: the peer had nothing more to send then. It matters
// to those who didn't call Next for some time, since what they read afterwards
// may have waited for them.
func (c *Conn) LastQuiet() time.Time { return c.tap.lastQuiet() }

// Idle tells whether Next is waiting for the network, so that whoever calls it
// is done with all events up to then, and gives PassedOn.
func (c *Conn) Idle() (passedOn time.Time, idle bool) {
	passedOn = c.PassedOn() // first: what comes in between makes it earlier than it could be, never later
	return passedOn, c.tap.listening()
}

// Ping sends a WebSocket ping and waits for its answer, which comes behind what
// the server has written before it, and only while Next is being called.
func (c *Conn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }

// Close ends the session at once, from any goroutine: Next and Emit return
// [ErrClosed], also those that are waiting for the network. It returns nil; a
// second call has no effect.
func (c *Conn) Close() error {
	_ = c.end(ErrClosed)
	return nil
}

// end ends the session, for the given reason if it is the first one, and
// returns the reason that counts. It never waits for the network.
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

// err is the reason of the session's end, nil before it.
func (c *Conn) err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}
