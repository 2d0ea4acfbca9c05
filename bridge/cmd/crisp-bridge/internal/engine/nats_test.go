package engine

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// TestAnEndBeforeTheFirstConnection: a program that is asked to end while no server
// answers yet has ended as it was asked to.
func TestAnEndBeforeTheFirstConnection(t *testing.T) {
	c := config.Default()
	c.Engine.Kind = config.EngineNATS
	c.Engine.Servers = []string{"nats://127.0.0.1:1"}
	_, err := Open(t.Context(), c, slog.New(slog.DiscardHandler), ToRun)
	require.ErrorIs(t, err, ErrUnreachable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, c, slog.New(slog.DiscardHandler), ToRun)
	require.ErrorIs(t, err, context.Canceled)
}
