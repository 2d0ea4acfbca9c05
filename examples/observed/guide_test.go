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
	"go.opentelemetry.io/otel/sdk/trace"
)

// setUpTelemetry sets the global providers, and returns what serves /metrics.
func setUpTelemetry(spans trace.SpanExporter) (metrics http.Handler, shutdown func(context.Context) error, err error) {
	registry := prometheus.NewRegistry()
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	measures := metric.NewMeterProvider(metric.WithReader(exporter))
	traces := trace.NewTracerProvider(trace.WithBatcher(spans))
	otel.SetMeterProvider(measures)
	otel.SetTracerProvider(traces)
	shutdown = func(ctx context.Context) error { return errors.Join(traces.Shutdown(ctx), measures.Shutdown(ctx)) }
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), shutdown, nil
}
