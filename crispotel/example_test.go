package crispotel_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

// A span for each event, here kept in memory; a program has an exporter instead, and sets
// its provider with otel.SetTracerProvider.
func ExampleMiddleware() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	router := crisp.NewRouter()
	router.Use(crispotel.Middleware(crispotel.WithTracerProvider(provider)))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })

	if err := router.Dispatch(context.Background(), crisptest.Sample("message:send")); err != nil {
		log.Fatal(err)
	}
	for _, span := range spans.GetSpans() {
		fmt.Println(span.SpanKind, span.Name, span.Status.Code)
	}
	// Output: consumer process message:send Unset
}

// The REST calls of a client.
func ExampleTransport() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	srv, err := crisptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	transport := crispotel.Transport(nil, crispotel.WithTracerProvider(provider))
	client, err := crisp.New(srv.Token(), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()
	_, err = client.Reply(context.Background(), crisptest.Sample("message:send").(*crisp.MessageSend), crisp.TextContent("Hello"))
	fmt.Println(err)
	for _, span := range spans.GetSpans() {
		fmt.Println(span.SpanKind, span.Name)
	}
	// Output:
	// <nil>
	// client POST website/{website_id}/conversation/{session_id}/message
}

// The answers to web hooks. The span of the event is the child of that of the request.
func ExampleWebhook() {
	spans := tracetest.NewInMemoryExporter()
	opts := []crispotel.Option{crispotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))}
	router := crisp.NewRouter()
	router.Use(crispotel.Middleware(opts...))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("signing secret"))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /", crispotel.Webhook(hook, opts...))

	mux.ServeHTTP(httptest.NewRecorder(), crisptest.NewHookRequest("signing secret", crisptest.Sample("message:send")))
	for _, span := range spans.GetSpans() {
		fmt.Println(span.SpanKind, span.Name)
	}
	// Output:
	// consumer process message:send
	// server POST /
}

// What an RTM client is doing.
func ExampleObserve() {
	reader := metric.NewManualReader() // a program has that of an exporter
	opts := []crispotel.Option{crispotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))}
	srv, err := crisptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	router := crisp.NewRouter()
	router.Use(crispotel.Middleware(opts...))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	rtm, err := srv.Client().NewRTM(router, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{}, opts...)))
	if err != nil {
		log.Fatal(err)
	}
	observation, err := crispotel.Observe(rtm, opts...)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = observation.Unregister() }()

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	var names []string
	for _, m := range all.ScopeMetrics[0].Metrics {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Println(name)
	}
	// Output:
	// crisp.backfill.gaps
	// crisp.backfill.messages
	// crisp.backfill.requests
	// crisp.rtm.connected
	// crisp.rtm.dropped
	// crisp.rtm.queue.bytes
	// crisp.rtm.queue.oldest
	// crisp.rtm.reconnects
	// crisp.rtm.silence
}

// The bridge: what is stored has the trace, and what is handled behind the log goes on with it.
func ExamplePublisher() {
	spans := tracetest.NewInMemoryExporter()
	opts := []crispotel.Option{
		crispotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))), crispotel.WithContinuedTraces(),
	}
	engine := bridgetest.NewLog() // a program has one of an engine's
	in, out := crisp.NewRouter(), crisp.NewRouter()
	in.Use(crispotel.Middleware(opts...))
	bridge.Publish(in, crispotel.Publisher(engine.Publisher(), opts...))
	ctx, stop := context.WithCancel(context.Background())
	out.Use(crispotel.Middleware(opts...))
	out.OnAny(func(context.Context, crisp.Event) error { stop(); return nil })

	if err := in.Dispatch(ctx, crisptest.Sample("message:send")); err != nil {
		log.Fatal(err)
	}
	counters := new(bridge.Counters) // for ObserveBridge
	if err := bridge.Consume(ctx, engine.Consumer("bots"), out, bridge.WithCounters(counters)); err != nil {
		log.Fatal(err)
	}
	traces := make(map[string]bool)
	for _, span := range spans.GetSpans() {
		fmt.Println(span.SpanKind, span.Name)
		traces[span.SpanContext.TraceID().String()] = true
	}
	fmt.Println(len(traces), "trace")
	// Output:
	// producer publish message:send
	// consumer process message:send
	// consumer process message:send
	// 1 trace
}
