package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/credentials"
	"github.com/crisp-go/crisp/cmd/crisp/internal/doctor"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// healthy returns the set-up of a program that gets its events from a server.
func healthy(srv *crisptest.Server) doctor.Config {
	return doctor.Config{
		Credentials: credentials.Credentials{
			Token:         srv.Token(),
			SigningSecret: srv.SigningSecret(),
			BaseURL:       srv.URL(),
			From:          "the environment",
		},
		Events: []string{"message:send", "session:set_email"},
	}
}

// examine returns the findings of all checks, by the check's ID.
func examine(t *testing.T, config doctor.Config) map[string]doctor.Finding {
	t.Helper()
	found := make(map[string]doctor.Finding)
	doctor.Run(t.Context(), config, func(f doctor.Finding) {
		t.Logf("%-8s %-15s %s\n\t\t%s", f.Status, f.Check, f.Saw, f.Advice)
		assert.NotEmpty(t, f.Saw, f.Check)
		if f.Status == doctor.Wrong || f.Status == doctor.Warning {
			assert.NotEmpty(t, f.Advice, "%s says nothing of what to do", f.Check)
		}
		found[f.Check] = f
	})
	assertNoSecret(t, config, found)
	return found
}

func assertNoSecret(t *testing.T, config doctor.Config, found map[string]doctor.Finding) {
	t.Helper()
	text, err := json.Marshal(found)
	require.NoError(t, err)
	for _, secret := range []string{config.Credentials.Token.Key, config.Credentials.SigningSecret, config.Credentials.Token.Identifier} {
		if len(secret) > 8 {
			assert.NotContains(t, string(text), secret)
		}
	}
}

// firstWrong returns the ID of the first check that found something wrong, empty if
// none did.
func firstWrong(found map[string]doctor.Finding) string {
	for _, check := range doctor.Checks() {
		if found[check.ID].Status == doctor.Wrong {
			return check.ID
		}
	}
	return ""
}

// beat is a heartbeat that tests can wait for.
var beat = crisptest.WithHeartbeat(300*time.Millisecond, 10*time.Second)

// onWebsite is a server whose plugin is installed on a website.
func onWebsite(t *testing.T, opts ...crisptest.Option) *crisptest.Server {
	srv := crisptest.NewServer(t, append([]crisptest.Option{beat}, opts...)...)
	srv.Install(crisptest.WebsiteID)
	return srv
}

func TestHealthy(t *testing.T) {
	srv := onWebsite(t)
	runs := new(counter)
	config := healthy(srv)
	config.Websites = []string{crisptest.WebsiteID}
	config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), runs.count))
	config.Effect = runs.effect
	config.Limits.EffectSettles = 100 * time.Millisecond
	found := examine(t, config)
	for _, check := range doctor.Checks() {
		assert.Equal(t, doctor.OK, found[check.ID].Status, "%s: %s", check.ID, found[check.ID].Saw)
	}
}

// A website's hook is not signed: the secret is in its URL.
func TestHealthyHookOfAWebsite(t *testing.T) {
	srv := onWebsite(t)
	hook, err := crisp.NewWebhook(crisp.NewRouter(), crisp.WithURLSecrets("key", "the-secret"))
	require.NoError(t, err)
	config := healthy(srv)
	config.Credentials.SigningSecret = ""
	config.Hook = srv.Serve(hook) + "?key=the-secret"
	found := examine(t, config)
	for id, f := range found {
		assert.Contains(t, []doctor.Status{doctor.OK, doctor.Skipped}, f.Status, id)
		assert.NotContains(t, f.Saw+f.Advice, "the-secret")
	}
	for _, id := range []string{"hook.secret", "hook.unsigned", "hook.forged", "hook.signed", "hook.time"} {
		assert.Equal(t, doctor.OK, found[id].Status, id)
	}
}

// Without a hook or events, nothing is wrong either.
func TestHealthyOfEachTier(t *testing.T) {
	for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
		t.Run(string(tier), func(t *testing.T) {
			srv := onWebsite(t, crisptest.WithTier(tier))
			config := healthy(srv)
			config.Events = nil
			for id, f := range examine(t, config) {
				assert.Contains(t, []doctor.Status{doctor.OK, doctor.Skipped}, f.Status, id)
			}
		})
	}
}

func TestFindingsAreOfKnownChecksInOrder(t *testing.T) {
	var order, want []string
	doctor.Run(t.Context(), doctor.Config{CredentialsErr: fmt.Errorf("none"), Hook: "http://127.0.0.1:1/"}, func(f doctor.Finding) { order = append(order, f.Check) })
	for _, check := range doctor.Checks() {
		want = append(want, check.ID)
	}
	assert.Equal(t, want, order)
}

func TestEndsWithItsContext(t *testing.T) {
	srv := onWebsite(t)
	ctx, cancel := context.WithCancel(t.Context())
	var last string
	doctor.Run(ctx, healthy(srv), func(f doctor.Finding) {
		if last = f.Check; last == "token" {
			cancel()
		}
	})
	assert.Equal(t, "token", last)
}

func TestDocsListAllChecks(t *testing.T) {
	docs, err := os.ReadFile("../../../../docs/cli.md")
	require.NoError(t, err)
	var table strings.Builder
	for _, check := range doctor.Checks() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", check.ID, check.About)
	}
	assert.Contains(t, string(docs), table.String(), "docs/cli.md needs this table of the checks")
}
