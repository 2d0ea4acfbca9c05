// Package test has the tests that run a whole client or server. Most of them run
// in virtual time against a Crisp in memory: they wait for nothing, and yet go
// through the real protocol.
package test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// bubble gives a test its own time and its own Crisp.
func bubble(t *testing.T, fn func(t *testing.T, srv *crisptest.Server), opts ...crisptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, append([]crisptest.Option{crisptest.InMemory()}, opts...)...)
		fn(t, srv)
	})
}

// running is an RTM client whose Run is under way.
type running struct {
	*crisp.RTM
	err chan error
}

// run starts an RTM client, which the test's end closes.
func run(t *testing.T, srv *crisptest.Server, router *crisp.Router, opts ...crisp.RTMOption) *running {
	t.Helper()
	return runClient(t, srv.Client(), router, opts...)
}

func runClient(t *testing.T, client *crisp.Client, router *crisp.Router, opts ...crisp.RTMOption) *running {
	t.Helper()
	return runUntil(t.Context(), t, client, router, opts...)
}

func runUntil(ctx context.Context, t *testing.T, client *crisp.Client, router *crisp.Router, opts ...crisp.RTMOption) *running {
	t.Helper()
	rtm, err := client.NewRTM(router, opts...)
	require.NoError(t, err)
	r := &running{RTM: rtm, err: make(chan error, 1)}
	go func() { r.err <- rtm.Run(ctx) }()
	t.Cleanup(func() { _ = rtm.Close() })
	return r
}

// ending is what Run returns. A client that goes on instead fails the test.
func (r *running) ending(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.err:
		return err
	case <-time.After(time.Hour): // virtual
		require.FailNow(t, "Run goes on")
		return nil
	}
}

// texts makes a router that collects the texts of the visitors' messages.
func texts(opts ...crisp.RouterOption) (*crisp.Router, *testkit.Log[string]) {
	router, got := crisp.NewRouter(opts...), new(testkit.Log[string])
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		text, _ := ev.Content.(crisp.TextContent)
		got.Add(string(text))
		return nil
	})
	return router, got
}

// message makes the payload of a message whose text is a number.
func message(session string, n int) []byte {
	return fmt.Appendf(nil, `{"website_id":%q,"session_id":%q,"type":"text","from":"user","origin":"chat","content":"%d","fingerprint":%d,"timestamp":%d}`,
		crisptest.WebsiteID, session, n, 1000+n, time.Now().UnixMilli())
}

func numbers(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

func emit(srv *crisptest.Server, session string, from, to int) {
	for n := from; n < to; n++ {
		srv.EmitRaw("message:send", message(session, n))
	}
}

func authenticated(t *testing.T, srv *crisptest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, srv.WaitAuthenticated(ctx))
	synctest.Wait()
}

// clockStep is how exact the times of a connection are.
const clockStep = time.Microsecond

// pass lets virtual time pass, and what happens in it.
func pass(d time.Duration) {
	time.Sleep(d) // of a synctest bubble: no real time
	synctest.Wait()
}
