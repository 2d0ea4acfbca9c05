//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// However a session ends, a new one follows, and the gap is told.
func TestReconnection(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken)
		b.connect()
		for _, how := range []string{"disconnect", "close", "terminate"} {
			srv.endSessions(how)
			assert.Error(t, b.disconnected.next(t).Err, how)
			assertBack(t, srv, b)
			assert.Equal(t, crisp.GapDisconnected, b.gaps.next(t).Reason, how)
			assert.Empty(t, b.gaps.take(), how)
		}
	})
}

// assertBack waits for the bot's next session, and sees it receive.
func assertBack(t *testing.T, srv *server, b *bot) {
	t.Helper()
	b.connected.next(t)
	srv.emit("message:send", samplePayload("message:send"))
	assertSample(t, "message:send", b.events.next(t), crisp.SourceRTM)
}

// The endpoint is not remembered: when Crisp moves it, the client follows.
func TestMovedEndpoint(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken)
		b.start()
		assert.Equal(t, hostOf(t, srv.relay), b.connected.next(t).Endpoint)

		var moved string
		require.NoError(t, json.Unmarshal(srv.do("move", nil), &moved))
		require.NotEqual(t, srv.relay, moved)
		assert.Equal(t, hostOf(t, moved), b.connected.next(t).Endpoint)
		srv.emit("message:send", samplePayload("message:send"))
		assertSample(t, "message:send", b.events.next(t), crisp.SourceRTM)
	})
}

// A server that crashes takes nothing but its own time.
func TestRestartedServer(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t)
		b := g.bot(t, srv, pluginToken)
		b.connect()
		srv.kill()
		for range 3 { // attempts at a server that is not there
			b.retrying.next(t)
		}
		assertBack(t, srv.restart(), b)
		assert.Equal(t, crisp.GapDisconnected, b.gaps.next(t).Reason)
	})
}

// A server that hangs with the connection open is given up when its own
// heartbeat settings say so.
func TestHangingServer(t *testing.T) {
	eachGeneration(t, func(t *testing.T, g generation) {
		srv := g.start(t, heartbeat(500*time.Millisecond, 1500*time.Millisecond))
		b := g.bot(t, srv, pluginToken, crisp.WithConnectTimeout(2*time.Second))
		b.connect()
		require.NoError(t, srv.cmd.Process.Signal(syscall.SIGSTOP))
		assert.ErrorContains(t, b.disconnected.next(t).Err, "stopped responding")
		require.NoError(t, srv.cmd.Process.Signal(syscall.SIGCONT))
		assertBack(t, srv, b)
	})
}
