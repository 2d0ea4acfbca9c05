package test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// deaths are the ways of user code not to return.
var deaths = map[string]func(){
	"panic":  func() { panic("no disk") },
	"goexit": runtime.Goexit,
}

// errorsHeard is an error handler that remembers.
type errorsHeard struct {
	mu   sync.Mutex
	errs []error
}

func (h *errorsHeard) hear(_ context.Context, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
}

func (h *errorsHeard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.errs...).Error()
}

type brokenPosition struct{ load, save func() }

func (p brokenPosition) Load(context.Context) (crisp.Position, error) {
	p.load()
	return crisp.Position{}, nil
}

func (p brokenPosition) Save(context.Context, crisp.Position) error {
	p.save()
	return nil
}

type brokenBackoff func()

func (b brokenBackoff) Delay(int) time.Duration {
	b()
	return 0
}

type brokenLog struct {
	slog.Handler
	die func()
}

func (l brokenLog) Handle(context.Context, slog.Record) error {
	l.die()
	return nil
}

// brokenTransport is broken at every third request.
type brokenTransport struct {
	http.RoundTripper
	die func()
	n   *int
}

func (b brokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if *b.n++; *b.n%3 == 1 {
		b.die()
	}
	return b.RoundTripper.RoundTrip(req)
}

// Whatever of a user's code dies, the client goes on, over a lost connection, too.
func TestAClientOutlivesWhatUsersHandOver(t *testing.T) {
	nothing := func() {}
	for how, die := range deaths {
		tests := []struct {
			name   string
			client func(*http.Client) []crisp.Option
			rtm    []crisp.RTMOption
			says   string // the error handler is told; empty if that is for the log
		}{
			{"PositionStore.Save", nil, []crisp.RTMOption{crisp.WithPosition(brokenPosition{nothing, die})}, "PositionStore.Save"},
			{"Backoff.Delay", nil, []crisp.RTMOption{crisp.WithBackoff(brokenBackoff(die))}, "Backoff.Delay"},
			{"hooks", nil, []crisp.RTMOption{crisp.WithHooks(crisp.Hooks{
				Connected:    func(crisp.Connected) { die() },
				Disconnected: func(crisp.Disconnected) { die() },
				Retrying:     func(crisp.Retrying) { die() },
				Gap:          func(crisp.Gap) { die() },
			})}, "a hook"},
			{"logger", func(*http.Client) []crisp.Option {
				return []crisp.Option{crisp.WithLogger(slog.New(brokenLog{slog.Default().Handler(), die}))}
			}, nil, ""},
			{"RoundTripper", func(c *http.Client) []crisp.Option {
				broken := *c
				broken.Transport = brokenTransport{broken.Transport, die, new(int)}
				return []crisp.Option{crisp.WithHTTPClient(&broken)}
			}, []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{})}, ""},
		}
		for _, tt := range tests {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					silenceDefault(t)
					srv := crisptest.NewServer(t, crisptest.InMemory())
					var h errorsHeard
					said := make(chan string, 2)
					router := crisp.NewRouter(crisp.WithErrorHandler(h.hear))
					crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
						said <- string(ev.Content.(crisp.TextContent))
						return nil
					})
					var opts []crisp.Option
					if tt.client != nil {
						opts = tt.client(srv.HTTPClient())
					}
					runs(t, srv, srv.Client(opts...), router, tt.rtm, func() {
						visitor := srv.Visitor()
						visitor.Say("one")
						assert.Equal(t, "one", <-said)
						srv.DropConnections()
						synctest.Wait()
						require.NoError(t, srv.WaitAuthenticated(t.Context()))
						visitor.Say("two")
						assert.Equal(t, "two", <-said)
						time.Sleep(time.Minute) // virtual time, in which positions are saved
					})
					if tt.says != "" {
						assert.Contains(t, h.text(), tt.says)
					}
				})
			})
		}
	}
}

// runs runs a client until fn returns, and shuts it down then.
func runs(t *testing.T, srv *crisptest.Server, client *crisp.Client, router *crisp.Router, opts []crisp.RTMOption, fn func()) {
	t.Helper()
	rtm, err := client.NewRTM(router, opts...)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- rtm.Run(t.Context())
	}()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	fn()
	require.NoError(t, rtm.Shutdown(t.Context()))
	assert.ErrorIs(t, <-ended, crisp.ErrClosed)
}

// silenceDefault keeps what is logged to slog.Default, and returns it.
func silenceDefault(t *testing.T) *strings.Builder {
	before, out := slog.Default(), new(strings.Builder)
	slog.SetDefault(slog.New(slog.NewTextHandler(out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return out
}

func TestAPositionThatCanNotBeLoadedEndsRun(t *testing.T) {
	for how, die := range deaths {
		t.Run(how, func(t *testing.T) {
			srv := crisptest.NewServer(t)
			router := crisp.NewRouter()
			router.OnAny(func(context.Context, crisp.Event) error { return nil })
			rtm, err := srv.Client().NewRTM(router, crisp.WithPosition(brokenPosition{die, die}))
			require.NoError(t, err)
			err = rtm.Run(t.Context())
			assert.ErrorContains(t, err, "PositionStore.Load")
			assert.Equal(t, crisp.StateClosed, rtm.State())
		})
	}
}

// What an error handler that dies was told of is logged.
func TestAnErrorHandlerThatDies(t *testing.T) {
	for how, die := range deaths {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := silenceDefault(t)
				srv := crisptest.NewServer(t, crisptest.InMemory())
				router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) { die() }))
				said := make(chan string, 2)
				crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
					said <- string(ev.Content.(crisp.TextContent))
					return errors.New("no luck")
				})
				position := brokenPosition{func() {}, func() { panic("no disk") }}
				hooks := crisp.Hooks{Connected: func(crisp.Connected) { panic("no hook") }}
				runs(t, srv, srv.Client(), router, []crisp.RTMOption{crisp.WithPosition(position), crisp.WithHooks(hooks)}, func() {
					for _, text := range []string{"one", "two"} {
						srv.Visitor().Say(text)
						assert.Equal(t, text, <-said)
						time.Sleep(time.Minute) // virtual
					}
				})
				for _, want := range []string{"PositionStore.Save", "no hook", "the error handler"} {
					assert.Contains(t, out.String(), want)
				}
			})
		})
	}
}

type brokenDedupe func()

func (b brokenDedupe) Done(context.Context, crisp.DeliveryKey) (bool, error) { b(); return false, nil }
func (b brokenDedupe) MarkDone(context.Context, crisp.DeliveryKey) error     { b(); return nil }

func TestAWebhookOutlivesItsStore(t *testing.T) {
	for how, die := range deaths {
		t.Run(how, func(t *testing.T) {
			srv := crisptest.NewServer(t)
			var h errorsHeard
			router := crisp.NewRouter(crisp.WithErrorHandler(h.hear))
			handled := 0
			router.OnAny(func(context.Context, crisp.Event) error { handled++; return nil })
			hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()), crisp.WithDedupe(brokenDedupe(die)))
			require.NoError(t, err)
			resp, err := srv.PostHook(t.Context(), srv.Serve(hooks), crisptest.Sample("message:send"))
			require.NoError(t, err)
			_ = resp.Body.Close()
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			assert.Equal(t, 1, handled)
			assert.Contains(t, h.text(), "DedupeStore.Done")
			assert.Contains(t, h.text(), "DedupeStore.MarkDone")
		})
	}
}

// A store of the library's own that nobody has made is as broken as another's.
func TestAWebhookOutlivesAStoreThatWasNotMade(t *testing.T) {
	for name, store := range map[string]*crisp.MemoryDedupe{"nil": nil, "zero": new(crisp.MemoryDedupe)} {
		t.Run(name, func(t *testing.T) {
			srv := crisptest.NewServer(t)
			var h errorsHeard
			router := crisp.NewRouter(crisp.WithErrorHandler(h.hear))
			hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()), crisp.WithDedupe(store))
			require.NoError(t, err)
			handled := 0
			router.OnAny(func(context.Context, crisp.Event) error { handled++; return nil })
			resp, err := srv.PostHook(t.Context(), srv.Serve(hooks), crisptest.Sample("message:send"))
			require.NoError(t, err)
			_ = resp.Body.Close()
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			assert.Equal(t, 1, handled)
			assert.Contains(t, h.text(), "DedupeStore.Done")
		})
	}
}

// What nobody has set a logger for goes to slog.Default, which may be broken, too.
func TestAClientOutlivesTheDefaultLogger(t *testing.T) {
	for how, die := range deaths {
		t.Run(how, func(t *testing.T) {
			before := slog.Default()
			t.Cleanup(func() { slog.SetDefault(before) })
			slog.SetDefault(slog.New(brokenLog{before.Handler(), die}))
			client, err := crisp.New(crisp.PluginToken("identifier", "key"))
			require.NoError(t, err)
			router := crisp.NewRouter()
			router.OnName("no:such:event", func(context.Context, crisp.Event) error { return nil })
			returned := make(chan error, 1)
			go func() {
				defer close(returned)
				rtm, err := client.NewRTM(router) // which warns of the name
				returned <- errors.Join(err, rtm.Close())
			}()
			err, ok := <-returned
			assert.NoError(t, err)
			assert.True(t, ok, "its goroutine was ended")
		})
	}
}
