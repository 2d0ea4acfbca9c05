package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

const triggerSecret = "the-signing-secret"

// hookTarget is a program that takes web hooks as it should, and remembers them.
type hookTarget struct {
	*httptest.Server
	webhook *crisp.Webhook

	mu       sync.Mutex // guards what is below
	received []hookRequest
	handled  []crisp.Event
}

type hookRequest struct {
	query  string
	header http.Header
	body   []byte
	at     time.Time
}

func newHookTarget(t *testing.T) *hookTarget {
	target := &hookTarget{}
	router := crisp.NewRouter()
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		target.mu.Lock()
		defer target.mu.Unlock()
		target.handled = append(target.handled, ev)
		return nil
	})
	var err error
	target.webhook, err = crisp.NewWebhook(router, crisp.WithSigningSecrets(triggerSecret))
	require.NoError(t, err)
	target.Server = httptest.NewServer(target)
	t.Cleanup(target.Close)
	return target
}

func (h *hookTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	h.received = append(h.received, hookRequest{r.URL.RawQuery, r.Header.Clone(), body, time.Now()})
	h.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.webhook.ServeHTTP(w, r)
}

// runCrisp runs the command with a signing secret in an otherwise empty environment.
func runCrisp(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "crisp", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CRISP_SIGNING_SECRET=" + triggerSecret, "GORACE=" + raceOptions}
	cmd.Stdin = bytes.NewReader([]byte(stdin))
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	assert.NotContains(t, out.String()+told.String(), triggerSecret)
	return out.String(), told.String(), cmd.ProcessState.ExitCode()
}

// What testdata/script/trigger.txtar can't see: what a program that uses the library makes
// of it.
func TestTrigger(t *testing.T) {
	body := `{ "website_id":"w", "event":"message:send","data":{"a":1.0, "b":"<&>\u0041"},"timestamp":1 }`
	file := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	for name, test := range map[string]struct {
		args  []string
		stdin string
		code  int
		check func(t *testing.T, target *hookTarget)
	}{
		"a body, with the event": {args: []string{"message:send", "--data", file}, check: func(t *testing.T, target *hookTarget) {
			assert.Equal(t, body, string(target.received[0].body))
		}},
		"many without fingerprints": {args: []string{"session:removed", "--count", "5"}, check: func(t *testing.T, target *hookTarget) {
			assert.Len(t, target.handled, 5, "each has a time of its own")
		}},
		"slowly": {args: []string{"message:send", "--count", "3", "--rate", "4"}, check: func(t *testing.T, target *hookTarget) {
			require.Len(t, target.handled, 3)
			took := target.received[2].at.Sub(target.received[0].at)
			assert.Greater(t, took, 250*time.Millisecond, "half a second, if they were all on their way for as long")
		}},
		"twice": {args: []string{"message:send", "--duplicate"}, check: func(t *testing.T, target *hookTarget) {
			require.Len(t, target.received, 2)
			assert.Equal(t, target.received[0].body, target.received[1].body)
			assert.Equal(t, target.received[0].header["X-Crisp-Signature"], target.received[1].header["X-Crisp-Signature"])
			assert.Len(t, target.handled, 1, "the other is known as a repetition")
		}},
		"a later attempt": {args: []string{"message:send", "--attempt", "3/4"}, check: func(t *testing.T, target *hookTarget) {
			require.Len(t, target.handled, 1)
			assert.Equal(t, 3, target.handled[0].EventMeta().Delivery.Attempt)
			assert.Equal(t, 4, target.handled[0].EventMeta().Delivery.Limit)
		}},
		"stale": {args: []string{"message:send", "--stale"}, code: 1, check: func(t *testing.T, target *hookTarget) {
			assert.Empty(t, target.handled)
			assert.NoError(t, crisp.Verify(triggerSecret, target.received[0].header, target.received[0].body, 2*time.Hour))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			target := newHookTarget(t)
			stdout, stderr, code := runCrisp(t, test.stdin, append(append([]string{"trigger"}, test.args...), "--to", target.URL+"/hooks?keep=1")...)
			require.Equal(t, test.code, code, "%s%s", stdout, stderr)
			target.mu.Lock()
			defer target.mu.Unlock()
			require.NotEmpty(t, target.received)
			assert.Equal(t, "keep=1", target.received[0].query)
			assert.Contains(t, stdout, strconv.Itoa(map[int]int{0: 200, 1: 40}[code]))
			test.check(t, target)
		})
	}
}

func TestTriggerPrints(t *testing.T) {
	body, stderr, code := runCrisp(t, "", "trigger", "message:send", "--print", "--format", "raw", "--set", "content=Hi")
	require.Zero(t, code, stderr)
	data, found := jsontext.Get([]byte(body), jsontext.Path{"data", "content"})
	require.True(t, found)
	assert.Equal(t, `"Hi"`, string(data))

	shown, _, code := runCrisp(t, "", "trigger", "message:send", "--print", "--format", "json", "--to", "http://user:word@127.0.0.1:1/hooks?key=hidden")
	require.Zero(t, code)
	assert.Contains(t, shown, `"url":"http://127.0.0.1:1/hooks?key=…"`)
	assert.Contains(t, shown, `"X-Crisp-Signature":"`)
	assert.NotContains(t, shown, "hidden")
	assert.NotContains(t, shown, "word@")
}
