package crispotel

import (
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Option changes a default of what this package makes. An option that has no meaning for
// something is of no effect there, so that all may be given the same.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider // nil = the global one
	meters     metric.MeterProvider // nil = the global one
	propagator propagation.TextMapPropagator
	names      []string
	clientID   string
	website    bool // in metrics
	continued  bool
	headers    bool
}

func newConfig(opts []Option) config {
	cfg := config{propagator: propagation.TraceContext{}}
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}

// WithTracerProvider sets where spans go. The default is the global provider, also if that
// is set later. It panics if p is nil.
func WithTracerProvider(p trace.TracerProvider) Option {
	if p == nil {
		panic("crispotel: WithTracerProvider(nil): needs a provider")
	}
	return func(c *config) { c.tracers = p }
}

// WithMeterProvider sets where metrics go. The default is the global provider, also if that
// is set later. It panics if p is nil.
func WithMeterProvider(p metric.MeterProvider) Option {
	if p == nil {
		panic("crispotel: WithMeterProvider(nil): needs a provider")
	}
	return func(c *config) { c.meters = p }
}

// WithPropagator sets how traces are written into the messages of the bridge and read from them, of
// which only traceparent and tracestate are kept, and into requests ([WithTraceHeaders]). The default is
// [propagation.TraceContext]. It panics if p is nil.
func WithPropagator(p propagation.TextMapPropagator) Option {
	if p == nil {
		panic("crispotel: WithPropagator(nil): needs a propagator")
	}
	return func(c *config) { c.propagator = p }
}

// WithWebsiteAttribute has the metrics of [Middleware] and [Publisher] name the website, as
// crisp.website.id. With many websites that makes many time series: each multiplies those of events.
func WithWebsiteAttribute() Option { return func(c *config) { c.website = true } }

// WithContinuedTraces has [Middleware] go on with the trace in which an event was stored, behind the
// bridge. By default a new trace begins, with a link to that one: a trace then is as long as a
// program handles an event, not as long as a log keeps it.
func WithContinuedTraces() Option { return func(c *config) { c.continued = true } }

// WithTraceHeaders has [Transport] send the trace's headers, such as traceparent. By default it
// does not: Crisp has no use for them, and they are none of its business.
func WithTraceHeaders() Option { return func(c *config) { c.headers = true } }

// WithClientID names the client in the metrics of [Observe], [ObserveREST], [ObserveBridge] and
// [Hooks], as messaging.client.id: needed where a program has several, whose gauges would
// otherwise be the same time series. Use few, and the same after a restart.
func WithClientID(id string) Option { return func(c *config) { c.clientID = id } }

// WithEventNames has spans and metrics name events that the catalog of package crisp doesn't have:
// those of [crisp.Router.OnName]. All other such events are "_OTHER".
func WithEventNames(names ...string) Option {
	return func(c *config) { c.names = append(c.names, names...) }
}
