package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

// Store is what a module of stores has.
type Store interface {
	crisp.ClaimStore
	Position(name string) crisp.PositionStore
}

// killedLease is how long the events of a replica that was killed are kept from the
// other.
const killedLease = time.Second

// taskVariable is the environment variable by which a process knows that it is a
// replica, and what it has to do.
const taskVariable = "CRISP_REPLICA"

// task is what a replica is told.
type task struct {
	Name          string // of its position
	Store         string // what opens the store
	REST          string // the URL of Crisp's REST API
	Identifier    string
	Key           string
	SigningSecret string
	Standby       bool // only one replica at a time has an RTM client, and there are no web hooks
}

// Main runs the tests of a package, or the replica that one of them has started.
// open opens the store that Killed was given the name of.
func Main(m *testing.M, open func(ctx context.Context, name string) (Store, error)) {
	text, ok := os.LookupEnv(taskVariable)
	if !ok {
		leakcheck.Main(m)
	}
	var of task
	err := json.Unmarshal([]byte(text), &of)
	if err == nil {
		err = of.run(open)
	}
	fmt.Fprintln(os.Stderr, "replica:", err)
	os.Exit(1)
}

// run serves both transports until the process is killed, or nobody is left to tell
// of it.
func (of task) run(open func(ctx context.Context, name string) (Store, error)) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // which its parent never writes to
		cancel(errors.New("the parent is gone"))
	}()
	store, err := open(ctx, of.Store)
	if err != nil {
		return err
	}
	client, err := crisp.New(crisp.PluginToken(of.Identifier, of.Key), crisp.WithBaseURL(of.REST))
	if err != nil {
		return err
	}
	if of.Standby {
		return of.standBy(ctx, client, store)
	}
	router := of.router(store)
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(of.SigningSecret))
	if err != nil {
		return err
	}
	server := httptest.NewServer(hooks)
	defer server.Close()
	rtm, err := client.NewRTM(router, crisp.WithConcurrency(4), crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithPosition(store.Position(of.Name)))
	if err != nil {
		return err
	}
	tell(told{What: toldReady, URL: server.URL})
	return rtm.Run(ctx)
}

// standBy serves the RTM API whenever it is this replica's turn.
func (of task) standBy(ctx context.Context, client *crisp.Client, store Store) error {
	tell(told{What: toldReady})
	router := of.router(store)
	return crisp.Lead(ctx, crisp.NewLease(store, "rtm"), killedLease, func(ctx context.Context) error {
		rtm, err := client.NewRTM(router, crisp.WithConcurrency(4), crisp.WithBackfill(crisp.Backfill{}),
			crisp.WithPosition(store.Position("shared")))
		if err != nil {
			return err
		}
		return rtm.Run(ctx)
	})
}

// What a replica tells on its standard output, a line of JSON each. What was written
// stays readable when the process is killed.
const (
	toldReady   = "ready"   // it serves web hooks at URL
	toldBegun   = "begun"   // a handler begins with Message
	toldFailed  = "failed"  // the handler has failed
	toldHandled = "handled" // the handler has succeeded
	toldSettled = "settled" // the store knows that it has
)

// told is a line.
type told struct {
	What    string
	URL     string `json:",omitempty"`
	Message string `json:",omitempty"`
	Run     int64  // of a handler, in this process
	At      int64  // ns since 1970
}

func tell(what told) {
	what.At = time.Now().UnixNano()
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil { // one write, which is atomic
		os.Exit(1)
	}
}

// ran is a mark in the context of an event: which run of a handler it has led to here,
// if any.
type ran struct{ run int64 }

type ranKey struct{}

var runs atomic.Int64

var errByChance = errors.New("failed by chance")

// router has a handler that takes a while and fails now and then. What it does
// is told from inside and outside of Once.
func (of task) router(store crisp.ClaimStore) *crisp.Router {
	report := func(_ context.Context, err error) {
		if !errors.Is(err, errByChance) {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	router := crisp.NewRouter(crisp.WithErrorHandler(report))
	router.Use(tellSettled, crisp.Once(store, crisp.OnceLease(killedLease), crisp.OnceErrorHandler(report)))
	mayFail := !of.Standby // there is nobody to try again
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		run := runs.Add(1)
		ctx.Value(ranKey{}).(*ran).run = run
		tell(told{What: toldBegun, Run: run, Message: textOf(ev)})
		time.Sleep(time.Duration(5+rand.IntN(50)) * time.Millisecond) // the work
		if mayFail && rand.IntN(20) == 0 {
			tell(told{What: toldFailed, Run: run})
			return errByChance
		}
		tell(told{What: toldHandled, Run: run})
		return nil
	})
	return router
}

func tellSettled(next crisp.Handler) crisp.Handler {
	return func(ctx context.Context, ev crisp.Event) error {
		mark := new(ran)
		err := next(context.WithValue(ctx, ranKey{}, mark), ev)
		if err == nil && mark.run != 0 {
			tell(told{What: toldSettled, Run: mark.run})
		}
		return err
	}
}

func textOf(ev *crisp.MessageSend) string {
	text, _ := ev.Content.(crisp.TextContent)
	return string(text)
}

// parse reads a line.
func (what *told) parse(line string) error {
	if err := json.Unmarshal([]byte(line), what); err != nil {
		return fmt.Errorf("a replica says %q: %w", line, err)
	}
	return nil
}

// forward passes a web hook on to a replica, as a load balancer does.
func forward(w http.ResponseWriter, r *http.Request, url string) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, url, r.Body)
	if err != nil {
		http.Error(w, "no replica", http.StatusBadGateway)
		return
	}
	out.Header, out.ContentLength = r.Header.Clone(), r.ContentLength
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil { // the replica was killed
		http.Error(w, "no answer", http.StatusBadGateway)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(answer.Body, 1<<10))
}

// environment is that of a replica.
func (of task) environment() ([]string, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOCOVERDIR=") {
			env = append(env, v)
		}
	}
	return append(env, taskVariable+"="+string(text)), nil
}
