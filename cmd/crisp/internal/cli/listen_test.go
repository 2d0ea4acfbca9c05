package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
	"github.com/crisp-go/crisp/crisptest"
)

// What happens is shown and kept, and the program ends after as many events as were
// asked for. No secret is in what it writes.
func TestListen(t *testing.T) {
	srv := crisptest.NewServer(t)
	env := map[string]string{
		"CRISP_BASE_URL":       srv.URL(),
		"CRISP_IDENTIFIER":     srv.Token().Identifier,
		"CRISP_KEY":            srv.Token().Key,
		"CRISP_SIGNING_SECRET": srv.SigningSecret(),
	}
	var stdout, stderr bytes.Buffer
	path := filepath.Join(t.TempDir(), "c.jsonl")
	ended := make(chan int)
	go func() {
		ended <- cli.Run(t.Context(), []string{"listen", "-e", "message:send", "--count", "2", "--capture", path},
			cli.Surroundings{Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return env[name] }})
	}()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Say("one\x1b[2J")
	visitor.Say("two")
	select {
	case code := <-ended:
		assert.Equal(t, 0, code)
	case <-time.After(20 * time.Second):
		t.Fatal("it doesn't end")
	}
	assert.Regexp(t, `(?s)message:send .*one\\x1b\[2J\n.*message:send .*two\n$`, stdout.String())
	assert.Regexp(t, `(?s)connected to .*\nready: listening to message:send of all websites of the plugin token\n`, stderr.String())
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, secret := range []string{srv.Token().Key, srv.SigningSecret(), "\x1b"} {
		assert.NotContains(t, stdout.String()+stderr.String()+string(kept), secret)
	}
}
