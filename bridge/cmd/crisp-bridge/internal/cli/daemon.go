package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/daemon"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
)

// daemon takes events until ctx ends.
func (a *app) daemon(ctx context.Context) (err error) {
	c, err := a.configIn()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.HTTP.Addr)
	if err != nil {
		return coded{fmt.Errorf("http.addr: %w", err), exitFailed}
	}
	defer listener.Close() //nolint:errcheck // it is closed already, unless an error is told
	e, err := engine.Open(ctx, c, slog.Default(), engine.ToRun)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, closeEngine(ctx, e))
		if err == nil {
			slog.Info("ended")
		}
	}()
	d, err := daemon.New(c, e, slog.Default(), a.hide)
	if err != nil {
		return err
	}
	return d.Run(ctx, listener)
}
