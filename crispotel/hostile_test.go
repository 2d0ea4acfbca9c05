package crispotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
)

// marker is in whatever a stranger may write.
const marker = "MARKER"

// TestHostileEventsLeaveNoTrace has every field of events, requests and messages say what it should
// not.
func TestHostileEventsLeaveNoTrace(t *testing.T) {
	r := record(t, crispotel.WithWebsiteAttribute(), crispotel.WithContinuedTraces())
	router := r.router()
	router.OnAny(func(context.Context, crisp.Event) error { return fmt.Errorf("%s: %w", marker, errors.New(marker)) })
	hostile := fmt.Sprintf(`{"website_id":%[1]q,"session_id":%[1]q,"content":%[1]q,"from":%[1]q,"origin":%[1]q,"type":"text",
		"fingerprint":1,"timestamp":1,"user":{"nickname":%[1]q,"user_id":%[1]q}}`, marker+strings.Repeat("é\n", 1000))
	for _, name := range []string{"message:send", "message:received", "session:set_email", "x:" + marker} {
		ev, err := crisp.Decode(name, []byte(hostile))
		require.NoError(t, err)
		ev.EventMeta().Source = marker
		ev.EventMeta().WebsiteID = marker
		require.Error(t, router.Dispatch(t.Context(), ev))
	}
	publisher := crispotel.Publisher(publisherFunc(func(context.Context, bridge.Message) error { return errors.New(marker) }), r.opts...)
	require.Error(t, publisher.Publish(t.Context(), bridge.Message{
		ID: marker, Stable: true, Type: marker, WebsiteID: marker, SessionID: marker, Source: marker, Stub: marker, Data: []byte(marker),
		Trace: map[string]string{"traceparent": marker, "tracestate": marker},
	}))
	hook := crispotel.Webhook(http.NotFoundHandler(), r.opts...)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/"+marker+"?key="+marker, strings.NewReader(marker))
	req.Method = marker
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	req.Header.Set("Baggage", "a="+marker)
	hook.ServeHTTP(httptest.NewRecorder(), req)
	transport := crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New(marker) }), r.opts...)
	for _, path := range []string{marker, "v1/website/" + marker + "/conversation/" + marker + "/message", "website/a/" + strings.Repeat(marker+"/", 1000)} {
		call, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/"+path+"?"+marker, strings.NewReader(marker))
		require.NoError(t, err)
		call.SetBasicAuth(marker, marker)
		_, err = transport.RoundTrip(call) //nolint:bodyclose // there is no answer
		require.Error(t, err)
	}
	assert.NotContains(t, r.everything(), marker)
	assert.Len(t, r.ended(), 4+1+1+3)
	for _, span := range r.ended() {
		assert.NotEqual(t, "0af7651916cd43dd8448eb211c80319c", span.SpanContext().TraceID().String(), "a stranger's trace")
	}
}

// TestManyOfEverythingAreFewSeries bounds what strangers and programs can make of metrics.
func TestManyOfEverythingAreFewSeries(t *testing.T) {
	const many = 3000
	r := record(t)
	router := r.router()
	var failure error
	router.OnAny(func(context.Context, crisp.Event) error { return failure })
	hook := crispotel.Webhook(http.NotFoundHandler(), r.opts...)
	transport := crispotel.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: req}, nil
	}), r.opts...)
	for i := range many {
		ev, err := crisp.Decode(fmt.Sprintf("a:%d", i), fmt.Appendf(nil, `{"session_id":"session_%d","website_id":"%d"}`, i, i))
		require.NoError(t, err)
		failure = fmt.Errorf("failure %d: %w", i, errors.New("x"))
		require.Error(t, router.Dispatch(t.Context(), ev))
		hook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("/%d", i), nil))
		call, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://api.example/v1/website/%d/conversation/%d", i, i), nil)
		require.NoError(t, err)
		answer, err := transport.RoundTrip(call)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	for name := range r.metrics() {
		points := r.points(name)
		if name == "crisp.rest.throttled" {
			assert.Empty(t, points)
			continue
		}
		assert.Len(t, points, 1, name)
		assert.InDelta(t, many, points[0].value, 0, name)
	}
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
