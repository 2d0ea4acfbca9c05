package crispotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// observedClient is a client of a Crisp in memory whose REST calls are observed.
func observedClient(t *testing.T, r *recording) (*crisptest.Server, *crisp.Client) {
	t.Helper()
	srv := crisptest.NewServer(t, crisptest.InMemory())
	client := srv.Client(
		crisp.WithLogger(discard),
		crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(srv.HTTPClient().Transport, r.opts...)}))
	return srv, client
}

const websiteSpan = "GET website/{website_id}"

// TestEachSendingHasASpan has a call refused for the rate, and fail, before it succeeds.
func TestEachSendingHasASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		srv, client := observedClient(t, r)
		srv.FailREST(http.StatusTooManyRequests, 1, 10*time.Second)
		ctx, parent := r.tracer.Tracer("test").Start(t.Context(), "mine")
		require.NoError(t, client.Do(ctx, http.MethodGet, "website/"+crisptest.WebsiteID, nil, nil))
		parent.End()
		sendings := r.named(websiteSpan)
		require.Len(t, sendings, 2)
		first, second := attributesOf(sendings[0].Attributes()), attributesOf(sendings[1].Attributes())
		assert.Equal(t, "429", first["http.response.status_code"])
		assert.Equal(t, "429", first["error.type"])
		assert.Equal(t, sdktrace.Status{Code: codes.Error}, sendings[0].Status(), "the status code says why")
		assert.NotContains(t, first, "http.request.resend_count")
		assert.Empty(t, sendings[0].Events(), "it did not wait")
		assert.Equal(t, "200", second["http.response.status_code"])
		assert.Equal(t, "1", second["http.request.resend_count"])
		assert.NotContains(t, second, "error.type")
		require.Len(t, sendings[1].Events(), 1)
		waited := sendings[1].Events()[0]
		assert.Equal(t, "crisp.rest.waited", waited.Name)
		assert.GreaterOrEqual(t, waited.Attributes[0].Value.AsFloat64(), 10.0, "seconds")
		for _, sending := range sendings {
			assert.Equal(t, parent.SpanContext().SpanID(), sending.Parent().SpanID())
		}
		assert.InDelta(t, 1, r.total("crisp.rest.throttled", map[string]string{"http.response.status_code": "429"}), 0)
	})
}

// TestTheWebSocketHasNoSpan runs an RTM client for an hour.
func TestTheWebSocketHasNoSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		srv, client := observedClient(t, r)
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
		rtm, err := client.NewRTM(router)
		require.NoError(t, err)
		srv.Run(t, rtm)
		time.Sleep(time.Hour)
		r.assertNoneOpen()
		assert.Equal(t, []string{"GET plugin/connect/endpoints"}, r.spanNames())
	})
}

// TestHeadersAreOnlySentIfAsked looks at what Crisp gets.
func TestHeadersAreOnlySentIfAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []crispotel.Option
		sent bool
	}{"by default": {nil, false}, "WithTraceHeaders": {[]crispotel.Option{crispotel.WithTraceHeaders()}, true}} {
		t.Run(name, func(t *testing.T) {
			r := record(t, tt.opts...)
			var got http.Header
			transport := crispotel.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
				got = req.Header
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			}), r.opts...)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/v1/website/w", nil)
			require.NoError(t, err)
			answer, err := transport.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			assert.Equal(t, tt.sent, got.Get("Traceparent") != "")
			assert.Empty(t, req.Header, "the caller's request is not changed")
			if tt.sent {
				assert.Contains(t, got.Get("Traceparent"), r.span(websiteSpan).SpanContext().SpanID().String())
			}
		})
	}
}

// TestEveryRouteHasItsTemplate fills the templates of all routes, below several base URLs.
func TestEveryRouteHasItsTemplate(t *testing.T) {
	r := record(t)
	transport := crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") }), r.opts...)
	for _, base := range []string{"https://api.example/v1/", "https://gateway.example/crisp/api/v1/", "https://api.example/"} {
		for _, route := range rest.Routes() {
			path := route.Path
			for strings.Contains(path, "{") {
				before, after, _ := strings.Cut(path, "{")
				_, after, _ = strings.Cut(after, "}")
				path = before + "a%2Fb" + after
			}
			req, err := http.NewRequestWithContext(t.Context(), route.Method, base+path+"?q=1", nil)
			require.NoError(t, err)
			_, err = transport.RoundTrip(req) //nolint:bodyclose // there is no answer
			require.Error(t, err)
			all := r.ended()
			span := all[len(all)-1]
			assert.Equal(t, route.Method+" "+route.Path, span.Name())
			assert.Equal(t, route.Path, attributesOf(span.Attributes())["url.template"])
		}
	}
}

func TestATransportThatPanicsOrFails(t *testing.T) {
	r := record(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/v1/website/w", nil)
	require.NoError(t, err)
	assert.PanicsWithValue(t, "oh", func() {
		_, _ = crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) { panic("oh") }), r.opts...).RoundTrip(req) //nolint:bodyclose // there is no answer
	})
	assert.Equal(t, "panicked", r.span(websiteSpan).Status().Description)
	assert.Equal(t, "80", attributesOf(r.span(websiteSpan).Attributes())["server.port"])
}

// closer notes that idle connections are to be closed.
type closer struct {
	http.RoundTripper
	closed bool
}

func (c *closer) CloseIdleConnections() { c.closed = true }

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	srv := crisptest.NewServer(t)
	base := &closer{}
	client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(base)}))
	client.CloseIdleConnections()
	assert.True(t, base.closed)
}

// TestTheTransportOfItsOwn makes a call without a base.
func TestTheTransportOfItsOwn(t *testing.T) {
	r := record(t)
	srv := crisptest.NewServer(t)
	client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(nil, r.opts...)}))
	defer client.CloseIdleConnections()
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "website/"+crisptest.WebsiteID, nil, nil))
	r.span(websiteSpan)
}

func TestTheQuotaIsUnknownUntilItIsTold(t *testing.T) {
	r := record(t)
	_, client := observedClient(t, r)
	observed, err := crispotel.ObserveREST(client, r.opts...)
	require.NoError(t, err)
	assert.Empty(t, r.points("crisp.rest.quota.remaining"))
	require.NoError(t, observed.Unregister())
}

// TestATransportThatAnswersNothing has neither an answer nor an error, which http.Client tells of.
func TestATransportThatAnswersNothing(t *testing.T) {
	r := record(t)
	client := &http.Client{Transport: crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, nil //nolint:nilnil // that is what is tested
	}), r.opts...)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/v1/website/w", nil)
	require.NoError(t, err)
	_, err = client.Do(req) //nolint:bodyclose // there is no answer
	require.ErrorContains(t, err, "nil *Response")
	assert.Equal(t, "_OTHER", attributesOf(r.span(websiteSpan).Attributes())["error.type"])
}

// TestARequestWithoutHeaders is one that no constructor has made.
func TestARequestWithoutHeaders(t *testing.T) {
	r := record(t, crispotel.WithTraceHeaders())
	transport := crispotel.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
		assert.NotEmpty(t, req.Header.Get("Traceparent"))
		return nil, errors.New("no")
	}), r.opts...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/v1/website/w", nil)
	require.NoError(t, err)
	req.Header = nil
	_, err = transport.RoundTrip(req) //nolint:bodyclose // there is no answer
	require.EqualError(t, err, "no")
}

// TestAQuotaOfAPeriodThatIsOver is not what is left in the next.
func TestAQuotaOfAPeriodThatIsOver(t *testing.T) {
	r := record(t)
	reset := time.Now().Add(time.Hour)
	client, err := crisp.New(crisp.PluginToken("i", "k"), crisp.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req, Header: http.Header{
			"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {"3"}, "X-Ratelimit-Reset": {fmt.Sprint(reset.Unix())},
		}}, nil
	})}))
	require.NoError(t, err)
	observed, err := crispotel.ObserveREST(client, r.opts...)
	require.NoError(t, err)
	defer func() { assert.NoError(t, observed.Unregister()) }()
	_ = client.Do(t.Context(), http.MethodGet, "website/w", nil, nil)
	assert.InDelta(t, 3, r.value("crisp.rest.quota.remaining"), 0)
	reset = time.Now().Add(-time.Hour)
	_ = client.Do(t.Context(), http.MethodGet, "website/w", nil, nil)
	t.Log(client.RateLimit())
	assert.Empty(t, r.points("crisp.rest.quota.remaining"))
}
