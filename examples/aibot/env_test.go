package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

// liveEnv is an environment in which the bot answers the visitors of a server.
func liveEnv(t *testing.T, srv *crisptest.Server, model *stub, dir string) {
	t.Helper()
	path := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(path, []byte(testKey+"\n"), 0o600))
	srv.Setenv(t)
	t.Setenv("AIBOT_MODEL_URL", srv.Serve(model)+"/v1")
	t.Setenv("AIBOT_MODEL", "stub")
	t.Setenv("AIBOT_MODEL_KEY_FILE", path)
}

func TestTheKeyIsOnlySentWhereItBelongs(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.example.com/v1":          "",
		"http://127.0.0.1:8080/v1":            "",
		"http://[::1]:8080/v1":                "",
		"http://localhost:8080":               "",
		"http://api.example.com/v1":           "needs https",
		"http://127.0.0.1.example.com/v1":     "needs https",
		"https://user:secret@api.example.com": "without a user",
		"api.example.com":                     "needs",
		"":                                    "AIBOT_MODEL_URL and AIBOT_MODEL are needed",
	} {
		t.Run(base, func(t *testing.T) {
			t.Setenv("AIBOT_MODEL_URL", base)
			t.Setenv("AIBOT_MODEL", "m")
			t.Setenv("AIBOT_MODEL_KEY", testKey)
			_, err := modelFromEnv(slog.Default())
			if want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), testKey)
		})
	}
}

func TestAMistakenEnvironmentEndsTheBot(t *testing.T) {
	srv := crisptest.NewServer(t)
	for variable, tt := range map[string]struct{ value, want string }{
		"CRISP_TIER":           {"admin", "CRISP_TIER"},
		"AIBOT_MODEL":          {"", "AIBOT_MODEL"},
		"AIBOT_MODEL_KEY_FILE": {"/nowhere/at/all", "AIBOT_MODEL_KEY_FILE"},
		"AIBOT_PROMPT_FILE":    {"/nowhere/at/all", "AIBOT_PROMPT_FILE"},
		"AIBOT_MODEL_KEY":      {"two\nlines", "key"},
	} {
		t.Run(variable, func(t *testing.T) {
			dir := t.TempDir()
			liveEnv(t, srv, &stub{}, dir)
			if variable == "AIBOT_MODEL_KEY" {
				t.Setenv("AIBOT_MODEL_KEY_FILE", "")
			}
			t.Setenv(variable, tt.value)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			assert.ErrorContains(t, live(ctx, filepath.Join(dir, "state")), tt.want)
		})
	}
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path, []byte(`{"paused":`), 0o600))
	assert.ErrorContains(t, live(t.Context(), path), "reading "+path)
}
