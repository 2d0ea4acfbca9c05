package socketio

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// The heartbeat settings of openPacket. All of these tests run in virtual time.
const (
	interval = 25 * time.Second
	timeout  = 20 * time.Second
)

// TestHeartbeatAnswers has the server ping for an hour.
func TestHeartbeatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startBuffered(t, func(p *peer) {
			p.handshake()
			for start := time.Now(); time.Since(start) < time.Hour; {
				time.Sleep(interval)
				p.send("2")
				pinged := time.Now()
				p.expect("3")
				assert.Equal(t, pinged, time.Now())
			}
			p.send(`42["after an hour"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		assert.Equal(t, "after an hour", nextName(t, c))
	})
}

// TestEngine3Pings has the client ping, as it does in Engine.IO 3.
func TestEngine3Pings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshakeVersion(3)
			start := time.Now()
			for n := 1; n <= 100; n++ {
				p.expect("2")
				assert.Equal(t, time.Duration(n)*interval, time.Since(start))
				p.send("3")
			}
			p.send(`42["after a while"]`)
			p.drain()
		})
		c := open(t, client, Options{Version: 3})
		assert.Equal(t, "after a while", nextName(t, c))
	})
}

// TestSilentPeer has a server that leaves the connection open and sends nothing
// more.
func TestSilentPeer(t *testing.T) {
	for _, version := range []int{3, 4} {
		synctest.Test(t, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				p.handshakeVersion(version)
				time.Sleep(7 * time.Second)
				p.send(`42["last"]`)
				p.drain()
			})
			c := open(t, client, Options{Version: version})
			assert.Equal(t, "last", nextName(t, c))
			heard := time.Now()
			_, err := c.Next()
			assert.ErrorIs(t, err, ErrTimeout)
			assert.ErrorContains(t, err, "nothing was heard for 45s")
			assert.Equal(t, interval+timeout, time.Since(heard))
		})
	}
}

// TestAnyFrameIsASignOfLife has a server that doesn't ping, but sends something
// else from time to time.
func TestAnyFrameIsASignOfLife(t *testing.T) {
	for _, frame := range []string{`6`, `42["a"]`, `junk`, `42/admin,["a"]`} {
		synctest.Test(t, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				p.handshake()
				go p.drain()
				for range 10 {
					time.Sleep(interval + timeout - time.Second)
					p.send(frame)
				}
				p.send(`42["end"]`)
			})
			c := open(t, client, Options{})
			for nextName(t, c) != "end" {
			}
		})
	}
}

// TestBusyOwner doesn't call Next for an hour, while events and pings pile up
// unread. The connection must survive, nothing may be lost, and the server must
// receive each heartbeat in time, although its pings have not been read.
func TestBusyOwner(t *testing.T) {
	for _, version := range []int{3, 4} {
		synctest.Test(t, func(t *testing.T) {
			done := make(chan struct{})
			client := startBuffered(t, func(p *peer) {
				p.handshakeVersion(version)
				go func() { // stuck in the network until the owner reads again
					p.send(`42["one"]`, `2`, `42["two"]`)
					close(done)
				}()
				for start := time.Now(); time.Since(start) < time.Hour; {
					lastBeat := time.Now()
					if version == 3 {
						p.expect("2")
					} else {
						p.expect("3")
					}
					assert.Less(t, time.Since(lastBeat), interval+timeout)
				}
				p.drain()
			})
			c := open(t, client, Options{Version: version})
			time.Sleep(time.Hour)
			assert.Equal(t, "one", nextName(t, c))
			time.Sleep(time.Hour)
			assert.Equal(t, "two", nextName(t, c))
			<-done
		})
	}
}

// TestBusyOwnerNoticesSilence checks that the peer's silence counts from when the
// owner calls Next again.
func TestBusyOwnerNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.drain()
		})
		c := open(t, client, Options{})
		time.Sleep(time.Hour + time.Second)
		resumed := time.Now()
		_, err := c.Next()
		assert.ErrorIs(t, err, ErrTimeout)
		assert.Equal(t, interval+timeout, time.Since(resumed))
	})
}

// TestStuckWriter has a peer that sends, but doesn't read: the heartbeat can't
// be written, and waiting for that must not keep the connection alive forever.
func TestStuckWriter(t *testing.T) {
	for _, version := range []int{3, 4} {
		synctest.Test(t, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				p.handshakeVersion(version)
				for p.ws.Write(t.Context(), 1, []byte(`42["a"]`)) == nil {
					time.Sleep(time.Second)
				}
			})
			c := open(t, client, Options{Version: version})
			start := time.Now()
			emitted := make(chan error)
			go func() { emitted <- c.Emit(t.Context(), "stuck") }()

			var err error
			for err == nil {
				_, err = c.Next()
			}
			assert.ErrorIs(t, err, ErrTimeout)
			assert.ErrorContains(t, err, "could not be written in time")
			assert.ErrorIs(t, <-emitted, ErrTimeout)
			assert.LessOrEqual(t, time.Since(start), 2*(interval+timeout))
		})
	}
}

// TestEventsBeforeAnEndAreRead has a heartbeat fail because the server is gone,
// while there are events still to be read.
func TestEventsBeforeAnEndAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			conn := upgrade(t, w, r)
			_, _ = conn.Write(append(textFrame(openPacket), textFrame(connectPacket)...))
			_, _ = conn.Read(make([]byte, 100)) // the connect request
			// One write, so that it is one read on the other side.
			_, _ = conn.Write(append(textFrame(`42["one"]`), textFrame(`42["two"]`)...))
			_ = conn.Close()
		})
		c := open(t, client, Options{})
		assert.Equal(t, "one", nextName(t, c))
		time.Sleep(time.Hour)
		assert.Equal(t, "two", nextName(t, c))
		_, err := c.Next()
		assert.ErrorContains(t, err, "the server closed the connection")
	})
}
