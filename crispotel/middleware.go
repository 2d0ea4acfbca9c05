package crispotel

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

var (
	consumedMessages = instrument{
		messagingconv.ClientConsumedMessages{}.Name(), messagingconv.ClientConsumedMessages{}.Unit(),
		"Events that were handled, or failed.",
	}
	processDuration = instrument{
		messagingconv.ProcessDuration{}.Name(), messagingconv.ProcessDuration{}.Unit(),
		"How long the handlers of an event took.",
	}
)

// handlerBounds are the bounds that the conventions have, and more: handlers may ask a model.
var handlerBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120}

// Middleware is for [crisp.Router.Use]: a span for each event while its handlers run, and the
// metrics messaging.client.consumed.messages and messaging.process.duration. Use it before all other
// middleware, so that it sees what that does; behind [crisp.Retry] there is a span for each
// attempt. Where a router's handler passes events on to another router, give it to one of the two: each use of it counts.
//
// The span is the child of the context's, such as that of [Webhook]. Behind the bridge it has a link to the
// one in which the event was stored, or is its child ([WithContinuedTraces]). It ends when the
// handlers have returned, panicked or ended their goroutine. Panics go on after they were noted.
func Middleware(opts ...Option) func(crisp.Handler) crisp.Handler {
	t := newTelemetry(opts)
	m := &middleware{
		telemetry: t,
		consumed:  t.counter(consumedMessages),
		duration:  t.histogram(processDuration, handlerBounds...),
		starts:    newStarts(t.names),
	}
	m.sets = newMeasured(m.measurement)
	return func(next crisp.Handler) crisp.Handler {
		return func(ctx context.Context, ev crisp.Event) error { return m.handle(ctx, ev, next) }
	}
}

type middleware struct {
	*telemetry
	consumed metric.Int64Counter
	duration metric.Float64Histogram
	sets     *measured[eventKey]
	starts   map[string]start // by what names.of returns
}

// start is how the span of an event's name begins.
type start struct {
	name    string
	options []trace.SpanStartOption
}

// newStarts makes what need not be made for each event. Samplers see these attributes.
func newStarts(all names) map[string]start {
	starts := make(map[string]start)
	add := func(name string) {
		starts[name] = start{"process " + name, []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(system, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
				semconv.MessagingDestinationName(name)),
		}}
	}
	for _, name := range all {
		add(name)
	}
	add(other)
	return starts
}

func (m *middleware) handle(ctx context.Context, ev crisp.Event, next crisp.Handler) error {
	traced := !m.idle()
	if !traced && !m.duration.Enabled(ctx) && !m.consumed.Enabled(ctx) {
		return next(ctx, ev)
	}
	p := m.begin(ctx, ev, traced)
	defer p.end()
	p.err = next(p.ctx, ev)
	p.returned = true
	return p.err
}

// processing is an event while its handlers run.
type processing struct {
	*middleware
	ctx      context.Context
	span     trace.Span // nil if there is none
	event    eventKey
	began    time.Time
	err      error
	returned bool
}

func (m *middleware) begin(ctx context.Context, ev crisp.Event, traced bool) *processing {
	meta := ev.EventMeta()
	p := &processing{middleware: m, ctx: ctx, began: time.Now()}
	_, behind := bridge.MessageOf(ctx)
	p.event = eventKey{name: m.names.of(ev.EventName()), source: sourceOf(meta.Source), behind: behind}
	if m.website {
		p.event.website = strings.Clone(websiteOf(meta.WebsiteID)) // it may share the event's memory
	}
	if traced {
		p.start(ev, meta)
	}
	return p
}

func (p *processing) start(ev crisp.Event, meta *crisp.Meta) {
	start := p.starts[p.event.name]
	options := start.options
	ctx, link := p.published(p.ctx)
	if link.SpanContext.IsValid() {
		options = append(slices.Clip(options), trace.WithLinks(link))
	}
	p.ctx, p.span = p.tracer.Start(ctx, start.name, options...)
	if p.span.IsRecording() {
		p.span.SetAttributes(eventAttributes(ev, meta)...)
	}
}

// published returns the context in which the span of an event begins, and what it is linked to: the span
// in which the event was stored, if it was. A handler that passes an event on to another router goes on with its own.
func (m *middleware) published(ctx context.Context) (context.Context, trace.Link) {
	message, ok := bridge.MessageOf(ctx)
	if !ok || len(message.Trace) == 0 {
		return ctx, trace.Link{}
	}
	extracted := m.propagator.Extract(ctx, propagation.MapCarrier(message.Trace))
	remote, current := trace.SpanContextFromContext(extracted), trace.SpanContextFromContext(ctx)
	switch {
	case !remote.IsRemote(), !remote.IsValid():
		return ctx, trace.Link{}
	case !m.continued:
		return ctx, trace.Link{SpanContext: remote}
	case current.TraceID() == remote.TraceID():
		return ctx, trace.Link{}
	}
	return extracted, trace.Link{}
}

// eventAttributes are those of a span that differ from event to event.
func eventAttributes(ev crisp.Event, meta *crisp.Meta) []attribute.KeyValue {
	all := make([]attribute.KeyValue, 0, 6)
	all = append(all, keySource.String(sourceOf(meta.Source)), semconv.MessagingMessageBodySize(len(meta.Raw)))
	if crisp.EventIDStable(ev) {
		all = append(all, semconv.MessagingMessageID(crisp.EventID(ev)))
	}
	if of, ok := ev.(crisp.SessionEvent); ok {
		if id := conversationOf(of.Session().SessionID); id != "" {
			all = append(all, semconv.MessagingMessageConversationID(strings.Clone(id))) // the payload need not stay until the span is exported
		}
	}
	if id := websiteOf(meta.WebsiteID); id != "" {
		all = append(all, keyWebsite.String(strings.Clone(id)))
	}
	if meta.Delivery != nil && meta.Delivery.Attempt > 0 {
		all = append(all, keyAttempt.Int(meta.Delivery.Attempt))
	}
	return all
}

// end notes what became of an event.
func (p *processing) end() {
	thrown, stack := recover(), stackOf(p.err)
	switch {
	case thrown != nil:
		p.event.errorType, stack = typePanic, debug.Stack()
	case !p.returned:
		p.event.errorType = typeGoexit
	default:
		p.event.errorType = p.errors.of(p.err)
	}
	set := p.sets.of(p.event)
	p.consumed.Add(p.ctx, 1, set.add...)
	p.duration.Record(p.ctx, time.Since(p.began).Seconds(), set.record...)
	if p.span != nil {
		fail(p.span, p.event.errorType, stack)
		p.span.End()
	}
	if thrown != nil {
		panic(thrown)
	}
}

// fail notes an error with a span, unless there is none: never what it says, as people may have
// written that.
func fail(span trace.Span, errorType string, stack []byte) {
	if errorType == "" || !span.IsRecording() {
		return
	}
	setError(span, errorType, errorType)
	if errorType == typePanic {
		span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(
			semconv.ExceptionType(typePanic), semconv.ExceptionStacktrace(string(stack))))
	}
}

// failAnswered notes an error with a span that has the status code of the answer, which says why.
func failAnswered(span trace.Span, errorType string) {
	if errorType != "" {
		setError(span, errorType, "")
	}
}

func setError(span trace.Span, errorType, description string) {
	span.SetStatus(codes.Error, description)
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
}

// stackOf is that of a handler that panicked; it has no values but addresses. The error's methods may panic themselves.
func stackOf(err error) (stack []byte) {
	defer func() { _ = recover() }()
	if failed := (*crisp.HandlerError)(nil); errors.As(err, &failed) {
		return failed.Stack
	}
	return nil
}

// eventKey is what the attributes of an event's measurements are made of.
type eventKey struct {
	name, source, website, errorType string
	behind                           bool // the bridge, where the same event was measured when it was stored
}

func (m *middleware) measurement(k eventKey) []attribute.KeyValue {
	all := []attribute.KeyValue{
		system, semconv.MessagingOperationName("process"), semconv.MessagingDestinationName(k.name), keySource.String(k.source),
	}
	if k.behind {
		all = append(all, keyBehind.Bool(true))
	}
	if k.website != "" {
		all = append(all, keyWebsite.String(k.website))
	}
	if k.errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(k.errorType))
	}
	return all
}
