package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// memory is an engine in memory, as one process has it.
type memory struct {
	*bridgetest.Process
	away    atomic.Bool
	letters int
}

func (m *memory) Ping(context.Context) error {
	if m.away.Load() {
		return errors.New("nobody answers")
	}
	return nil
}

func (*memory) Read(context.Context, time.Time) iter.Seq2[bridge.Message, error] { return nil }

func (m *memory) CountLetters(context.Context) (int, error) { return m.letters, nil }

func (*memory) Letters(context.Context, string) iter.Seq2[engine.Letter, error] { return nil }
func (*memory) Replay(context.Context, engine.Letter) error                     { return nil }
func (*memory) Discard(context.Context, engine.Letter) error                    { return nil }
func (*memory) Failed() <-chan struct{}                                         { return nil }
func (*memory) Close(context.Context) error                                     { return nil }

// fleet is a Crisp, a log, and bridges in between, in virtual time.
type fleet struct {
	t   *testing.T
	srv *crisptest.Server
	log *bridgetest.Log
}

func newFleet(t *testing.T, opts ...crisptest.Option) *fleet {
	return &fleet{t, crisptest.NewServer(t, append(opts, crisptest.InMemory())...), bridgetest.NewLog()}
}

// process is a bridge that runs.
type process struct {
	*Daemon
	engine *memory
	stop   func() // waits until it has ended
	kill   func() // as SIGKILL would, as far as the engine can see
}

func (f *fleet) config(transports ...string) config.Config {
	c := config.Default()
	c.Transports = transports
	c.Crisp.BaseURL = f.srv.URL()
	c.Crisp.Identifier = f.srv.Token().Identifier
	c.Secrets = config.Secrets{Key: f.srv.Token().Key, SigningSecret: f.srv.SigningSecret()}
	return c
}

func (f *fleet) start(c config.Config) *process {
	f.t.Helper()
	m := &memory{Process: f.log.Join()}
	d, err := New(c, m, slog.New(slog.DiscardHandler), func(s string) string { return s })
	require.NoError(f.t, err)
	d.clientOptions = []crisp.Option{crisp.WithHTTPClient(f.srv.HTTPClient())}
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	if d.lease == nil {
		ended <- nil
	} else {
		go func() { ended <- d.receive(ctx) }()
	}
	p := &process{Daemon: d, engine: m}
	p.stop = func() {
		cancel()
		assert.NoError(f.t, <-ended)
		ended <- nil
	}
	p.kill = func() {
		m.Kill()
		if rtm := d.rtm.Load(); rtm != nil {
			_ = rtm.Close()
		}
		p.stop()
	}
	f.t.Cleanup(p.stop)
	return p
}

// texts are what people have said, as it is in the log, by conversation.
func (f *fleet) texts() map[string][]string {
	texts := make(map[string][]string)
	for _, m := range f.log.All() {
		ev, err := m.Event()
		if err != nil {
			continue
		}
		if said, ok := ev.(*crisp.MessageSend); ok {
			texts[m.SessionID] = append(texts[m.SessionID], said.Text())
		}
	}
	return texts
}

// of returns the messages of a type.
func (f *fleet) of(kind string) (found []bridge.Message) {
	for _, m := range f.log.All() {
		if m.Type == kind {
			found = append(found, m)
		}
	}
	return found
}

func get(d *Daemon, path string) (int, string) {
	w := httptest.NewRecorder()
	d.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestAStandbyTakesOverWhatWasSaidMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		first := f.start(f.config(config.TransportRTM))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		second := f.start(f.config(config.TransportRTM))
		synctest.Wait()
		visitor := f.srv.Visitor()
		visitor.Say("one")
		time.Sleep(10 * time.Second)
		assert.Equal(t, "standby", readyOf(t, second).RTM.Role)

		first.kill()
		visitor.Say("two")
		visitor.Say("three")
		died := time.Now()
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		synctest.Wait()
		assert.LessOrEqual(t, time.Since(died), 15*time.Second, "TTL and 5 s")
		assert.Equal(t, "leader", readyOf(t, second).RTM.Role)
		visitor.Say("four")
		time.Sleep(5 * time.Second)

		assert.Equal(t, map[string][]string{visitor.SessionID: {"one", "two", "three", "four"}}, f.texts())
		assert.Len(t, f.of(bridge.TypeGap), 1)
		assert.Len(t, f.of(bridge.TypeBackfilled), 1)
		var sources []crisp.Source
		for _, m := range f.of("message:send") {
			sources = append(sources, m.Source)
		}
		assert.Equal(t, []crisp.Source{crisp.SourceRTM, crisp.SourceBackfill, crisp.SourceBackfill, crisp.SourceRTM}, sources)
	})
}

func TestAnEndGivesTheLeaseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		first := f.start(f.config(config.TransportRTM))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		second := f.start(f.config(config.TransportRTM))
		synctest.Wait()
		first.stop()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		assert.Equal(t, "leader", readyOf(t, second).RTM.Role)
	})
}

// ready is the answer to /readyz.
type ready struct {
	code    int
	Status  string
	Reasons []string
	Engine  struct{ Reachable bool }
	RTM     *struct {
		Role      string
		Connected bool
	}
}

func readyOf(t *testing.T, p *process) (r ready) {
	t.Helper()
	code, body := get(p.Daemon, "/readyz")
	require.NoError(t, json.Unmarshal([]byte(body), &r))
	r.code = code
	return r
}

func TestReadyzTellsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		p := f.start(f.config(config.TransportRTM, config.TransportHooks))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		synctest.Wait()
		r := readyOf(t, p)
		assert.Equal(t, http.StatusOK, r.code)
		assert.Equal(t, "ok", r.Status)
		assert.Empty(t, r.Reasons)
		assert.True(t, r.Engine.Reachable)
		assert.True(t, r.RTM.Connected)

		p.engine.away.Store(true)
		f.log.Fail(errors.New("away"))
		time.Sleep(2 * time.Second)
		r = readyOf(t, p)
		assert.Equal(t, http.StatusServiceUnavailable, r.code)
		assert.False(t, r.Engine.Reachable)
		assert.Equal(t, []string{"the engine does not answer: nobody answers"}, r.Reasons)
		assert.Equal(t, "leader", r.RTM.Role, "its lease is not over yet")
		code, _ := get(p.Daemon, "/healthz")
		assert.Equal(t, http.StatusOK, code, "a restart would not mend the engine")

		time.Sleep(30 * time.Second)
		r = readyOf(t, p)
		assert.Equal(t, "unknown", r.RTM.Role)
		assert.Len(t, r.Reasons, 2)

		p.engine.away.Store(false)
		f.log.Fail(nil)
		time.Sleep(15 * time.Second)
		r = readyOf(t, p)
		assert.Equal(t, http.StatusOK, r.code, r.Reasons)
		assert.Equal(t, "leader", r.RTM.Role)

		p.ending.Store(true)
		r = readyOf(t, p)
		assert.Equal(t, http.StatusServiceUnavailable, r.code)
		assert.Equal(t, []string{"the program is about to end"}, r.Reasons)
	})
}

func TestAProcessWithoutALeaseSaysThatItDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.log.Fail(errors.New("away"))
		p := f.start(f.config(config.TransportRTM))
		synctest.Wait()
		r := readyOf(t, p)
		assert.Equal(t, http.StatusServiceUnavailable, r.code)
		assert.Equal(t, "unknown", r.RTM.Role)
		require.Len(t, r.Reasons, 1)
		assert.Contains(t, r.Reasons[0], "whether this process leads is not known")
	})
}

func TestBothTransportsStoreAMessageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		leader := f.start(f.config(config.TransportRTM, config.TransportHooks))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		replica := f.start(f.config(config.TransportHooks))
		for _, p := range []*process{leader, replica} {
			f.srv.AddPluginHook(f.srv.Serve(p.handler())+"/hooks", "message:send")
		}
		visitors := []*crisptest.Visitor{f.srv.Visitor(), f.srv.Visitor()}
		want := map[string][]string{}
		for _, text := range []string{"a", "b", "c"} {
			for _, v := range visitors {
				v.Say(text)
				want[v.SessionID] = append(want[v.SessionID], text)
			}
			time.Sleep(time.Second)
		}
		assert.Equal(t, want, f.texts())
		_, body := get(leader.Daemon, "/metrics")
		assert.Contains(t, body, `crisp_bridge_hook_answers_total{status="200"} 6`)
	})
}

func TestWebHooksAreRefusedWhileTheEngineIsAwayAndThenArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, crisptest.WithHookRetries(5, 10*time.Second))
		p := f.start(f.config(config.TransportHooks))
		f.srv.AddPluginHook(f.srv.Serve(p.handler())+"/hooks", "message:send")
		f.log.Fail(errors.New("away"))
		visitor := f.srv.Visitor()
		visitor.Say("hello")
		refused, err := f.srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return !d.Delivered() })
		require.NoError(t, err)
		assert.Equal(t, http.StatusInternalServerError, refused.Status)
		assert.Empty(t, f.texts())

		f.log.Fail(nil)
		_, err = f.srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return d.Delivered() })
		require.NoError(t, err)
		assert.Equal(t, map[string][]string{visitor.SessionID: {"hello"}}, f.texts())
		_, body := get(p.Daemon, "/metrics")
		assert.Contains(t, body, `crisp_bridge_published_messages_total{outcome="failed",source="webhook"}`)
		assert.Contains(t, body, `crisp_bridge_published_messages_total{outcome="stored",source="webhook"} 1`)
	})
}

// TestAnEndWhileBusyLosesNothing stops a leader again and again while visitors talk.
func TestAnEndWhileBusyLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		visitors := []*crisptest.Visitor{f.srv.Visitor(), f.srv.Visitor(), f.srv.Visitor()}
		want := map[string][]string{}
		talk := func(round, n int) {
			for i := range n {
				for _, v := range visitors {
					text := string(rune('a'+round)) + string(rune('a'+i))
					v.Say(text)
					want[v.SessionID] = append(want[v.SessionID], text)
				}
			}
		}
		p := f.start(f.config(config.TransportRTM))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		for round := range 5 {
			talk(round, 20)
			p.stop()
			talk(round+10, 2) // while nobody is there
			p = f.start(f.config(config.TransportRTM))
			require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, want, f.texts())
		assert.Empty(t, f.of(bridge.TypeDropped))
	})
}

func TestRefusedCredentialsEndTheBridgeUnlessThereAreWebHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		c := f.config(config.TransportRTM)
		c.Secrets.Key = "wrong"
		d, err := New(c, &memory{Process: f.log.Join()}, slog.New(slog.DiscardHandler), strings.Clone)
		require.NoError(t, err)
		d.clientOptions = []crisp.Option{crisp.WithHTTPClient(f.srv.HTTPClient())}
		require.ErrorIs(t, d.receive(t.Context()), crisp.ErrUnauthorized)

		c.Transports = append(c.Transports, config.TransportHooks)
		p := f.start(c)
		for range 20 {
			time.Sleep(7 * time.Second)
			r := readyOf(t, p)
			assert.Equal(t, http.StatusOK, r.code, "web hooks are taken")
			assert.NotEqual(t, "unknown", r.RTM.Role)
		}
	})
}

func TestMetricsHaveNothingOfPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		p := f.start(f.config(config.TransportRTM, config.TransportHooks))
		p.engine.letters = 3
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		visitor := f.srv.Visitor()
		visitor.Say("hello")
		f.srv.Emit(&crisp.UnknownEvent{})
		synctest.Wait()
		n, err := p.countLetters(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		_, body := get(p.Daemon, "/metrics")
		assert.Contains(t, body, `crisp_bridge_published_messages_total{outcome="stored",source="rtm"}`)
		assert.Contains(t, body, "crisp_bridge_rtm_connected 1")
		assert.Contains(t, body, "crisp_bridge_rtm_leader 1")
		assert.NotContains(t, body, visitor.SessionID)
		assert.NotContains(t, body, visitor.WebsiteID)
		assert.NotContains(t, body, "hello")
		f.srv.TakeDown()
		time.Sleep(time.Second)
		_, body = get(p.Daemon, "/metrics")
		assert.Contains(t, body, "crisp_bridge_rtm_connected 0")
		f.srv.BringUp()
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		synctest.Wait()
		_, body = get(p.Daemon, "/metrics")
		assert.Contains(t, body, "crisp_bridge_rtm_connected 1")
		p.stop()
		_, body = get(p.Daemon, "/metrics")
		assert.Contains(t, body, "crisp_bridge_rtm_connected 0")
		assert.Contains(t, body, "crisp_bridge_rtm_leader 0")
	})
}

// TestMovingFromOneProcessToTheBridge does what docs/scaling.md says: what is said
// meanwhile is handled once, by the old program or by the workers.
func TestMovingFromOneProcessToTheBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		claims := crisp.NewMemoryClaims(0) // stands for a store that processes share
		visitors := []*crisptest.Visitor{f.srv.Visitor(), f.srv.Visitor()}
		want := map[string][]string{}
		talk := func(texts ...string) {
			for _, text := range texts {
				for _, v := range visitors {
					v.Say(text)
					want[v.SessionID] = append(want[v.SessionID], text)
				}
				time.Sleep(time.Second)
			}
		}
		handled := map[string][]string{}
		var mu sync.Mutex // guards handled
		newRouter := func() *crisp.Router {
			router := crisp.NewRouter()
			router.Use(crisp.Once(claims))
			crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
				mu.Lock()
				defer mu.Unlock()
				handled[ev.SessionID] = append(handled[ev.SessionID], ev.Text())
				return nil
			})
			return router
		}

		old, err := f.srv.Client().NewRTM(newRouter(), crisp.WithDrainTimeout(time.Second))
		require.NoError(t, err)
		running, stop := context.WithCancel(t.Context())
		ended := make(chan struct{}, 2)
		go func() { _ = old.Run(running); ended <- struct{}{} }()
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		talk("a", "b")
		f.start(f.config(config.TransportRTM))
		synctest.Wait()
		talk("c", "d")
		working, stopWorking := context.WithCancel(t.Context())
		go func() {
			_ = bridge.Consume(working, f.log.Consumer("bots"), newRouter())
			ended <- struct{}{}
		}()
		talk("e", "f")
		stop()
		<-ended
		talk("g", "h")
		time.Sleep(10 * time.Second)
		stopWorking()
		<-ended
		assert.Equal(t, want, handled)
	})
}

func TestAMessageThatIsTooLargeLeavesAStub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.log = bridgetest.NewLog(bridgetest.WithMaxPayload(1000))
		p := f.start(f.config(config.TransportRTM))
		require.NoError(t, f.srv.WaitAuthenticated(t.Context()))
		f.srv.Visitor().Say(strings.Repeat("hello ", 1000))
		synctest.Wait()
		messages := f.of("message:send")
		require.Len(t, messages, 1)
		assert.NotEmpty(t, messages[0].Stub)
		_, body := get(p.Daemon, "/metrics")
		assert.Contains(t, body, "crisp_bridge_stubs_total 1")
		assert.Contains(t, body, `crisp_bridge_published_messages_total{outcome="too_large",source="rtm"} 1`)
	})
}
