package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crisp-go/crisp/crisptest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"crisp": main, "bot": bot})
}

// TestScripts runs the scripts in testdata/script, each in an empty folder and
// environment: they pin what each command writes to stdout and stderr, and its
// exit code. SERVER_URL is a Crisp that takes the token of SERVER_IDENTIFIER and
// SERVER_KEY.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			srv, err := crisptest.Start()
			if err != nil {
				return err
			}
			env.Defer(srv.Close)
			elsewhere := httptest.NewServer(http.HandlerFunc(notCrisp))
			env.Defer(elsewhere.Close)
			env.Setenv("ELSEWHERE_URL", elsewhere.URL)
			env.Setenv("SERVER_URL", srv.URL())
			env.Setenv("SERVER_IDENTIFIER", srv.Token().Identifier)
			env.Setenv("SERVER_KEY", srv.Token().Key)
			env.Setenv("SERVER_WEBSITE", crisptest.WebsiteID)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"bus-silent": busSilent,
		},
	})
}

// notCrisp answers as what may be in Crisp's place: a portal, a gateway, or, as
// Crisp's refusal, with what it was sent.
func notCrisp(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/echo"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":true,"reason":%q,"data":{}}`, r.Header.Get("Authorization"))
	case strings.HasPrefix(r.URL.Path, "/gateway"):
		w.WriteHeader(http.StatusBadGateway)
	default:
		_, _ = io.WriteString(w, "<html>Welcome</html>")
	}
}

// exits CODE PROGRAM ARGUMENTS… runs a program that must end with a code.
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("it ended with code %d, not %d", code, want)
	}
}

// busSilent lets DBUS_SESSION_BUS_ADDRESS, by which Linux reaches the keyring, be
// that of a bus that takes connections and says nothing.
func busSilent(ts *testscript.TestScript, _ bool, _ []string) {
	path := filepath.Join(ts.Getenv("WORK"), "bus")
	listener, err := net.Listen("unix", path)
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+path)
}
