package crispotel

import (
	"context"
	"maps"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp/bridge"
)

var (
	publishDuration = instrument{
		messagingconv.ClientOperationDuration{}.Name(), messagingconv.ClientOperationDuration{}.Unit(),
		"How long the bridge took to store an event, each time that it tried.",
	}
	bridgeMessages   = instrument{"crisp.bridge.messages", "{message}", "What became of messages behind the bridge."}
	bridgeInHand     = instrument{"crisp.bridge.in_hand", "{message}", "Messages of the log that are in memory."}
	bridgeRunning    = instrument{"crisp.bridge.running", "{message}", "Messages of the log whose handlers run."}
	bridgePartitions = instrument{"crisp.bridge.partitions", "{partition}", "Partitions of the log that are this member's."}
)

var publishBounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// Publisher observes a publisher, for [bridge.Publish]: a span of kind PRODUCER each time that a message
// is to be stored, which is written into [bridge.Message.Trace] for those who handle it, and the metrics
// messaging.client.sent.messages and messaging.client.operation.duration. It panics if next is nil.
func Publisher(next bridge.Publisher, opts ...Option) bridge.Publisher {
	if next == nil {
		panic("crispotel: Publisher(nil): needs a publisher")
	}
	t := newTelemetry(opts)
	p := &publisher{telemetry: t, next: next, sent: t.counter(sentMessages), duration: t.histogram(publishDuration, publishBounds...)}
	p.sets = newMeasured(p.measurement)
	return p
}

type publisher struct {
	*telemetry
	next     bridge.Publisher
	sent     metric.Int64Counter
	duration metric.Float64Histogram
	sets     *measured[publishKey]
}

// publishKey is what the attributes of a message's measurements are made of.
type publishKey struct{ name, website, errorType string }

// Publish stores a message.
func (p *publisher) Publish(ctx context.Context, m bridge.Message) error {
	traced := !p.idle()
	if !traced && !p.duration.Enabled(ctx) && !p.sent.Enabled(ctx) {
		return p.next.Publish(ctx, m)
	}
	s := &publishing{publisher: p, ctx: ctx, began: time.Now()}
	s.key.name = p.names.of(m.Type)
	if p.website {
		s.key.website = strings.Clone(websiteOf(m.WebsiteID))
	}
	if traced {
		s.start(&m)
	}
	defer s.end()
	s.err = p.next.Publish(s.ctx, m)
	s.returned = true
	return s.err
}

// publishing is a message that is being stored.
type publishing struct {
	*publisher
	ctx      context.Context
	key      publishKey
	span     trace.Span // nil if there is none
	began    time.Time
	err      error
	returned bool
}

func (s *publishing) start(m *bridge.Message) {
	s.ctx, s.span = s.tracer.Start(s.ctx, "publish "+s.key.name, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		system, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("publish"), semconv.MessagingDestinationName(s.key.name)))
	if s.span.IsRecording() {
		s.span.SetAttributes(messageAttributes(*m)...)
	}
	headers := make(propagation.MapCarrier)
	s.propagator.Inject(s.ctx, headers)
	if len(headers) > 0 {
		all := maps.Clone(m.Trace) // which is the caller's
		if all == nil {
			all = make(map[string]string, len(headers))
		}
		for _, field := range s.propagator.Fields() { // what is left of another trace
			delete(all, field)
		}
		maps.Copy(all, headers)
		m.Trace = all
	}
}

func messageAttributes(m bridge.Message) []attribute.KeyValue {
	all := make([]attribute.KeyValue, 0, 5)
	all = append(all, keySource.String(sourceOf(m.Source)), semconv.MessagingMessageBodySize(len(m.Data)))
	if id := eventIDOf(m.ID); m.Stable && id != "" {
		all = append(all, semconv.MessagingMessageID(id))
	}
	if id := conversationOf(m.SessionID); id != "" {
		all = append(all, semconv.MessagingMessageConversationID(strings.Clone(id)))
	}
	if id := websiteOf(m.WebsiteID); id != "" {
		all = append(all, keyWebsite.String(strings.Clone(id)))
	}
	return all
}

// end notes whether a message was stored.
func (s *publishing) end() {
	s.key.errorType = s.errors.of(s.err)
	if !s.returned {
		s.key.errorType = typePanicked
	}
	if s.span != nil {
		fail(s.span, s.key.errorType, nil)
		s.span.End()
	}
	set := s.sets.of(s.key)
	s.sent.Add(s.ctx, 1, set.add...)
	s.duration.Record(s.ctx, time.Since(s.began).Seconds(), set.record...)
}

func (p *publisher) measurement(k publishKey) []attribute.KeyValue {
	all := []attribute.KeyValue{system, semconv.MessagingOperationName("publish"), semconv.MessagingDestinationName(k.name)}
	if k.website != "" {
		all = append(all, keyWebsite.String(k.website))
	}
	if k.errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(k.errorType))
	}
	return all
}

// ObserveBridge measures, whenever metrics are read, what [bridge.Consume] counts ([bridge.WithCounters]), until Unregister
// of what it returns is called. It panics if c is nil.
func ObserveBridge(c *bridge.Counters, opts ...Option) (metric.Registration, error) {
	if c == nil {
		panic("crispotel: ObserveBridge(nil): needs counters")
	}
	t := newTelemetry(opts)
	o := t.observables()
	messages := o.count(bridgeMessages)
	inHand, running, partitions := o.gauge(bridgeInHand), o.gauge(bridgeRunning), o.gauge(bridgePartitions)
	client := t.client()
	with := metric.WithAttributes(client...)
	became := func(outcome string) metric.MeasurementOption {
		return metric.WithAttributes(append(client[:len(client):len(client)], keyOutcome.String(outcome))...)
	}
	return o.register(func(_ context.Context, to metric.Observer) error {
		to.ObserveInt64(messages, int64(c.Handled.Load()), became("handled"))
		to.ObserveInt64(messages, int64(c.Failed.Load()), became("failed"))
		to.ObserveInt64(messages, int64(c.Duplicates.Load()), became("duplicate"))
		to.ObserveInt64(messages, int64(c.Buried.Load()), became("buried"))
		to.ObserveInt64(messages, int64(c.Lost.Load()), became("lost"))
		to.ObserveInt64(inHand, c.InHand.Load(), with)
		to.ObserveInt64(running, c.Running.Load(), with)
		to.ObserveInt64(partitions, c.Partitions.Load(), with)
		return nil
	})
}
