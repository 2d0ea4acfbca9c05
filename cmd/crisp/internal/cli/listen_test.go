package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
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

// What was said while no connection was there, or the command did not run, is fetched
// and shown once; the gap is told.
func TestListenFetchesWhatItMissed(t *testing.T) {
	srv := crisptest.NewServer(t)
	visitor := srv.Visitor()
	position, capture := inFolder(t, "position"), inFolder(t, "c.jsonl")
	listen := func(args ...string) *running {
		r := start(t, environment(srv), append([]string{"listen", "-e", "message:*", "--position", position, "--capture", capture}, args...)...)
		r.awaitStderr(t, "ready: ", 20*time.Second)
		return r
	}
	shown := func(r *running, texts ...string) {
		t.Helper()
		for _, text := range texts {
			require.Eventually(t, func() bool { return strings.Contains(r.stdout.String(), text) }, 20*time.Second, time.Millisecond, "%s\n%s", r.stdout.String(), r.stderr.String())
		}
		assert.Equal(t, len(texts), strings.Count(r.stdout.String(), "\n"), r.stdout.String())
	}
	end := func(r *running) {
		t.Helper()
		r.stop()
		assert.Equal(t, 0, r.code(t, 20*time.Second))
	}

	r := listen("--backfill")
	visitor.Say("said to it")
	shown(r, "said to it")
	srv.TakeDown()
	visitor.Say("while it had no connection")
	srv.BringUp()
	shown(r, "said to it", "while it had no connection")
	r.awaitStderr(t, "recovered 1 message", 20*time.Second)
	end(r)

	visitor.Say("while it did not run")
	r = listen("--backfill")
	shown(r, "while it did not run")
	visitor.Say("said to the next")
	shown(r, "while it did not run", "said to the next")
	end(r)

	visitor.Say("what nobody fetches")
	r = listen()
	r.awaitStderr(t, " gap ", 20*time.Second)
	shown(r)
	end(r)

	kept, err := os.ReadFile(capture)
	require.NoError(t, err)
	for text, times := range map[string]int{"said to it": 1, "while it had no connection": 1, "while it did not run": 1, "said to the next": 1, "what nobody fetches": 0} {
		assert.Equal(t, times, strings.Count(string(kept), `"`+text+`"`), text)
	}
	assert.Equal(t, 2, strings.Count(string(kept), `"source":"backfill"`))
	assert.Equal(t, 3, strings.Count(string(kept), `"kind":"gap"`))
}
