package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/crisp-go/crisp/crispotel"
)

// telemetry is the SDK: where spans and metrics go. A program that has one for all of its parts sets it as
// the global one instead, with otel.SetTracerProvider and otel.SetMeterProvider.
type telemetry struct {
	traces   *sdktrace.TracerProvider
	measures *metric.MeterProvider
	metrics  http.Handler
}

func newTelemetry(spans sdktrace.SpanExporter) (*telemetry, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry", "error", err) }))
	registry := prometheus.NewRegistry()
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	self := resource.NewSchemaless(semconv.ServiceName("observed"))
	return &telemetry{
		traces:   sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(self)),
		measures: metric.NewMeterProvider(metric.WithReader(exporter), metric.WithResource(self)),
		metrics:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// options are those of crispotel. Behind the log, the trace of what came in goes on.
func (t *telemetry) options() []crispotel.Option {
	return []crispotel.Option{
		crispotel.WithTracerProvider(t.traces), crispotel.WithMeterProvider(t.measures), crispotel.WithContinuedTraces(),
	}
}

// shutdown exports what has not been yet.
func (t *telemetry) shutdown(ctx context.Context) error {
	return errors.Join(t.traces.Shutdown(ctx), t.measures.Shutdown(ctx))
}
