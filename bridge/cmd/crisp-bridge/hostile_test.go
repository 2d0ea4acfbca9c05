package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

// TestWhatIsNoMessageHidesNoOthers: another program may have written to the log, or to
// the dead letters, what is none of the bridge's.
func TestWhatIsNoMessageHidesNoOthers(t *testing.T) {
	addr := freePort(t)
	server, err := natsembed.Start(natsembed.Options{Dir: t.TempDir(), Listen: addr})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Shutdown(context.Background())) })
	conn, err := server.Connect()
	require.NoError(t, err)
	defer conn.Close()
	log, err := natsbridge.New(conn)
	require.NoError(t, err)
	require.NoError(t, log.Setup(t.Context()))
	group, err := log.Consumer("bots")
	require.NoError(t, err)

	for _, subject := range []string{"crisp.v1.0.website.event", "crisp.dlq.bots"} {
		_, err = conn.Request(subject, []byte("\x1b[2Jnot of the bridge"), 5*time.Second)
		require.NoError(t, err)
	}
	message := bridge.Message{ID: "id", Type: "message:send", WebsiteID: "website", SessionID: "session", Data: []byte("{}")}
	require.NoError(t, log.Publisher().Publish(t.Context(), message))
	require.NoError(t, group.Bury(t.Context(), bridge.DeadLetter{Message: message, Attempts: 6, Error: "the shop is away", At: time.Now()}))

	vars := []string{"CRISP_BRIDGE_ENGINE_KIND=nats", "CRISP_BRIDGE_ENGINE_SERVERS=nats://" + addr}
	out, code := run(t, vars, "tail", "--from", "oldest")
	require.Zero(t, code, out)
	assert.Regexp(t, `message:send .*session`, out)
	assert.Contains(t, out, "can't be read")
	out, code = run(t, vars, "dlq", "list", "bots")
	require.Zero(t, code, out)
	assert.Contains(t, out, "the shop is away")
	assert.Contains(t, out, "can't be read")
	assert.NotContains(t, out, "not of the bridge")
	out, code = run(t, vars, "dlq", "replay", "bots", "--all")
	require.Zero(t, code, out)
	assert.Contains(t, out, "1 replayed")
}
