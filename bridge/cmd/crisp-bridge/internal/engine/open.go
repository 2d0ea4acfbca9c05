package engine

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// Open opens the engine of a configuration, and makes in it what is not there yet.
// With own, an embedded engine is one of this process; without, it may be another's that
// listens.
func Open(ctx context.Context, c config.Config, logger *slog.Logger, own bool) (Engine, error) {
	switch c.Engine.Kind {
	case config.EngineEmbedded:
		return openEmbedded(ctx, c, logger, own)
	case config.EngineNATS:
		return openNATS(ctx, c, logger)
	case config.EngineKafka:
		return openKafka(ctx, c, logger)
	default:
		return nil, fmt.Errorf("engine.kind: %q is none", c.Engine.Kind)
	}
}
