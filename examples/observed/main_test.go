package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

const demoOutput = `A visitor writes; the message comes over the RTM API, and is answered behind the log.
The visitor is answered: Thank you, we have got your message.

The same by a web hook. The RTM connection is lost meanwhile.
The visitor is answered: Thank you, we have got your message.

A message at which the bot fails, twice.

The traces:
  consumer process message:send
    producer publish message:send
      consumer process message:send
        client POST website/{website_id}/conversation/{session_id}/message
  server POST /hooks/crisp
    consumer process message:send
      producer publish message:send
        consumer process message:send
          client POST website/{website_id}/conversation/{session_id}/message
  server POST /hooks/crisp
    consumer process message:send
      producer publish message:send
        consumer process message:send: *errors.errorString
        consumer process message:send: *errors.errorString

Some of the metrics, as Prometheus gets them:
  crisp_bridge_messages_total{crisp_bridge_outcome="buried"} 1
  crisp_bridge_messages_total{crisp_bridge_outcome="duplicate"} 0
  crisp_bridge_messages_total{crisp_bridge_outcome="failed"} 2
  crisp_bridge_messages_total{crisp_bridge_outcome="handled"} 2
  crisp_bridge_messages_total{crisp_bridge_outcome="lost"} 0
  crisp_rtm_connected 1
  crisp_rtm_gap_duration_seconds_count{crisp_gap_reason="disconnected"} 1
  crisp_rtm_reconnects_total 1
  crisp_webhook_deliveries_total{http_response_status_code="200"} 2
  crisp_webhook_deliveries_total{http_response_status_code="401"} 0
  crisp_webhook_deliveries_total{error_type="500",http_response_status_code="500"} 0
  messaging_client_sent_messages_total{messaging_operation_name="send",messaging_system="crisp"} 2
  messaging_client_sent_messages_total{messaging_destination_name="message:send",messaging_operation_name="publish",messaging_system="crisp"} 3
`

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, demoOutput, out.String())
}

// safeBuffer is written by the exporter while the test goes on.
type safeBuffer struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// TestLive runs the program as it is run with an account.
func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	inside, outside := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended, out := make(chan error, 1), new(safeBuffer)
	go func() { ended <- live(ctx, inside, outside, out) }()
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, srv.WaitAuthenticated(waiting))
	srv.AddPluginHook("http://"+outside.Addr().String()+"/hooks/crisp", "message:send")

	visitor := srv.Visitor()
	visitor.Say("a secret of mine")
	_, err := visitor.WaitAnswer(waiting)
	require.NoError(t, err)
	_, err = srv.WaitDelivery(waiting, crisptest.Delivery.Delivered)
	require.NoError(t, err)
	assert.Len(t, visitor.Answers(), 1, "the message came by both ways, and is in the log once")

	metrics := get(t, "http://"+inside.Addr().String()+"/metrics")
	assert.Contains(t, metrics, `service_name="observed"`)
	assert.NotContains(t, metrics, visitor.SessionID)
	assert.Contains(t, get(t, "http://"+inside.Addr().String()+"/readyz"), `"status":"ok"`)
	stop()
	require.NoError(t, <-ended)
	var names []string
	for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		var span struct{ Name string }
		require.NoError(t, json.Unmarshal([]byte(line), &span))
		names = append(names, span.Name)
	}
	assert.Subset(t, names, []string{"POST /hooks/crisp", "publish message:send", "process message:send"})
	assert.NotContains(t, out.String(), "a secret of mine")
	assert.NotContains(t, out.String(), srv.Token().Key)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func TestWithoutSettingsThereIsAnError(t *testing.T) {
	t.Setenv("CRISP_IDENTIFIER", "")
	t.Setenv("CRISP_KEY", "")
	assert.ErrorContains(t, live(t.Context(), listen(t), listen(t), io.Discard), "CRISP_IDENTIFIER")
}

// TestTheSetUpOfTheGuide has the code of docs/operations.md export what a program does that uses the global providers.
func TestTheSetUpOfTheGuide(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	metrics, shutdown, err := setUpTelemetry(keeping{spans})
	require.NoError(t, err)
	handle := crispotel.Middleware()(func(context.Context, crisp.Event) error { return nil })
	require.NoError(t, handle(t.Context(), crisptest.Sample("message:send")))
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	assert.Contains(t, w.Body.String(), "\nmessaging_client_consumed_messages_total{")
	require.NoError(t, shutdown(t.Context()))
	assert.Len(t, spans.GetSpans(), 1)
}

// keeping has the spans stay after the end.
type keeping struct{ *tracetest.InMemoryExporter }

func (keeping) Shutdown(context.Context) error { return nil }
