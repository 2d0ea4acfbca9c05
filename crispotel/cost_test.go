//go:build !race

package crispotel_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
)

// setups are what a program may have of an SDK.
var setups = []struct {
	name string
	opts []crispotel.Option
	bare bool // the middleware is not used at all
}{
	{name: "bare", bare: true},
	{name: "global", opts: nil}, // and nobody has set one
	{name: "noop", opts: []crispotel.Option{
		crispotel.WithTracerProvider(tracenoop.NewTracerProvider()), crispotel.WithMeterProvider(metricnoop.NewMeterProvider()),
	}},
	{name: "metrics", opts: []crispotel.Option{
		crispotel.WithTracerProvider(tracenoop.NewTracerProvider()),
		crispotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))),
	}},
	{name: "sampled", opts: []crispotel.Option{
		crispotel.WithTracerProvider(sdktrace.NewTracerProvider()),
		crispotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))),
	}},
	{name: "unsampled", opts: []crispotel.Option{
		crispotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))),
		crispotel.WithMeterProvider(metricnoop.NewMeterProvider()),
	}},
}

// routerOf is a router with a handler that does nothing. The bare one has a middleware that does nothing, too.
func routerOf(bare bool, opts []crispotel.Option) *crisp.Router {
	router := crisp.NewRouter()
	if bare {
		router.Use(func(next crisp.Handler) crisp.Handler {
			return func(ctx context.Context, ev crisp.Event) error { return next(ctx, ev) }
		})
	} else {
		router.Use(crispotel.Middleware(opts...))
	}
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	return router
}

func BenchmarkMiddleware(b *testing.B) {
	for _, setup := range setups {
		b.Run(setup.name, func(b *testing.B) {
			router, ev := routerOf(setup.bare, setup.opts), message()
			b.ReportAllocs()
			for b.Loop() {
				_ = router.Dispatch(context.Background(), ev)
			}
		})
	}
}

// BenchmarkMiddlewareAlone leaves out the router, whose time varies more than what is to be measured.
func BenchmarkMiddlewareAlone(b *testing.B) {
	for _, setup := range setups[1:3] {
		b.Run(setup.name, func(b *testing.B) {
			handle, ev := crispotel.Middleware(setup.opts...)(nop), crisp.Event(message())
			b.ReportAllocs()
			for b.Loop() {
				_ = handle(context.Background(), ev)
			}
		})
	}
}

// TestWithoutAnSDKItCostsNothing counts what an event allocates, and a message of the bridge.
func TestWithoutAnSDKItCostsNothing(t *testing.T) {
	allocations := func(bare bool, opts []crispotel.Option) float64 {
		router, ev := routerOf(bare, opts), message()
		return testing.AllocsPerRun(1000, func() { _ = router.Dispatch(context.Background(), ev) })
	}
	bare := allocations(true, nil)
	for _, setup := range setups[1:3] {
		require.False(t, setup.bare)
		assert.LessOrEqual(t, allocations(false, setup.opts), bare, setup.name)
	}
	stores := publisherFunc(func(context.Context, bridge.Message) error { return nil })
	for _, setup := range setups[1:3] {
		publisher, m := crispotel.Publisher(stores, setup.opts...), bridge.NewMessage(message())
		assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = publisher.Publish(context.Background(), m) }), setup.name)
	}
	assert.Greater(t, allocations(false, setups[4].opts), bare, "with an SDK it does something")
}

// TestAGlobalProviderThatDoesNothing is set by programs that switch telemetry off.
func TestAGlobalProviderThatDoesNothing(t *testing.T) {
	if !alone(t) {
		return
	}
	handle := crispotel.Middleware()(nop)
	otel.SetTracerProvider(tracenoop.NewTracerProvider())
	otel.SetMeterProvider(metricnoop.NewMeterProvider())
	for name, handle := range map[string]crisp.Handler{"set later": handle, "set before": crispotel.Middleware()(nop)} {
		ev := crisp.Event(message())
		assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = handle(context.Background(), ev) }), name)
	}
}
