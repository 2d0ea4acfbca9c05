package engine

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

const gigabyte = 1 << 30

// inFolder is a configuration of an embedded engine with a log of so many bytes; 0 = unless
// told.
func inFolder(dir string, maxBytes int64) config.Config {
	c := config.Default()
	c.Engine.Dir = dir
	if maxBytes > 0 {
		c.Engine.MaxBytes = &maxBytes
	}
	return c
}

func open(t *testing.T, c config.Config, purpose Purpose) Engine {
	t.Helper()
	opened, err := Open(t.Context(), c, slog.New(slog.DiscardHandler), purpose)
	require.NoError(t, err)
	return opened
}

func closeNow(t *testing.T, e Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	assert.NoError(t, e.Close(ctx))
}

// settingsOf are those of the log that an engine has.
func settingsOf(t *testing.T, opened Engine) jetstream.StreamConfig {
	t.Helper()
	var e *natsEngine
	switch opened := opened.(type) {
	case *embedded:
		e = opened.natsEngine
	case *natsEngine:
		e = opened
	}
	stream, err := e.js.Stream(t.Context(), e.name)
	require.NoError(t, err)
	return stream.CachedInfo().Config
}

// TestOnlyARunChangesTheLog: a command whose configuration is not that of the bridge must
// not have the oldest messages go.
func TestOnlyARunChangesTheLog(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	bridge := inFolder(t.TempDir(), 20*gigabyte)
	bridge.Engine.Listen = listener.Addr().String()
	other := inFolder(bridge.Engine.Dir, 1<<20)
	other.Engine.Listen = bridge.Engine.Listen
	age := config.Duration(time.Minute)
	other.Engine.MaxAge = &age
	unset := inFolder(bridge.Engine.Dir, 0)
	unset.Engine.Listen = bridge.Engine.Listen

	e := open(t, bridge, ToRun)
	before := settingsOf(t, e)
	look := func(when string) {
		for _, c := range []config.Config{other, unset} {
			for _, purpose := range []Purpose{ToCheck, ToLook} {
				looking := open(t, c, purpose)
				assert.Equal(t, before, settingsOf(t, looking), when)
				closeNow(t, looking)
			}
		}
	}
	look("while the bridge runs")
	closeNow(t, e)
	look("when it has ended")

	e = open(t, other, ToRun)
	defer closeNow(t, e)
	after := settingsOf(t, e)
	assert.Equal(t, int64(1<<20), after.MaxBytes)
	assert.Equal(t, time.Minute, after.MaxAge)
}

// TestTheLogCanBeMadeSmaller: the server refuses any change of a log that may have more than
// its store.
func TestTheLogCanBeMadeSmaller(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ told, want int64 }{
		{100 * gigabyte, 100 * gigabyte}, {50 * gigabyte, 50 * gigabyte}, {gigabyte, gigabyte}, {20 * gigabyte, 20 * gigabyte}, {0, defaultLog},
	} {
		e := open(t, inFolder(dir, test.told), ToRun)
		assert.Equal(t, test.want, settingsOf(t, e).MaxBytes)
		assert.Equal(t, lettersFor(test.want), lettersOf(t, e).MaxBytes)
		closeNow(t, e)
	}
}

// TestALookMakesNoLog: that there are no messages in a log that was made just now says
// nothing of the one that is somewhere else.
func TestALookMakesNoLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	_, err := Open(t.Context(), inFolder(dir, 0), slog.New(slog.DiscardHandler), ToLook)
	require.ErrorContains(t, err, "engine.dir: there is no log")
	assert.NoDirExists(t, dir)

	closeNow(t, open(t, inFolder(dir, 0), ToCheck))
	closeNow(t, open(t, inFolder(dir, 0), ToLook))

	another := inFolder(dir, 0)
	another.Engine.Prefix = "crips"
	_, err = Open(t.Context(), another, slog.New(slog.DiscardHandler), ToLook)
	require.ErrorContains(t, err, `there is no log with engine.prefix = "crips"`)
}
