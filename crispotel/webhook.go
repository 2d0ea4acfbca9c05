package crispotel

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

var webhookDeliveries = instrument{"crisp.webhook.deliveries", "{delivery}", "Requests of web hooks that were answered, by the answer's status."}

// Webhook observes the answers of a [crisp.Webhook], or of any handler of web hooks: a span of kind SERVER for
// each request, in whose context the handlers of the event run, and the metric crisp.webhook.deliveries.
//
// Where middleware around it has begun a span already, such as otelhttp's, that one is the event's parent, and there is no other. A
// trace that the request names is not heeded: Crisp sends none, and anybody else may. If middleware has read it
// into the context, the span is its child.
//
// The span has the pattern by which [http.ServeMux] found the handler, but neither path nor query,
// which may have the secret in it. It panics if h is nil.
func Webhook(h http.Handler, opts ...Option) http.Handler {
	if h == nil {
		panic("crispotel: Webhook(nil): needs a handler")
	}
	t := newTelemetry(opts)
	observed := &webhook{telemetry: t, next: h, deliveries: t.counter(webhookDeliveries)}
	for _, status := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusInternalServerError} {
		observed.deliveries.Add(context.Background(), 0, deliveryAttributes(status, errorOfStatus(status)))
	}
	return observed
}

type webhook struct {
	*telemetry
	next       http.Handler
	deliveries metric.Int64Counter
}

// ServeHTTP has a request answered.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	within := trace.SpanContextFromContext(r.Context())
	traced := !h.idle() && (!within.IsValid() || within.IsRemote())
	if !traced && !h.deliveries.Enabled(r.Context()) {
		h.next.ServeHTTP(w, r)
		return
	}
	a := &answering{webhook: h, status: statusWriter{ResponseWriter: w}, request: r}
	if traced {
		a.start()
	}
	defer a.end()
	h.next.ServeHTTP(&a.status, a.request)
	a.returned = true
}

// answering is a request that is not answered yet.
type answering struct {
	*webhook
	status   statusWriter
	request  *http.Request
	span     trace.Span // nil if there is none
	returned bool
}

func (a *answering) start() {
	method := methodOf(a.request)
	name, about := spanMethod(method), []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(method)}
	if route := routeOf(a.request.Pattern); route != "" {
		name += " " + route
		about = append(about, semconv.HTTPRoute(route))
	}
	ctx, span := a.tracer.Start(a.request.Context(), name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(about...))
	a.span, a.request = span, a.request.WithContext(ctx)
}

// routeOf is the path in a pattern of http.ServeMux, which may have a method and a host before it.
func routeOf(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}

// end notes what a request was answered. A panic goes on.
func (a *answering) end() {
	status := a.status.answered()
	errorType := errorOfStatus(status)
	if !a.returned {
		status, errorType = http.StatusInternalServerError, typePanicked
	}
	if a.span != nil {
		a.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		if a.returned {
			failAnswered(a.span, errorType)
		} else {
			fail(a.span, errorType, nil)
		}
		a.span.End()
	}
	a.deliveries.Add(a.request.Context(), 1, deliveryAttributes(status, errorType))
}

// errorOfStatus names the error that an answer stands for, if it does: what was refused is the sender's.
func errorOfStatus(status int) string {
	if status < 500 {
		return ""
	}
	return strconv.Itoa(status)
}

func deliveryAttributes(status int, errorType string) metric.MeasurementOption {
	all := []attribute.KeyValue{semconv.HTTPResponseStatusCode(status)}
	if errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(errorType))
	}
	return metric.WithAttributes(all...)
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 = not written yet
}

// WriteHeader notes the status, unless it is one of those before the answer.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) answered() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
