package engine

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
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
			assert.Greater(t, storeFor(test.maxBytes), test.log)
		})
	}
}
