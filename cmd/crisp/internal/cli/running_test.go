package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
	"github.com/crisp-go/crisp/crisptest"
)

// running is a command that runs.
type running struct {
	stdout, stderr written
	stop           context.CancelFunc
	ended          chan int // its exit code
}

// written is what a command has written so far.
type written struct {
	mu sync.Mutex // guards what is below
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// start runs a command in an environment.
func start(t *testing.T, env map[string]string, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, ended: make(chan int, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.ended <- cli.Run(ctx, args, cli.Surroundings{
			Stdin: strings.NewReader(""), Stdout: &r.stdout, Stderr: &r.stderr,
			Getenv: func(name string) string { return env[name] },
		})
	}()
	t.Cleanup(func() { stop(); <-over })
	return r
}

// code waits for the end, and returns the exit code.
func (r *running) code(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case code := <-r.ended:
		return code
	case <-time.After(within):
		require.FailNow(t, "it doesn't end", "%s\n%s", r.stdout.String(), r.stderr.String())
		return -1
	}
}

// awaitStderr waits until something was told.
func (r *running) awaitStderr(t *testing.T, text string, within time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.stderr.String(), text) }, within, time.Millisecond,
		"%q is not told", text)
}

// awaitFile waits for a file, and returns what it holds.
func awaitFile(t *testing.T, path string) (text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		read, err := os.ReadFile(path)
		text = strings.TrimSpace(string(read))
		return err == nil && text != ""
	}, 20*time.Second, time.Millisecond)
	return text
}

// environment is that of a program that works with a server.
func environment(srv *crisptest.Server) map[string]string {
	return map[string]string{
		"CRISP_BASE_URL":       srv.URL(),
		"CRISP_IDENTIFIER":     srv.Token().Identifier,
		"CRISP_KEY":            srv.Token().Key,
		"CRISP_SIGNING_SECRET": srv.SigningSecret(),
	}
}

func inFolder(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }
