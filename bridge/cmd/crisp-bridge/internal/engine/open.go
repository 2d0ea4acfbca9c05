package engine

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// Purpose is what an engine is opened for.
type Purpose int

const (
	// ToRun has an embedded engine be this process's own. A log that is there gets the
	// settings of the configuration, which may shorten it.
	ToRun Purpose = iota
	// ToCheck makes what is not there, and leaves a log that is as it is.
	ToCheck
	// ToLook wants a log that is there.
	ToLook
)

// Open opens the engine of a configuration. Unless it is to run, an embedded one may be
// another process's that listens.
func Open(ctx context.Context, c config.Config, logger *slog.Logger, purpose Purpose) (Engine, error) {
	switch c.Engine.Kind {
	case config.EngineEmbedded:
		return openEmbedded(ctx, c, logger, purpose)
	case config.EngineNATS:
		return openNATS(ctx, c, logger, purpose)
	case config.EngineKafka:
		return openKafka(ctx, c, logger)
	default:
		return nil, fmt.Errorf("engine.kind: %q is none", c.Engine.Kind)
	}
}
