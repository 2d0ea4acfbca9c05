package cli_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// post posts a body, and returns the status of the answer.
func post(t *testing.T, url, body string, header http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

// A connection that dies in silence is back within the bound of the heartbeat, and the
// gap is told and kept.
func TestListenThroughSilence(t *testing.T) {
	const interval, timeout = 150 * time.Millisecond, 150 * time.Millisecond
	srv := crisptest.NewServer(t, crisptest.WithHeartbeat(interval, timeout))
	kept := inFolder(t, "kept.jsonl")
	listening := start(t, environment(srv), "listen", "-e", "message:send", "--capture", kept)
	listening.awaitStderr(t, "ready: ", 10*time.Second)
	srv.Visitor().Say("before")
	require.Eventually(t, func() bool { return strings.Contains(listening.stdout.String(), "before") }, 10*time.Second, time.Millisecond)

	began := time.Now()
	srv.GoSilent()
	listening.awaitStderr(t, "gap of ", 10*time.Second)
	took := time.Since(began)
	t.Logf("back after %s", took)
	const reconnecting = 5 * time.Second // the pause before an attempt, and the handshake on a busy machine
	assert.Less(t, took, interval+timeout+reconnecting)
	srv.Visitor().Say("behind")
	require.Eventually(t, func() bool { return strings.Contains(listening.stdout.String(), "behind") }, 10*time.Second, time.Millisecond)
	listening.stop()
	assert.Equal(t, 0, listening.code(t, 10*time.Second))
	assert.Regexp(t, `(?s)lost the connection after .*connecting .*\(attempt 1\).*connected to .*gap of .* what happened then may be missing`, listening.stderr.String())
	assert.NotContains(t, listening.stderr.String(), "attempt 3")
	text, err := os.ReadFile(kept)
	require.NoError(t, err)
	for _, kind := range []string{"connected", "lost", "retrying", "gap", "event"} {
		assert.Contains(t, string(text), `"kind":"`+kind+`"`)
	}
}

// Without a connection that is told within 2 s, and ends with a code of its own.
func TestListenInVain(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.TakeDown()
	ready := inFolder(t, "ready")
	listening := start(t, environment(srv), "listen", "--for", "3s", "--ready-file", ready)
	listening.awaitStderr(t, "not connected yet, still trying", 2500*time.Millisecond)
	assert.Equal(t, 4, listening.code(t, 10*time.Second))
	assert.Contains(t, listening.stderr.String(), "crisp: there was no connection to Crisp")
	assert.NoFileExists(t, ready)
}

// Wrong credentials end it with their own code.
func TestListenRefused(t *testing.T) {
	env := environment(crisptest.NewServer(t))
	env["CRISP_KEY"] = "hidden-wrong-key"
	listening := start(t, env, "listen")
	assert.Equal(t, 3, listening.code(t, 10*time.Second))
	assert.NotContains(t, listening.stderr.String(), "hidden")
}

// A command runs for each event. What it says is told; that it fails counts.
func TestListenExec(t *testing.T) {
	srv := crisptest.NewServer(t)
	listening := start(t, environment(srv), "listen", "-e", "message:send", "--count", "2",
		"--exec", `printf '%s \033[2J' "$CRISP_EVENT"; grep -q good`)
	listening.awaitStderr(t, "ready: ", 10*time.Second)
	visitor := srv.Visitor()
	visitor.Say("good")
	visitor.Say("other")
	assert.Equal(t, 1, listening.code(t, 20*time.Second))
	assert.Contains(t, listening.stderr.String(), `message:send \x1b[2J`)
	assert.Regexp(t, `accepted .* message:send to command`, listening.stdout.String())
	assert.Regexp(t, `given up 1 .* message:send to command: the command failed`, listening.stdout.String())
}
