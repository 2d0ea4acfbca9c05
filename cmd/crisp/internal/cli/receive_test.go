package cli_test

import (
	"bytes"
	"net/http"
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

// Web hooks that are rightly signed are shown; others are refused, and why is told.
func TestReceive(t *testing.T) {
	srv := crisptest.NewServer(t)
	file := filepath.Join(t.TempDir(), "ready")
	var stdout, stderr bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- cli.Run(t.Context(), []string{"receive", "--addr", "127.0.0.1:0", "--count", "1", "--ready-file", file},
			cli.Surroundings{Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string {
				return map[string]string{"CRISP_SIGNING_SECRET": srv.SigningSecret()}[name]
			}})
	}()
	var url string
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		url = strings.TrimSpace(string(text))
		return err == nil && url != ""
	}, 10*time.Second, time.Millisecond)
	for secret, want := range map[string]int{"wrong": http.StatusUnauthorized} {
		answer, err := srv.PostHook(t.Context(), url, crisptest.Sample("message:send"), crisptest.HookSecret(secret))
		require.NoError(t, err)
		assert.Equal(t, want, answer.StatusCode)
	}
	answer, err := srv.PostHook(t.Context(), url, crisptest.Sample("message:send"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Equal(t, 0, <-ended)
	assert.Regexp(t, `message:send .*order`, stdout.String())
	assert.Contains(t, stderr.String(), "answered 401: ")
	assert.NoFileExists(t, file)
}
