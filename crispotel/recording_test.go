package crispotel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

// recording has all that is observed in a test.
type recording struct {
	t      *testing.T
	spans  *tracetest.SpanRecorder
	tracer *sdktrace.TracerProvider
	reader *metric.ManualReader
	opts   []crispotel.Option // that send it here
}

func record(t *testing.T, more ...crispotel.Option) *recording {
	t.Helper()
	r := &recording{t: t, spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	meter := metric.NewMeterProvider(metric.WithReader(r.reader))
	r.opts = append([]crispotel.Option{crispotel.WithTracerProvider(r.tracer), crispotel.WithMeterProvider(meter)}, more...)
	t.Cleanup(func() {
		r.assertNoneOpen()
		assert.NoError(t, r.tracer.Shutdown(context.WithoutCancel(t.Context())))
		assert.NoError(t, meter.Shutdown(context.WithoutCancel(t.Context())))
	})
	return r
}

// assertNoneOpen asserts that each span that has begun has ended.
func (r *recording) assertNoneOpen() {
	r.t.Helper()
	var open []string
	ended := r.ended()
	for _, span := range r.spans.Started() {
		if !slices.ContainsFunc(ended, func(s sdktrace.ReadOnlySpan) bool { return s.SpanContext().Equal(span.SpanContext()) }) {
			open = append(open, span.Name())
		}
	}
	assert.Empty(r.t, open, "spans that have not ended")
}

func (r *recording) ended() []sdktrace.ReadOnlySpan { return r.spans.Ended() }

// span returns the only span of a name.
func (r *recording) span(name string) sdktrace.ReadOnlySpan {
	r.t.Helper()
	all := r.named(name)
	require.Len(r.t, all, 1, "spans %q among %v", name, r.spanNames())
	return all[0]
}

func (r *recording) named(name string) (found []sdktrace.ReadOnlySpan) {
	for _, span := range r.ended() {
		if span.Name() == name {
			found = append(found, span)
		}
	}
	return found
}

func (r *recording) spanNames() (names []string) {
	for _, span := range r.ended() {
		names = append(names, span.Name())
	}
	return names
}

// metrics returns all metrics by name.
func (r *recording) metrics() map[string]metricdata.Metrics {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(r.t, r.reader.Collect(context.WithoutCancel(r.t.Context()), &all))
	found := make(map[string]metricdata.Metrics)
	for _, scope := range all.ScopeMetrics {
		assert.Equal(r.t, "github.com/crisp-go/crisp/crispotel", scope.Scope.Name)
		assert.Equal(r.t, crisp.Version, scope.Scope.Version)
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// point is a time series of a metric and its value; of a histogram, the count and the sum.
type point struct {
	attributes map[string]string
	value, sum float64
}

// points returns the time series of a metric; of a counter, those that are more than 0.
func (r *recording) points(name string) []point {
	r.t.Helper()
	m := r.metrics()[name]
	points := pointsOf(m)
	if _, counter := m.Data.(metricdata.Sum[int64]); counter {
		points = slices.DeleteFunc(points, func(p point) bool { return p.value == 0 })
	}
	return points
}

func pointsOf(m metricdata.Metrics) (points []point) {
	add := func(set attribute.Set, value, sum float64) {
		points = append(points, point{attributesOf(set.ToSlice()), value, sum})
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Value), 0)
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Value), 0)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Value, 0)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, float64(p.Count), p.Sum)
		}
	}
	return points
}

// total is the sum of the values of the time series that have these attributes.
func (r *recording) total(name string, with map[string]string) (total float64) {
	r.t.Helper()
	for _, p := range r.points(name) {
		if has(p.attributes, with) {
			total += p.value
		}
	}
	return total
}

func has(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

func attributesOf(all []attribute.KeyValue) map[string]string {
	found := make(map[string]string)
	for _, kv := range all {
		found[string(kv.Key)] = kv.Value.String()
	}
	return found
}

// everything is all that spans and metrics say, to look for what they must not.
func (r *recording) everything() string {
	var b strings.Builder
	for _, span := range r.ended() {
		fmt.Fprintln(&b, span.Name(), span.Status(), attributesOf(span.Attributes()))
		for _, event := range span.Events() {
			fmt.Fprintln(&b, event.Name, attributesOf(event.Attributes))
		}
	}
	b.WriteString(r.metricsText())
	return b.String()
}

func (r *recording) metricsText() string {
	var b strings.Builder
	for name, m := range r.metrics() {
		fmt.Fprintln(&b, name, m.Description, m.Unit, pointsOf(m))
	}
	return b.String()
}

// router returns one with the middleware, which tells nobody of failures.
func (r *recording) router() *crisp.Router {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.Use(crispotel.Middleware(r.opts...))
	return router
}

func message() *crisp.MessageSend { return crisptest.Sample("message:send").(*crisp.MessageSend) }
