package socketio

import (
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestPingsWithoutAnswerDoNotPileUp has a server that never answers those that keep an
// idle connection.
func TestPingsWithoutAnswerDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startBuffered(t, func(p *peer) {
			p.handshake()
			go func() { _, _ = io.Copy(io.Discard, p.conn) }()
			for range 360 {
				time.Sleep(10 * time.Second)
				p.send(`42["event"]`)
			}
			p.send(`41`)
		})
		c := open(t, client, Options{KeepAlive: time.Second})
		before, most := runtime.NumGoroutine(), 0
		for err := error(nil); err == nil; _, err = c.Next() {
			most = max(most, runtime.NumGoroutine())
		}
		assert.Less(t, most-before, 100)
	})
}
