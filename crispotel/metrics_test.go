package crispotel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

// golden are all metrics: name, kind, unit, description, and the attributes that they may have.
const golden = `
crisp.backfill.gaps | counter | {gap} | Gaps that were backfilled. | crisp.backfill.complete messaging.client.id
crisp.backfill.messages | counter | {message} | Missed messages that were fetched. | crisp.backfill.complete messaging.client.id
crisp.backfill.requests | counter | {request} | REST calls that backfills have sent. | crisp.backfill.complete messaging.client.id
crisp.bridge.in_hand | gauge | {message} | Messages of the log that are in memory. | messaging.client.id
crisp.bridge.messages | counter | {message} | What became of messages behind the bridge. | crisp.bridge.outcome messaging.client.id
crisp.bridge.partitions | gauge | {partition} | Partitions of the log that are this member's. | messaging.client.id
crisp.bridge.running | gauge | {message} | Messages of the log whose handlers run. | messaging.client.id
crisp.rest.quota.remaining | gauge | {request} | How many REST calls are left in the period, as Crisp said last. | messaging.client.id
crisp.rest.throttled | counter | {request} | REST calls that were refused for the rate (420, 429) or a quota (423). | http.response.status_code
crisp.rtm.connected | gauge |  | 1 while the RTM client is connected, so that events flow, else 0. | messaging.client.id
crisp.rtm.dropped | counter | {message} | Events that were received but not handled. | messaging.client.id
crisp.rtm.gap.duration | histogram 1 5 15 30 60 300 900 3600 14400 43200 86400 | s | Spans in which events may have been missed. | crisp.gap.reason messaging.client.id
crisp.rtm.queue.bytes | gauge | By | What the events that are not handled count towards the queue's bound. | messaging.client.id
crisp.rtm.queue.oldest | gauge | s | For how long the oldest event that is not handled has waited; 0 if none does. | messaging.client.id
crisp.rtm.reconnects | counter | {connection} | Connections of the RTM client after its first. | messaging.client.id
crisp.rtm.silence | gauge | s | For how long no event has come. | messaging.client.id
crisp.webhook.deliveries | counter | {delivery} | Requests of web hooks that were answered, by the answer's status. | error.type http.response.status_code
http.client.request.duration | histogram 0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 30 | s | How long a REST call took to be answered, each time that it was sent. | error.type http.request.method http.response.status_code server.address server.port url.template
messaging.client.consumed.messages | counter | {message} | Events that were handled, or failed. | crisp.behind_bridge crisp.source crisp.website.id error.type messaging.destination.name messaging.operation.name messaging.system
messaging.client.operation.duration | histogram 0.001 0.0025 0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 | s | How long the bridge took to store an event, each time that it tried. | crisp.website.id error.type messaging.destination.name messaging.operation.name messaging.system
messaging.client.sent.messages | counter | {message} | Messages that were sent to conversations (send), or stored by the bridge (publish), or failed to be. | crisp.website.id error.type messaging.destination.name messaging.operation.name messaging.system
messaging.process.duration | histogram 0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 30 60 120 | s | How long the handlers of an event took. | crisp.behind_bridge crisp.source crisp.website.id error.type messaging.destination.name messaging.operation.name messaging.system
`

// TestAllMetrics has everything happen that is measured, with all options, well and badly.
func TestAllMetrics(t *testing.T) {
	r := record(t, crispotel.WithWebsiteAttribute(), crispotel.WithClientID("main"))
	happen(t, r)
	var lines []string
	for _, m := range r.metrics() {
		keys := make(map[string]bool)
		for _, p := range pointsOf(m) {
			for key := range p.attributes {
				keys[key] = true
			}
		}
		lines = append(lines, fmt.Sprintf("%s | %s | %s | %s | %s", m.Name, kindOf(m), m.Unit, m.Description,
			strings.Join(slices.Sorted(maps.Keys(keys)), " ")))
	}
	slices.Sort(lines)
	assert.Equal(t, strings.TrimSpace(golden), strings.Join(lines, "\n"))
}

func kindOf(m metricdata.Metrics) string {
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		if data.IsMonotonic {
			return "counter"
		}
	case metricdata.Gauge[int64], metricdata.Gauge[float64]:
		return "gauge"
	case metricdata.Histogram[float64]:
		return "histogram " + strings.Trim(fmt.Sprint(data.DataPoints[0].Bounds), "[]")
	}
	return fmt.Sprintf("%T", m.Data)
}

// TestThePackageCommentHasAllMetrics compares the table in doc.go.
func TestThePackageCommentHasAllMetrics(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(golden), "\n") {
		column := strings.Split(line, " | ")
		kind, _, _ := strings.Cut(column[1], " ")
		if column[2] != "" {
			kind += ", " + column[2]
		}
		assert.Regexp(t, `(?m)^//\t`+strings.ReplaceAll(column[0], ".", `\.`)+` +`+strings.NewReplacer("{", `\{`, "}", `\}`).Replace(kind), string(text))
	}
	assert.Equal(t, strings.Count(golden, " | ")/4, strings.Count(string(text), "//\tcrisp.")+strings.Count(string(text), "//\tmessaging.")+
		strings.Count(string(text), "//\thttp.client"))
}

// happen has everything happen that is measured.
func happen(t *testing.T, r *recording) {
	t.Helper()
	srv := crisptest.NewServer(t)
	client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: limited{crispotel.Transport(srv.HTTPClient().Transport, r.opts...)}}))
	t.Cleanup(client.CloseIdleConnections)
	quota, err := crispotel.ObserveREST(client, r.opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, quota.Unregister()) })

	// Events, well and badly.
	router := r.router()
	handled := make(chan struct{}, 1)
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	crisp.On(router, func(context.Context, *crisp.MessageReceived) error { return errors.New("no") })
	require.NoError(t, router.Dispatch(t.Context(), message()))
	require.Error(t, router.Dispatch(t.Context(), crisptest.Sample("message:received")))

	// RTM.
	live := crisp.NewRouter() // to which what is sent here does not come back
	live.Use(func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error {
			defer func() { handled <- struct{}{} }()
			return next(ctx, ev)
		}
	}, crispotel.Middleware(r.opts...))
	crisp.On(live, func(context.Context, *crisp.MessageSend) error { return nil })
	rtm, err := client.NewRTM(live, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{}, r.opts...)))
	require.NoError(t, err)
	observed, err := crispotel.Observe(rtm, r.opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, observed.Unregister()) })
	srv.Run(t, rtm)
	srv.Visitor().Say("hello")
	<-handled
	hooks := crispotel.Hooks(crisp.Hooks{}, r.opts...)
	hooks.Gap(crisp.Gap{From: time.Unix(0, 0), To: time.Unix(40, 0), Reason: crisp.GapDisconnected})
	hooks.Backfilled(crisp.Backfilled{Complete: true, Messages: 3, Requests: 2})

	// REST, with refusals.
	ref := crisp.SessionRef{WebsiteID: crisptest.WebsiteID, SessionID: srv.Visitor().SessionID}
	srv.FailREST(http.StatusTooManyRequests, 1)
	_, err = client.SendMessage(t.Context(), ref, crisp.Message{Content: crisp.TextContent("well")})
	require.NoError(t, err)

	// Web hooks.
	hook := crispotel.Webhook(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }), r.opts...)
	hook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks?key=secret", nil))

	// The bridge.
	counters := new(bridge.Counters)
	counters.Buried.Add(1)
	bridged, err := crispotel.ObserveBridge(counters, r.opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bridged.Unregister()) })
	publisher := crispotel.Publisher(publisherFunc(func(context.Context, bridge.Message) error { return errors.New("the engine is away") }), r.opts...)
	require.Error(t, publisher.Publish(t.Context(), bridge.NewMessage(message())))
	log := bridgetest.NewLog()
	require.NoError(t, log.Publisher().Publish(t.Context(), bridge.NewMessage(message())))
	behind := r.router()
	ctx, stop := context.WithCancel(t.Context())
	crisp.On(behind, func(context.Context, *crisp.MessageSend) error { stop(); return nil })
	require.NoError(t, bridge.Consume(ctx, log.Consumer("bot"), behind))
}

// limited has answers tell of a quota.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(req)
	if err == nil {
		answer.Header.Set("X-Ratelimit-Limit", "100")
		answer.Header.Set("X-Ratelimit-Remaining", "99")
	}
	return answer, err
}

// publisherFunc is a function as a bridge.Publisher.
type publisherFunc func(context.Context, bridge.Message) error

func (f publisherFunc) Publish(ctx context.Context, m bridge.Message) error { return f(ctx, m) }

// TestValues looks at the values of what happened.
func TestValues(t *testing.T) {
	r := record(t, crispotel.WithClientID("main"))
	happen(t, r)
	for _, tt := range []struct {
		name string
		with map[string]string
		want float64
	}{
		{"messaging.client.consumed.messages", map[string]string{"messaging.destination.name": "message:send", "error.type": "", "crisp.behind_bridge": ""}, 2},
		{"messaging.client.consumed.messages", map[string]string{"messaging.destination.name": "message:send", "crisp.behind_bridge": "true"}, 1},
		{"messaging.client.consumed.messages", map[string]string{"messaging.destination.name": "message:received", "error.type": "*errors.errorString"}, 1},
		{"messaging.client.consumed.messages", map[string]string{"crisp.source": "rtm"}, 1},
		{"messaging.process.duration", map[string]string{"error.type": ""}, 3},
		{"messaging.client.sent.messages", map[string]string{"messaging.operation.name": "send"}, 2},
		{"messaging.client.sent.messages", map[string]string{"messaging.operation.name": "send", "error.type": "429"}, 1},
		{"messaging.client.sent.messages", map[string]string{"messaging.operation.name": "publish", "error.type": "*errors.errorString"}, 1},
		{"messaging.client.operation.duration", nil, 1},
		{"http.client.request.duration", map[string]string{"url.template": "website/{website_id}/conversation/{session_id}/message"}, 2},
		{"crisp.rest.throttled", map[string]string{"http.response.status_code": "429"}, 1},
		{"crisp.rest.quota.remaining", map[string]string{"messaging.client.id": "main"}, 99},
		{"crisp.rtm.connected", map[string]string{"messaging.client.id": "main"}, 1},
		{"crisp.rtm.reconnects", nil, 0},
		{"crisp.rtm.gap.duration", map[string]string{"crisp.gap.reason": "disconnected"}, 1},
		{"crisp.backfill.gaps", map[string]string{"crisp.backfill.complete": "true"}, 1},
		{"crisp.backfill.messages", nil, 3},
		{"crisp.backfill.requests", nil, 2},
		{"crisp.webhook.deliveries", map[string]string{"http.response.status_code": "500", "error.type": "500"}, 1},
		{"crisp.bridge.messages", map[string]string{"crisp.bridge.outcome": "buried"}, 1},
		{"crisp.bridge.messages", nil, 1},
	} {
		assert.InDelta(t, tt.want, r.total(tt.name, tt.with), 0, "%s %v", tt.name, tt.with)
	}
	assert.InDelta(t, 40, r.points("crisp.rtm.gap.duration")[0].sum, 0)
}

// TestCountersBeginAtZero has nothing happen yet.
func TestCountersBeginAtZero(t *testing.T) {
	r := record(t)
	crispotel.Hooks(crisp.Hooks{}, r.opts...)
	crispotel.Transport(nil, r.opts...)
	crispotel.Webhook(http.NotFoundHandler(), r.opts...)
	all := r.metrics()
	for name, series := range map[string]int{
		"crisp.backfill.gaps": 2, "crisp.backfill.messages": 2, "crisp.backfill.requests": 2, "crisp.rest.throttled": 3, "crisp.webhook.deliveries": 3,
	} {
		points := pointsOf(all[name])
		assert.Len(t, points, series, name)
		for _, p := range points {
			assert.Zero(t, p.value)
		}
	}
}

// TestAnInstrumentThatIsDroppedTakesNoOtherWithIt has a view drop the histograms, which cost most.
func TestAnInstrumentThatIsDroppedTakesNoOtherWithIt(t *testing.T) {
	r := record(t)
	r.reader = metric.NewManualReader() // no provider has this one yet
	meter := metric.NewMeterProvider(metric.WithReader(r.reader), metric.WithView(
		metric.NewView(metric.Instrument{Kind: metric.InstrumentKindHistogram}, metric.Stream{Aggregation: metric.AggregationDrop{}})))
	defer func() { assert.NoError(t, meter.Shutdown(context.WithoutCancel(t.Context()))) }()
	opts := []crispotel.Option{crispotel.WithTracerProvider(tracenoop.NewTracerProvider()), crispotel.WithMeterProvider(meter)}
	transport := crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody}, nil
	}), opts...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/v1/"+messagePath, nil)
	require.NoError(t, err)
	answer, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	publisher := crispotel.Publisher(publisherFunc(func(context.Context, bridge.Message) error { return nil }), opts...)
	require.NoError(t, publisher.Publish(t.Context(), bridge.NewMessage(message())))
	require.NoError(t, crispotel.Middleware(opts...)(nop)(t.Context(), message()))
	assert.InDelta(t, 1, r.total("crisp.rest.throttled", nil), 0)
	assert.InDelta(t, 1, r.total("messaging.client.sent.messages", map[string]string{"messaging.operation.name": "send"}), 0)
	assert.InDelta(t, 1, r.total("messaging.client.sent.messages", map[string]string{"messaging.operation.name": "publish"}), 0)
	assert.InDelta(t, 1, r.total("messaging.client.consumed.messages", nil), 0)
}

const messagePath = "website/w/conversation/s/message"

// TestContextsThatHaveEnded are measured like others.
func TestContextsThatHaveEnded(t *testing.T) {
	r := record(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	handle := crispotel.Middleware(r.opts...)(func(ctx context.Context, _ crisp.Event) error { return context.Cause(ctx) })
	require.Error(t, handle(ctx, message()))
	transport := crispotel.Transport(nil, r.opts...)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:9/v1/website/w", nil)
	require.NoError(t, err)
	_, err = transport.RoundTrip(req) //nolint:bodyclose // there is no answer
	require.Error(t, err)
	for _, name := range []string{"messaging.client.consumed.messages", "messaging.process.duration", "http.client.request.duration"} {
		assert.InDelta(t, 1, r.total(name, map[string]string{"error.type": "canceled"}), 0, name)
	}
}
