//go:build unix

package natsembed_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/natsembed"
)

// inFullDisk says to the test's program that it is the one of its own that has no room.
const inFullDisk = "NATSEMBED_TEST_FULL"

// TestAFullDisk: the server takes nothing more, and says so; the next has all that was
// acknowledged, and goes on when there is room. A limit for the size of files, which a process has for
// itself, stands for the disk's.
func TestAFullDisk(t *testing.T) {
	if os.Getenv(inFullDisk) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDisk$")
		cmd.Env = append(os.Environ(), inFullDisk+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit(t, 2<<20)
	dir := t.TempDir()
	server, err := natsembed.Start(natsembed.Options{Dir: dir})
	require.NoError(t, err)
	js := connect(t, server)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Storage: jetstream.FileStorage})
	require.NoError(t, err)
	select {
	case <-server.Failed():
		t.Fatal("it has room")
	default:
	}
	stored := uint64(0)
	for ; store(t, js) == nil; stored++ {
		require.Less(t, stored, uint64(100), "nothing limits it")
	}
	select {
	case <-server.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("it does not say so")
	}
	require.NoError(t, server.Shutdown(context.Background()))

	limit(t, 1<<30)
	server, err = natsembed.Start(natsembed.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, server.Shutdown(context.Background())) }()
	js = connect(t, server)
	stream, err := js.Stream(t.Context(), "S")
	require.NoError(t, err)
	assert.Equal(t, stored, stream.CachedInfo().State.Msgs)
	assert.NoError(t, store(t, js))
}

func store(t *testing.T, js jetstream.JetStream) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("not stored"))
	defer cancel()
	_, err := js.Publish(ctx, "s", make([]byte, 100_000))
	return err
}

func limit(t *testing.T, bytes uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	limit.Cur = bytes
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
}
