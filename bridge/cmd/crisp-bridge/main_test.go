package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
	"github.com/crisp-go/crisp/crisptest"
)

// asProgram is set where the tests run as the program itself.
const asProgram = "BRIDGE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"crisp-bridge": main})
}

// TestScripts runs the scripts in testdata/script, each in an empty folder and with the
// environment that crisp serve --exec gives: they pin what each command writes to stdout
// and stderr, and its exit code. ECHO_URL answers with what it was sent to authenticate by.
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
			echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprintf(w, `{"error":true,"reason":%q,"data":{}}`, r.Header.Get("Authorization"))
			}))
			env.Defer(echo.Close)
			env.Setenv("ECHO_URL", echo.URL)
			for name, value := range environment(srv) {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "bury": bury},
	})
}

// environment is that of crisp serve --exec, with secrets that can be looked for.
func environment(srv *crisptest.Server) map[string]string {
	return map[string]string{
		"CRISP_BASE_URL":         srv.URL(),
		"CRISP_IDENTIFIER":       srv.Token().Identifier,
		"CRISP_KEY":              srv.Token().Key,
		"CRISP_TIER":             string(srv.Token().Tier),
		"CRISP_WEBSITE_ID":       crisptest.WebsiteID,
		"CRISP_SIGNING_SECRET":   srv.SigningSecret(),
		"CRISP_BRIDGE_HTTP_ADDR": "127.0.0.1:0",
		"GORACE":                 "atexit_sleep_ms=0", // else it waits a second at its end
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
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("it ended with code %d, not %d", code, want)
	}
}

// bury FOLDER GROUP N puts dead letters of a group into the embedded engine of a folder.
func bury(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 3 {
		ts.Fatalf("usage: bury FOLDER GROUP N")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	ctx := context.Background()
	server, err := natsembed.Start(natsembed.Options{Dir: ts.MkAbs(args[0])})
	ts.Check(err)
	conn, err := server.Connect()
	ts.Check(err)
	log, err := natsbridge.New(conn)
	ts.Check(err)
	ts.Check(log.Setup(ctx))
	group, err := log.Consumer(args[1])
	ts.Check(err)
	for i := range n {
		ts.Check(group.Bury(ctx, bridge.DeadLetter{
			Message: bridge.Message{
				ID: fmt.Sprintf("%s-%d", args[1], i), Type: "message:send", WebsiteID: "website", SessionID: "session_\x1b[2J", Time: time.Unix(1767225600, 0),
				Data: []byte(`{"content":"what somebody wrote"}`),
			},
			Group: args[1], Attempts: 6, Error: "the shop does not answer\x1b[2J", At: time.Unix(1767225600, 0),
		}))
	}
	conn.Close()
	ts.Check(server.Shutdown(ctx))
}

// freePort is an address of this machine at which nobody listens.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing was done with it
	return listener.Addr().String()
}
