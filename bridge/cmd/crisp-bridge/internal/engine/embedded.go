package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

// embedded is a log in a NATS server within this process.
type embedded struct {
	*natsEngine
	server *natsembed.Server
}

// openEmbedded opens the log in a folder, or, if another process has it and listens,
// connects to that.
func openEmbedded(ctx context.Context, c config.Config, logger *slog.Logger, purpose Purpose) (Engine, error) {
	if purpose == ToLook {
		if err := checkFolder(c.Engine.Dir); err != nil {
			return nil, err
		}
	}
	store := storeFor(c.Engine.MaxBytes)
	if purpose != ToRun { // the log may have other settings
		store = anyStore
	}
	if c.Engine.MaxBytes == nil {
		c.Engine.MaxBytes = new(int64(defaultLog))
	}
	e, err := startEmbedded(ctx, c, logger, purpose, store)
	if tooSmall := (*jetstream.APIError)(nil); errors.As(err, &tooSmall) && tooSmall.ErrorCode == errNoStorage {
		if err = shorten(ctx, c, logger); err == nil {
			e, err = startEmbedded(ctx, c, logger, purpose, store)
		}
	}
	switch {
	case errors.Is(err, natsembed.ErrInUse) && purpose != ToRun && c.Engine.Listen != "":
		c.Engine.Servers = []string{"nats://" + c.Engine.Listen}
		return openNATS(ctx, c, logger, purpose)
	case errors.Is(err, natsembed.ErrInUse) && purpose != ToRun:
		return nil, fmt.Errorf("%w: set engine.listen, such as to 127.0.0.1:4222, so that commands reach the bridge while it runs", err)
	case err != nil:
		return nil, err
	}
	if url := e.server.URL(); url != "" {
		logger.Info("the embedded engine listens", "url", url)
	}
	return e, nil
}

// shorten makes a log smaller that had more than the store is to have now, where there is
// room for both.
func shorten(ctx context.Context, c config.Config, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, setUpPatience)
	defer cancel()
	e, err := startEmbedded(ctx, c, logger, ToRun, anyStore)
	if err != nil {
		return err
	}
	return e.Close(ctx)
}

// checkFolder returns an error if there is no folder of a log: an answer that there are no
// messages in one that was made just now would be wrong.
func checkFolder(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("engine.dir: there is no log: %w", err)
	}
	return nil
}

// errNoStorage is the server's code for streams that may have more than the store has.
const errNoStorage jetstream.ErrorCode = 10047

func startEmbedded(ctx context.Context, c config.Config, logger *slog.Logger, purpose Purpose, store int64) (*embedded, error) {
	server, err := natsembed.Start(natsembed.Options{
		Dir: c.Engine.Dir, Listen: c.Engine.Listen, Logger: slog.New(quiet{logger.Handler()}), MaxStore: store,
	})
	if err != nil {
		return nil, err
	}
	conn, err := server.Connect()
	if err != nil {
		return nil, errors.Join(err, server.Shutdown(ctx))
	}
	engine, err := setUpNATS(ctx, conn, c.Engine, logger, purpose)
	if err != nil {
		return nil, errors.Join(err, server.Shutdown(context.WithoutCancel(ctx)))
	}
	e := &embedded{engine, server}
	if purpose == ToRun {
		if err := limitLetters(ctx, e.js, e.name, lettersFor(*c.Engine.MaxBytes)); err != nil {
			return nil, errors.Join(err, e.Close(ctx))
		}
	}
	return e, nil
}

// limitLetters has the dead letters leave room for leases: when there are more of them, what
// can't be handled waits, and nothing else does.
func limitLetters(ctx context.Context, js jetstream.JetStream, name string, most int64) error {
	letters, err := js.Stream(ctx, name+"_DLQ")
	if err != nil {
		return fmt.Errorf("the dead letters: %w", err)
	}
	settings := letters.CachedInfo().Config
	if settings.MaxBytes == most && settings.Discard == jetstream.DiscardNew {
		return nil
	}
	settings.MaxBytes, settings.Discard = most, jetstream.DiscardNew
	if _, err := js.UpdateStream(ctx, settings); err != nil {
		return fmt.Errorf("limiting the dead letters: %w", err)
	}
	return nil
}

const (
	// defaultLog is how many bytes the log of the embedded engine has unless it is told.
	defaultLog = 9 << 30
	// anyStore is more than any disk has.
	anyStore = 1 << 62
)

// storeFor is how many bytes the embedded engine has for a log of so many: there is more
// in it than the log. In a store that is full, no lease can be renewed, and no member of a group can say
// that it is there.
func storeFor(maxBytes *int64) int64 {
	switch {
	case maxBytes == nil:
		return defaultLog / 9 * 10
	case *maxBytes == 0 || *maxBytes > anyStore/10*9:
		return anyStore
	}
	return max(*maxBytes, defaultLog) / 9 * 10
}

// lettersFor is how many bytes the dead letters beside a log of so many may have: half of what
// the log leaves of the store. -1 = no limit.
func lettersFor(maxBytes int64) int64 {
	store := storeFor(&maxBytes)
	if store == anyStore {
		return -1
	}
	return (store - maxBytes) / 2
}

// Failed is closed when the server can't write to its folder.
func (e *embedded) Failed() <-chan struct{} { return e.server.Failed() }

// Close ends the server after the connection, with all on the disk.
func (e *embedded) Close(ctx context.Context) error {
	return errors.Join(e.natsEngine.Close(ctx), e.server.Shutdown(ctx))
}
