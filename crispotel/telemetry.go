package crispotel

import (
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/crisp-go/crisp"
)

// scope names this package in what it makes.
const scope = "github.com/crisp-go/crisp/crispotel"

// telemetry is what all that is observed has in common.
type telemetry struct {
	config
	tracer trace.Tracer
	meter  metric.Meter
	names  names
	errors *errorTypes
	// idle reports whether spans go nowhere, so that none need be begun.
	idle func() bool
}

func newTelemetry(opts []Option) *telemetry {
	cfg := newConfig(opts)
	t := &telemetry{config: cfg, names: newNames(cfg.names), errors: newErrorTypes(), idle: idleness(cfg.tracers)}
	if t.tracers == nil {
		t.tracers = otel.GetTracerProvider()
	}
	if t.meters == nil {
		t.meters = otel.GetMeterProvider()
	}
	t.tracer = t.tracers.Tracer(scope, trace.WithInstrumentationVersion(crisp.Version), trace.WithSchemaURL(semconv.SchemaURL))
	t.meter = t.meters.Meter(scope, metric.WithInstrumentationVersion(crisp.Version), metric.WithSchemaURL(semconv.SchemaURL))
	return t
}

// idleness returns what reports whether a provider's spans go nowhere: that of the API, and as long as the
// program has not set one, the global one. To begin a span there would cost two allocations.
func idleness(given trace.TracerProvider) func() bool {
	fixed := given
	if fixed == nil {
		fixed = otel.GetTracerProvider()
	}
	if given != nil || !isPlaceholder(fixed) {
		idle := isNoop(fixed)
		return func() bool { return idle }
	}
	return func() bool {
		current := otel.GetTracerProvider()
		return current == fixed || isNoop(current)
	}
}

func isNoop(p trace.TracerProvider) bool {
	switch p.(type) {
	case tracenoop.TracerProvider, *tracenoop.TracerProvider:
		return true
	}
	return false
}

// isPlaceholder reports whether a provider is the one that stands for that which the program will
// set.
func isPlaceholder(p trace.TracerProvider) bool {
	kind := reflect.TypeOf(p)
	return kind.Kind() == reflect.Pointer && kind.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}

// instrument is what describes a metric.
type instrument struct{ name, unit, description string }

func (t *telemetry) counter(i instrument) metric.Int64Counter {
	c, err := t.meter.Int64Counter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	if err != nil {
		otel.Handle(err)
		return metricnoop.Int64Counter{}
	}
	return c
}

func (t *telemetry) histogram(i instrument, bounds ...float64) metric.Float64Histogram {
	h, err := t.meter.Float64Histogram(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		otel.Handle(err)
		return metricnoop.Float64Histogram{}
	}
	return h
}
