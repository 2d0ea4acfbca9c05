package crispotel

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
)

var (
	requestDuration = instrument{
		httpconv.ClientRequestDuration{}.Name(), httpconv.ClientRequestDuration{}.Unit(),
		"How long a REST call took to be answered, each time that it was sent.",
	}
	sentMessages = instrument{
		messagingconv.ClientSentMessages{}.Name(), messagingconv.ClientSentMessages{}.Unit(),
		"Messages that were sent to conversations (send), or stored by the bridge (publish), or failed to be.",
	}
	restThrottled = instrument{"crisp.rest.throttled", "{request}", "REST calls that were refused for the rate (420, 429) or a quota (423)."}
	restRemaining = instrument{"crisp.rest.quota.remaining", "{request}", "How many REST calls are left in the period, as Crisp said last."}
)

var requestBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30}

// messageRoute is the route by which messages are sent into conversations.
const messageRoute = "website/{website_id}/conversation/{session_id}/message"

// statusEnhanceYourCalm is the other status that Crisp limits rates with.
const statusEnhanceYourCalm = 420

// Transport observes the REST calls of a client, which [crisp.WithHTTPClient] gives it: a span
// each time that a call is sent, named by its method and the template of its route, and the metrics
// http.client.request.duration, messaging.client.sent.messages and crisp.rest.throttled. A route that package rest doesn't know has no template.
//
// The span ends when the answer's headers have come. It has http.request.resend_count if the call was sent before, and
// an event "crisp.rest.waited" if it had to wait for the client's pace. Of the URL, it has the template and the
// host only. The request that becomes the RTM client's WebSocket passes by unobserved.
//
// A nil base is a copy of [http.DefaultTransport] that notices connections that died in silence. Whoever gives
// another one should see to that: see [crisp.WithHTTPClient].
func Transport(base http.RoundTripper, opts ...Option) http.RoundTripper {
	if base == nil {
		base = newBase()
	}
	t := newTelemetry(opts)
	observed := &transport{
		telemetry: t,
		base:      base,
		routes:    newRoutes(),
		duration:  t.histogram(requestDuration, requestBounds...),
		sent:      t.counter(sentMessages),
		throttled: t.counter(restThrottled),
	}
	for _, status := range []int{statusEnhanceYourCalm, http.StatusLocked, http.StatusTooManyRequests} {
		observed.throttled.Add(context.Background(), 0, metric.WithAttributes(semconv.HTTPResponseStatusCode(status)))
	}
	return observed
}

func newBase() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := shared.Clone()
	own.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second}
	return own
}

type transport struct {
	*telemetry
	base      http.RoundTripper
	routes    *routes
	duration  metric.Float64Histogram
	sent      metric.Int64Counter
	throttled metric.Int64Counter
}

// CloseIdleConnections is for [crisp.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// RoundTrip sends a request.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	traced := !t.idle()
	if strings.EqualFold(req.Header.Get("Upgrade"), "websocket") || !traced && !t.measures(req.Context()) {
		return t.base.RoundTrip(req)
	}
	e := t.begin(req, traced)
	defer e.end()
	e.answer, e.err = t.base.RoundTrip(e.request)
	e.returned = true
	return e.answer, e.err
}

// measures reports whether there is a metric that is of use to somebody: views may drop some of them.
func (t *transport) measures(ctx context.Context) bool {
	return t.duration.Enabled(ctx) || t.sent.Enabled(ctx) || t.throttled.Enabled(ctx)
}

// exchange is a request that is being answered.
type exchange struct {
	*transport
	ctx      context.Context
	request  *http.Request
	method   string
	template string
	span     trace.Span // nil if there is none
	began    time.Time
	answer   *http.Response
	err      error
	returned bool
}

func (t *transport) begin(req *http.Request, traced bool) *exchange {
	e := &exchange{transport: t, ctx: req.Context(), request: req, method: methodOf(req), began: time.Now()}
	var sessionID string
	e.template, sessionID = t.routes.find(req.Method, req.URL.EscapedPath())
	if !traced {
		return e
	}
	e.ctx, e.span = t.tracer.Start(e.ctx, strings.TrimSpace(spanMethod(e.method)+" "+e.template),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(e.attributes()...))
	if e.span.IsRecording() {
		e.describe(sessionID)
	}
	e.request = req.WithContext(e.ctx)
	if t.headers {
		e.request.Header = req.Header.Clone()
		if e.request.Header == nil {
			e.request.Header = make(http.Header)
		}
		t.propagator.Inject(e.ctx, propagation.HeaderCarrier(e.request.Header))
	}
	return e
}

// attributes are those of the span and of measurements.
func (e *exchange) attributes() []attribute.KeyValue {
	all := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(e.method), semconv.ServerAddress(e.request.URL.Hostname()), semconv.ServerPort(portOf(e.request.URL))}
	if e.template != "" {
		all = append(all, semconv.URLTemplate(e.template))
	}
	return all
}

func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// describe notes what only this sending has.
func (e *exchange) describe(sessionID string) {
	if sessionID != "" {
		e.span.SetAttributes(semconv.MessagingMessageConversationID(strings.Clone(sessionID)))
	}
	sending, _ := crisp.SendingOf(e.ctx)
	if sending.Number > 1 {
		e.span.SetAttributes(semconv.HTTPRequestResendCount(sending.Number - 1))
	}
	if sending.Waited >= time.Millisecond { // else it was its turn
		e.span.AddEvent("crisp.rest.waited", trace.WithTimestamp(e.began), trace.WithAttributes(keyWaited.Float64(sending.Waited.Seconds())))
	}
}

// end notes what became of a request.
func (e *exchange) end() {
	result, errorType := e.result()
	if e.span != nil {
		e.span.SetAttributes(result...)
		if len(result) > 0 {
			failAnswered(e.span, errorType)
		} else {
			fail(e.span, errorType, nil)
		}
		e.span.End()
	}
	all := append(e.attributes(), result...)
	if errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(errorType))
	}
	e.duration.Record(e.ctx, time.Since(e.began).Seconds(), metric.WithAttributes(all...))
	e.count(errorType)
}

// result is what the answer adds to the attributes, and the error that it stands for.
func (e *exchange) result() (all []attribute.KeyValue, errorType string) {
	switch {
	case !e.returned:
		return nil, typePanicked
	case e.err != nil:
		return nil, e.errors.of(e.err)
	case e.answer == nil: // which http.Client makes an error of
		return nil, other
	}
	status := e.answer.StatusCode
	if status < 100 || status > 599 {
		return nil, other
	}
	if status >= 400 {
		errorType = strconv.Itoa(status)
	}
	return []attribute.KeyValue{semconv.HTTPResponseStatusCode(status)}, errorType
}

func (e *exchange) count(errorType string) {
	if e.method == http.MethodPost && e.template == messageRoute {
		all := []attribute.KeyValue{system, semconv.MessagingOperationName("send")}
		if errorType != "" {
			all = append(all, semconv.ErrorTypeKey.String(errorType))
		}
		e.sent.Add(e.ctx, 1, metric.WithAttributes(all...))
	}
	if e.answer == nil {
		return
	}
	switch status := e.answer.StatusCode; status {
	case statusEnhanceYourCalm, http.StatusLocked, http.StatusTooManyRequests:
		e.throttled.Add(e.ctx, 1, metric.WithAttributes(semconv.HTTPResponseStatusCode(status)))
	}
}

// ObserveREST measures, whenever metrics are read, what Crisp said last is left of a client's quota
// ([crisp.Client.RateLimit]), as crisp.rest.quota.remaining, until Unregister of what it returns is
// called. As long as Crisp says nothing, and when the period is over that it
// spoke of, there is no such metric. It panics if c is nil.
func ObserveREST(c *crisp.Client, opts ...Option) (metric.Registration, error) {
	if c == nil {
		panic("crispotel: ObserveREST(nil): needs a client")
	}
	t := newTelemetry(opts)
	o := t.observables()
	remaining, with := o.gauge(restRemaining), metric.WithAttributes(t.client()...)
	return o.register(func(_ context.Context, to metric.Observer) error {
		if limit := c.RateLimit(); limit.Limit > 0 && (limit.Reset.IsZero() || time.Now().Before(limit.Reset)) {
			to.ObserveInt64(remaining, int64(limit.Remaining), with)
		}
		return nil
	})
}
