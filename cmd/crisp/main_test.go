package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// raceOptions keep programs with the race detector from waiting a second at their end.
const raceOptions = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", raceOptions); err != nil {
		panic(err)
	}
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
			env.Setenv("GORACE", raceOptions)
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
			"target":     target,
			"await":      await,
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

// targetSecret signs the web hooks that the target of a script accepts.
const targetSecret = "hidden-secret"

// target starts a program in development at TARGET_URL. It answers 200 to what is signed
// by the secret in CRISP_SIGNING_SECRET, which is set too, and 401 to anything else; or,
// at the path /status/N, with a status of N and a text with control characters. What it
// has accepted is in the file "bodies", a line each; the attempts' headers are in
// "attempts".
func target(ts *testscript.TestScript, _ bool, _ []string) {
	var mu sync.Mutex // guards the files
	folder := ts.Getenv("WORK")
	keep := func(name, line string) error {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = file.WriteString(line + "\n")
			err = errors.Join(err, file.Close())
		}
		return err
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		attempt := r.Header.Get("X-Delivery-Attempt-Count") + "/" + r.Header.Get("X-Delivery-Attempt-Limit")
		err = errors.Join(err, keep("attempts", attempt))
		if status, ok := strings.CutPrefix(r.URL.Path, "/status/"); ok {
			code, _ := strconv.Atoi(status)
			w.Header().Set("Location", "/")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "no\x1b[2J "+targetSecret)
			return
		}
		if crisp.Verify(targetSecret, r.Header, body, time.Minute) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if errors.Join(err, keep("bodies", string(body))) != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv("TARGET_URL", srv.URL)
	ts.Setenv("CRISP_SIGNING_SECRET", targetSecret)
}

// await FILE VARIABLE waits for a file that another process writes, and puts what it
// holds into a variable. Such a process tells nobody else, so it is looked for.
func await(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: await FILE VARIABLE")
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil {
			ts.Setenv(args[1], strings.TrimSpace(string(text)))
			return
		}
	}
	ts.Fatalf("there is no %s", args[0])
}
