package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// TestScriptsWithCrisp runs the scripts in testdata/crisp, each beside a Crisp of its
// own, whose token and secret are in the environment. HOOK is a web hook that does all
// as it should, OPEN one that verifies nothing, TWICE one that runs repeated deliveries
// again, and writes to runs.log.
func TestScriptsWithCrisp(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/crisp",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			srv, err := crisptest.Start(crisptest.WithHeartbeat(300*time.Millisecond, 10*time.Second))
			if err != nil {
				return err
			}
			env.Defer(srv.Close)
			srv.Install(crisptest.WebsiteID)
			hook, err := crisp.NewWebhook(crisp.NewRouter(), crisp.WithSigningSecrets(srv.SigningSecret()))
			if err != nil {
				return err
			}
			// It appends a line to a file each time that its handler runs.
			runs := filepath.Join(env.WorkDir, "runs.log")
			router := crisp.NewRouter()
			crisp.On(router, func(context.Context, *crisp.MessageSend) error {
				file, err := os.OpenFile(runs, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					return err
				}
				_, err = file.WriteString("run\n")
				return errors.Join(err, file.Close())
			})
			twice, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()), crisp.WithDedupe(nil))
			if err != nil {
				return err
			}
			env.Setenv("GORACE", raceOptions)
			for name, value := range map[string]string{
				"CRISP_BASE_URL":       srv.URL(),
				"CRISP_IDENTIFIER":     srv.Token().Identifier,
				"CRISP_KEY":            srv.Token().Key,
				"CRISP_SIGNING_SECRET": srv.SigningSecret(),
				"CRISP_WEBSITE_ID":     crisptest.WebsiteID,
				"HOOK":                 srv.Serve(hook),
				"TWICE":                srv.Serve(twice),
				"OPEN":                 srv.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
