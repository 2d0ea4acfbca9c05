package socketio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestWhatComesLateMayBeOld has the network be silent for a while, and then bring an
// event. Until the server has answered a ping, nobody knows how long that was on its
// way, and what was lost after it.
func TestWhatComesLateMayBeOld(t *testing.T) {
	tests := map[string]struct {
		silence time.Duration
		travel  time.Duration // of the first answer to a ping
		inDoubt bool          // before they come
	}{
		"soon":           {maxLateTime / 2, 0, false},
		"late":           {10 * time.Second, 0, true},
		"a slow network": {10 * time.Second, 3 * maxLateTime, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent time.Time
				client := startBuffered(t, func(p *peer) {
					p.handshake()
					p.send(`42["first"]`)
					time.Sleep(test.silence)
					sent = time.Now()
					p.send(`42["second"]`)
					time.Sleep(test.travel)
					go func() {
						time.Sleep(time.Second)
						p.send(`41`)
					}()
					p.drain() // and answer pings
				})
				c := open(t, client, Options{})
				assert.Equal(t, "first", nextName(t, c))
				first := time.Now()
				assert.Equal(t, first, c.PassedOn())
				assert.Equal(t, "second", nextName(t, c))
				assert.Equal(t, sent, c.Arrived())
				if test.inDoubt {
					assert.Equal(t, first, c.PassedOn())
				} else {
					assert.Equal(t, sent, c.PassedOn())
				}
				_, err := c.Next()
				assert.ErrorIs(t, err, ErrServerDisconnect)
				assert.GreaterOrEqual(t, c.PassedOn(), sent)
			})
		})
	}
}

// A server that answers no WebSocket pings is in order as long as its own packets come.
func TestAServerWithoutPongsIsNotInDoubtForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startBuffered(t, func(p *peer) {
			p.handshake()
			for range 100 {
				time.Sleep(2 * time.Second)
				p.send(`42["event"]`)
			}
			p.send(`41`)
			time.Sleep(time.Second)
		})
		c := open(t, client, Options{})
		for range 100 {
			assert.Equal(t, "event", nextName(t, c))
		}
		assert.Less(t, time.Since(c.PassedOn()), 2*(interval+timeout))
	})
}

// While nobody reads, the answer to a ping may wait behind what the server had sent before
// it gave the connection up. However long that takes, it settles nothing.
func TestAReaderThatIsHeldUpStaysInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startBuffered(t, func(p *peer) {
			p.handshake()
			p.send(`42["first"]`)
			time.Sleep(maxLateTime / 5)
			p.send(`42["second"]`)
			time.Sleep(3 * (interval + timeout))
			p.send(`42["third"]`)
			time.Sleep(time.Second)
		})
		c := open(t, client, Options{})
		assert.Equal(t, "first", nextName(t, c))
		first := c.PassedOn()
		c.HoldUp()
		time.Sleep(maxLateTime / 2)
		c.GoOn()
		assert.Equal(t, "second", nextName(t, c))
		c.HoldUp()
		time.Sleep(3 * (interval + timeout))
		assert.Equal(t, first, c.PassedOn())
		c.GoOn()
		assert.Equal(t, "third", nextName(t, c))
		synctest.Wait()
		assert.Equal(t, first, c.PassedOn())
	})
}
