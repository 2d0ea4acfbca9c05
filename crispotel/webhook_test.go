package crispotel_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

var discard = slog.New(slog.DiscardHandler)

func post(t *testing.T, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/crisp?key=secret", nil))
	return w
}

// TestAnswersAreCounted has web hooks answered in all ways.
func TestAnswersAreCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		handler   http.HandlerFunc
		status    string
		errorType string
	}{
		"nothing written": {func(http.ResponseWriter, *http.Request) {}, "200", ""},
		"a body only":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }, "200", ""},
		"refused":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "401", ""},
		"failed":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500", "500"},
		"twice": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			w.WriteHeader(http.StatusInternalServerError)
		}, "401", ""},
		"early hints": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}, "413", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := record(t)
			post(t, crispotel.Webhook(tt.handler, r.opts...))
			span := r.span("POST")
			assert.Equal(t, tt.status, attributesOf(span.Attributes())["http.response.status_code"])
			assert.Equal(t, tt.errorType, attributesOf(span.Attributes())["error.type"])
			assert.Empty(t, span.Status().Description, "the status code says why")
			assert.Equal(t, tt.errorType != "", span.Status().Code == codes.Error)
			assert.Equal(t, []point{{attributes: r.points("crisp.webhook.deliveries")[0].attributes, value: 1}}, r.points("crisp.webhook.deliveries"))
			assert.InDelta(t, 1, r.total("crisp.webhook.deliveries", map[string]string{"http.response.status_code": tt.status, "error.type": tt.errorType}), 0)
		})
	}
}

func TestAWebhookThatPanics(t *testing.T) {
	r := record(t)
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		post(t, crispotel.Webhook(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), r.opts...))
	})
	assert.Equal(t, "panicked", r.span("POST").Status().Description)
	assert.InDelta(t, 1, r.total("crisp.webhook.deliveries", map[string]string{"http.response.status_code": "500"}), 0)
}

// TestWithinAServersOwnSpan has middleware around it that has begun one.
func TestWithinAServersOwnSpan(t *testing.T) {
	r := record(t)
	router := r.router()
	router.OnAny(nop)
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("s"))
	require.NoError(t, err)
	ctx, outer := r.tracer.Tracer("test").Start(t.Context(), "outer")
	w := httptest.NewRecorder()
	crispotel.Webhook(hook, r.opts...).ServeHTTP(w, crisptest.NewHookRequest("s", message()).WithContext(ctx))
	outer.End()
	assert.Equal(t, http.StatusOK, w.Code)
	assert.ElementsMatch(t, []string{"outer", processSpan}, r.spanNames())
	assert.Equal(t, outer.SpanContext().SpanID(), r.span(processSpan).Parent().SpanID())
	assert.InDelta(t, 1, r.total("crisp.webhook.deliveries", nil), 0)
}

func TestTheResponseControllerReachesTheServers(t *testing.T) {
	r := record(t)
	h := crispotel.Webhook(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, http.NewResponseController(w).Flush())
	}), r.opts...)
	assert.True(t, post(t, h).Flushed)
}

// TestAContextThatOnlyNamesATrace is that of middleware which reads headers and begins no span.
func TestAContextThatOnlyNamesATrace(t *testing.T) {
	r := record(t)
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	router := r.router()
	router.OnAny(nop)
	h := crispotel.Webhook(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		assert.NoError(t, router.Dispatch(req.Context(), message()))
	}), r.opts...)
	h.ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequestWithContext(trace.ContextWithRemoteSpanContext(t.Context(), remote), http.MethodPost, "/", nil))
	assert.Equal(t, remote.SpanID(), r.span("POST").Parent().SpanID(), "the program has read it: it is its decision")
	assert.Equal(t, r.span("POST").SpanContext().SpanID(), r.span(processSpan).Parent().SpanID())
}

// TestMethodsThatAreNotKnown have the span names of the conventions.
func TestMethodsThatAreNotKnown(t *testing.T) {
	r := record(t)
	req := httptest.NewRequestWithContext(t.Context(), "BREW", "http://127.0.0.1/v1/website/w", nil)
	_, err := crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") }), r.opts...).
		RoundTrip(req) //nolint:bodyclose // there is no answer
	require.Error(t, err)
	mux := http.NewServeMux()
	mux.Handle("/hooks", crispotel.Webhook(http.NotFoundHandler(), r.opts...))
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "BREW", "/hooks", nil))
	for _, name := range []string{"HTTP", "HTTP /hooks"} {
		assert.Equal(t, "_OTHER", attributesOf(r.span(name).Attributes())["http.request.method"])
	}
}
