package engine

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

// TestTheLogLeavesRoomForLeases: in a store that is full, no lease can be renewed, and no
// member of a group can say that it is there.
func TestTheLogLeavesRoomForLeases(t *testing.T) {
	for name, test := range map[string]struct {
		maxBytes *int64
		log      int64 // -1 = no limit
	}{
		"unless told": {nil, 9 * gigabyte},
		"little":      {new(int64(gigabyte)), gigabyte},
		"much":        {new(int64(100 * gigabyte)), 100 * gigabyte},
		"no limit":    {new(int64(0)), -1},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Engine.Dir = t.TempDir()
			c.Engine.MaxBytes = test.maxBytes
			opened, err := Open(t.Context(), c, slog.New(slog.DiscardHandler), ToRun)
			require.NoError(t, err)
			e := opened.(*embedded)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			defer func() { assert.NoError(t, e.Close(ctx)) }()
			stream, err := e.js.Stream(t.Context(), e.name)
			require.NoError(t, err)
			assert.Equal(t, test.log, stream.CachedInfo().Config.MaxBytes)
			store, letters := storeFor(test.maxBytes), lettersOf(t, e)
			assert.Greater(t, store-letters.MaxBytes, test.log)
			assert.Equal(t, test.log == -1, letters.MaxBytes == -1)
			assert.Equal(t, jetstream.DiscardNew, letters.Discard)
		})
	}
}

// lettersOf are the settings of an engine's dead letters.
func lettersOf(t *testing.T, e Engine) jetstream.StreamConfig {
	t.Helper()
	stream, err := e.(*embedded).js.Stream(t.Context(), "CRISP_DLQ")
	require.NoError(t, err)
	return stream.CachedInfo().Config
}

// TestManyLettersLeaveRoomForLeases: a handler that fails for all messages, for days, must
// not end the leases.
func TestManyLettersLeaveRoomForLeases(t *testing.T) {
	const megabyte = 1 << 20
	server, err := natsembed.Start(natsembed.Options{Dir: t.TempDir(), MaxStore: 8 * megabyte})
	require.NoError(t, err)
	defer func() { assert.NoError(t, server.Shutdown(context.Background())) }()
	conn, err := server.Connect()
	require.NoError(t, err)
	defer conn.Close()
	maxBytes := int64(4 * megabyte)
	e, err := setUpNATS(t.Context(), conn, config.Engine{Prefix: "crisp", MaxBytes: &maxBytes}, slog.New(slog.DiscardHandler), ToRun)
	require.NoError(t, err)
	require.NoError(t, limitLetters(t.Context(), e.js, e.name, 2*megabyte))
	group, err := e.log.Consumer("bots")
	require.NoError(t, err)

	message := func(n int) bridge.Message {
		return bridge.Message{ID: fmt.Sprint(n), Type: "message:send", SessionID: "session", Data: make([]byte, megabyte/2)}
	}
	refused := 0
	for n := range 12 {
		require.NoError(t, e.Publisher().Publish(t.Context(), message(n)))
		if group.Bury(t.Context(), bridge.DeadLetter{Message: message(n), At: time.Now()}) != nil {
			refused++
		}
	}
	assert.NotZero(t, refused)
	held, err := e.Lease("rtm").Acquire(t.Context(), "one", time.Minute)
	require.NoError(t, err)
	assert.True(t, held)
	require.NoError(t, e.Publisher().Publish(t.Context(), message(100)))
}
