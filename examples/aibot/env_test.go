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
func liveEnv(t *testing.T, srv *crisptest.Server, model *stub, dir string) map[string]string {
	t.Helper()
	path := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(path, []byte(testKey+"\n"), 0o600))
	return map[string]string{
		"CRISP_IDENTIFIER": srv.Token().Identifier, "CRISP_KEY": srv.Token().Key,
		"CRISP_BASE_URL": srv.URL(), "CRISP_WEBSITE_ID": crisptest.WebsiteID,
		"AIBOT_MODEL_URL": srv.Serve(model) + "/v1", "AIBOT_MODEL": "stub", "AIBOT_MODEL_KEY_FILE": path,
	}
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
			env := map[string]string{"AIBOT_MODEL_URL": base, "AIBOT_MODEL": "m", "AIBOT_MODEL_KEY": testKey}
			_, err := modelFromEnv(func(key string) string { return env[key] }, slog.Default())
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
		dir := t.TempDir()
		env := liveEnv(t, srv, &stub{}, dir)
		if variable == "AIBOT_MODEL_KEY" {
			delete(env, "AIBOT_MODEL_KEY_FILE")
		}
		env[variable] = tt.value
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := live(ctx, func(key string) string { return env[key] }, filepath.Join(dir, "state"))
		cancel()
		assert.ErrorContains(t, err, tt.want)
	}
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path, []byte(`{"paused":`), 0o600))
	assert.ErrorContains(t, live(t.Context(), func(string) string { return "" }, path), "reading "+path)
}
