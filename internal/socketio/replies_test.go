package socketio

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flood starts a server that writes raw frames after the handshake and reads
// nothing until they have been read.
func flood(t *testing.T, version int, frames string, after func(*peer)) *http.Client {
	t.Helper()
	return startServer(t, func(p *peer) {
		p.handshakeVersion(version)
		p.sendRaw(frames)
		after(p)
	})
}

// TestRequestsForAnswersDontPileUp has the server ask for 10,000 answers at once,
// and read none of them before everything is read here.
func TestRequestsForAnswersDontPileUp(t *testing.T) {
	const many, few = 10_000, 10 // the runtime may begin some of its own meanwhile
	for name, frame := range map[string]string{"pings": "2", "events": `421["a"]`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				frames := strings.Repeat(string(textFrame(frame)), many) + string(textFrame(`42["flooded"]`))
				read := make(chan struct{})
				c := open(t, flood(t, 4, frames, func(p *peer) {
					<-read
					p.drain()
				}), Options{})
				before := runtime.NumGoroutine()
				for nextName(t, c) != "flooded" {
				}
				synctest.Wait()
				assert.Less(t, runtime.NumGoroutine(), before+few)
				close(read)
				synctest.Wait()
				assert.Less(t, runtime.NumGoroutine(), before+few)
			})
		})
	}
}

// TestPingFlood sends pings while no answer can be written. Reading goes on, and
// one answer is left for all that came during the first.
func TestPingFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			for range 1000 {
				p.send("2")
			}
			p.send(`42["flooded"]`)
			synctest.Wait()
			p.expect("3", "3")
			synctest.Wait()
			p.send(`42["answered"]`)
			p.expect(`42["next"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		assert.Equal(t, "flooded", nextName(t, c))
		assert.Equal(t, "answered", nextName(t, c))
		assert.NoError(t, c.Emit(t.Context(), "next"))
	})
}

// TestAcknowledgementFlood asks for many acknowledgements before it reads the
// first. All must come, in order, and pings must not wait for them.
func TestAcknowledgementFlood(t *testing.T) {
	const many = 1000
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.send(`420["please"]`)
			synctest.Wait() // the answer is on its way, and nothing can go before it
			for n := 1; n < many; n++ {
				p.send(fmt.Sprintf(`42%d["please"]`, n))
			}
			p.send("2")
			synctest.Wait()
			p.expect("430[]", "3", "431[]")
			synctest.Wait()
			p.send("2")
			synctest.Wait()
			p.expect("432[]", "3")
			for n := 3; n < many; n++ {
				p.expect(fmt.Sprintf("43%d[]", n))
			}
			p.send(`42["end"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		for nextName(t, c) != "end" {
		}
	})
}

// TestMoreAcknowledgementsThanFit has the server ask for more of them than may
// wait: reading goes on when it has read some.
func TestMoreAcknowledgementsThanFit(t *testing.T) {
	const many = 2 * maxAcks / len("431[]")
	synctest.Test(t, func(t *testing.T) {
		frames := strings.Repeat(string(textFrame(`421["please"]`)), many)
		client := startBuffered(t, func(p *peer) {
			p.handshake()
			go p.sendRaw(frames)
			time.Sleep(timeout / 2)
			for range many {
				if !assert.Equal(t, "431[]", p.receive()) {
					return
				}
			}
			p.send(`42["end"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		for nextName(t, c) != "end" {
			c.replies.mu.Lock()
			waiting := cap(c.replies.acks)
			c.replies.mu.Unlock()
			require.LessOrEqual(t, waiting, 2*maxAcks)
		}
	})
}

// TestAcknowledgementsThatNobodyReads ends the connection of a server that asks
// for ever more acknowledgements and reads none.
func TestAcknowledgementsThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frames := strings.Repeat(string(textFrame(`421["please"]`)), 2*maxAcks)
		gone := make(chan struct{})
		client := flood(t, 4, frames, func(*peer) { <-gone })
		c := open(t, client, Options{})
		defer close(gone)
		start := time.Now()
		var err error
		for err == nil {
			_, err = c.Next()
		}
		assert.ErrorIs(t, err, ErrTimeout)
		assert.ErrorContains(t, err, "could not be written in time")
		assert.Equal(t, timeout, time.Since(start))
	})
}

// TestWebSocketPingsThatNobodyReads does the same by pings of the WebSocket.
func TestWebSocketPingsThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		client := flood(t, 4, strings.Repeat("\x89\x00", 10_000), func(*peer) { <-gone })
		c := open(t, client, Options{})
		defer close(gone)
		start := time.Now()
		_, err := c.Next()
		assert.ErrorIs(t, err, ErrTimeout)
		assert.ErrorContains(t, err, "a WebSocket ping could not be read and answered in time")
		assert.LessOrEqual(t, time.Since(start), timeout)
	})
}
