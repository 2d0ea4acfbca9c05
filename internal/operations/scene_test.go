//go:build !race

package operations

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

// scene is a program with all that is observed, at a Crisp in memory, in virtual time: an RTM client and web hooks whose
// events are handled at once, and a bridge of its own.
type scene struct {
	t       *testing.T
	srv     *crisptest.Server
	client  *crisp.Client
	rtm     *crisp.RTM
	ended   chan struct{} // closed when Run has ended
	visitor *crisptest.Visitor
	hooks   http.Handler
	log     *bridgetest.Log
	intake  *crisp.Router
	consume func() // again, after it was stopped
	stop    func() // ends Consume
	metrics http.Handler
	history *history
	number  int // of the last event

	handle atomic.Pointer[crisp.Handler] // what all handlers do before they answer
	quota  atomic.Int64                  // what Crisp says is left; 0 = nothing
	quiet  bool                          // nobody writes
}

// set is what differs from scene to scene.
type set struct {
	server []crisptest.Option
	rtm    []crisp.RTMOption
}

// play has a program run for a while, and then what is given, in virtual time. It returns what Prometheus got of
// it, and when the fault began.
func play(t *testing.T, s set, fault func(s *scene)) (h *history, began time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, s)
		s.pass(20 * time.Minute)
		began = time.Now()
		fault(s)
		h = s.history
	})
	return h, began
}

var discard = slog.New(slog.DiscardHandler)

func newScene(t *testing.T, set set) *scene {
	t.Helper()
	s := &scene{
		t: t, srv: crisptest.NewServer(t, append(set.server, crisptest.InMemory())...), ended: make(chan struct{}), log: bridgetest.NewLog(),
		history: new(history),
	}
	s.does(func(context.Context, crisp.Event) error { return nil })
	options := s.export()
	transport := crispotel.Transport(telling{s.srv.HTTPClient().Transport, &s.quota}, options...)
	s.client = s.srv.Client(crisp.WithHTTPClient(&http.Client{Transport: transport}), crisp.WithLogger(discard))
	s.observeRTM(set, options)
	s.observeBridge(options)
	_, err := crispotel.ObserveREST(s.client, options...)
	require.NoError(t, err)
	return s
}

// export makes the SDK.
func (s *scene) export() []crispotel.Option {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	require.NoError(s.t, err)
	s.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return []crispotel.Option{crispotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))}
}

func (s *scene) observeRTM(set set, options []crispotel.Option) {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.Use(crispotel.Middleware(options...), crisp.IgnoreOperators())
	crisp.On(router, s.answer)
	rtm, err := s.client.NewRTM(router, append(set.rtm, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{}, options...)), crisp.WithConcurrency(8))...)
	require.NoError(s.t, err)
	s.rtm = rtm
	_, err = crispotel.Observe(rtm, options...)
	require.NoError(s.t, err)
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"), crisp.WithHookLogger(discard))
	require.NoError(s.t, err)
	s.hooks = crispotel.Webhook(hooks, options...)
	go func() {
		defer close(s.ended)
		_ = rtm.Run(context.Background()) // until Close, or until Crisp refuses the token
	}()
	s.t.Cleanup(func() {
		assert.NoError(s.t, rtm.Close())
		<-s.ended
	})
	require.NoError(s.t, rtm.Ready(s.t.Context()))
	s.visitor = s.srv.Visitor()
}

func (s *scene) observeBridge(options []crispotel.Option) {
	s.intake = crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	s.intake.Use(crispotel.Middleware(options...))
	bridge.Publish(s.intake, crispotel.Publisher(s.log.Publisher(), options...), bridge.WithErrorHandler(func(context.Context, error) {}))
	out := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	out.Use(crispotel.Middleware(options...))
	out.OnAny(func(ctx context.Context, ev crisp.Event) error { return (*s.handle.Load())(ctx, ev) })
	counters := new(bridge.Counters)
	_, err := crispotel.ObserveBridge(counters, options...)
	require.NoError(s.t, err)
	s.consume = func() {
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- bridge.Consume(ctx, s.log.Consumer("bot"), out, bridge.WithCounters(counters), bridge.WithAttempts(2),
				bridge.WithErrorHandler(func(context.Context, error) {}))
		}()
		s.stop = func() {
			stop()
			assert.NoError(s.t, <-ended)
		}
	}
	s.consume()
	s.t.Cleanup(func() { s.stop() })
}

// telling adds the headers of a quota to answers. crisptest doesn't send them, since Crisp was never seen to.
type telling struct {
	http.RoundTripper
	left *atomic.Int64
}

func (t telling) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(req)
	if left := t.left.Load(); err == nil && left > 0 {
		answer.Header.Set("X-Ratelimit-Limit", "10000")
		answer.Header.Set("X-Ratelimit-Remaining", strconv.FormatInt(left, 10))
	}
	return answer, err
}

// does replaces what handlers do.
func (s *scene) does(handle crisp.Handler) { s.handle.Store(&handle) }

// answer is the handler of what comes over the RTM API and by web hook.
func (s *scene) answer(ctx context.Context, ev *crisp.MessageSend) error {
	if err := (*s.handle.Load())(ctx, ev); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.client.Reply(ctx, ev, crisp.TextContent("Thank you"))
	return err
}

// pass lets time pass, with a message over each transport before each scrape.
func (s *scene) pass(d time.Duration) {
	for range d / interval {
		if !s.quiet {
			s.visitor.Say("hello")
			s.hook("secret")
			s.store()
		}
		time.Sleep(interval)
		synctest.Wait()
		s.scrape()
	}
}

// event is another message of the visitor's.
func (s *scene) event() *crisp.MessageSend {
	s.number++
	ev := crisptest.Sample("message:send").(*crisp.MessageSend)
	ev.SessionID, ev.WebsiteID, ev.Fingerprint = s.visitor.SessionID, s.visitor.WebsiteID, int64(s.number)
	return ev
}

// hook delivers a web hook; nobody waits for the answer.
func (s *scene) hook(secret string) {
	req := crisptest.NewHookRequest(secret, s.event())
	go s.hooks.ServeHTTP(httptest.NewRecorder(), req)
}

// store has a message stored in the log; nobody waits for that.
func (s *scene) store() {
	ev, ctx := s.event(), s.t.Context()
	go func() { _ = s.intake.Dispatch(ctx, ev) }()
}

func (s *scene) scrape() {
	select {
	case <-s.ended: // and with it, the program
		s.history.fail(time.Now())
		return
	default:
	}
	w := httptest.NewRecorder()
	s.metrics.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(s.t, http.StatusOK, w.Code)
	s.history.add(s.t, time.Now(), w.Body.Bytes())
}

var errAway = errors.New("it is away")
