//go:build unix

package forward_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
)

// What is not waited for any longer is ended, and not only the shell that it runs in: a
// pipe that it writes to has an end then.
func TestACommandEndsWithItsChildren(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	command := forward.NewCommand(`sleep 1000 >"$PIPE"; true`, append(os.Environ(), "PIPE="+pipe), time.Hour, func(string) {})
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	answered := make(chan forward.Answer, 1)
	go func() { answered <- command.Send(ctx, forward.Attempt{Event: "message:send"}) }()
	reader, err := os.Open(pipe) // waits until the child has it
	require.NoError(t, err)
	defer reader.Close() //nolint:errcheck // it was only read
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, reader)
	}()
	giveUp()
	assert.False(t, (<-answered).Accepted)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("what the command has started goes on")
	}
}
