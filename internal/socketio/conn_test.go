package socketio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSession(t *testing.T) {
	client := startServer(t, func(p *peer) {
		assert.Equal(t, "/some/path/", p.request.URL.Path)
		assert.Equal(t, "EIO=4&transport=websocket", p.request.URL.RawQuery)
		p.handshake()
		p.expect(`42["authentication",{"tier":"plugin"}]`)
		p.send(`42["authenticated",true]`, `6`, `42["message:send",{"a":1},"offset"]`, `2`)
		p.expect(`3`)
		p.send(`4212["please",1]`)
		p.expect(`4312[]`)
		p.send(`41`)
		p.drain()
	})
	var skipped skips
	c := open(t, client, Options{OnSkip: skipped.add})
	assert.Equal(t, Handshake{SID: "engine", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1000}, c.Handshake())
	require.NoError(t, c.Emit(t.Context(), "authentication", map[string]string{"tier": "plugin"}))

	name, args := next(t, c)
	assert.Equal(t, "authenticated", name)
	assert.Equal(t, "true", args)
	name, args = next(t, c)
	assert.Equal(t, "message:send", name)
	assert.Equal(t, `{"a":1},"offset"`, args)
	name, _ = next(t, c)
	assert.Equal(t, "please", name)
	_, err := c.Next()
	assert.ErrorIs(t, err, ErrServerDisconnect)
	_, err = c.Next()
	assert.ErrorIs(t, err, ErrServerDisconnect)
	assert.ErrorIs(t, c.Emit(t.Context(), "late"), ErrServerDisconnect)
	assert.Empty(t, skipped)
}
