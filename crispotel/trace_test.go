package crispotel_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

const (
	replySpan = "POST website/{website_id}/conversation/{session_id}/message"
	hookSpan  = "POST /hooks/crisp"
)

// way has a visitor's message come by web hook into a log, and be answered behind it.
func way(t *testing.T, r *recording) (visitor *crisptest.Visitor) {
	t.Helper()
	srv := crisptest.NewServer(t)
	log := bridgetest.NewLog()

	in := r.router()
	bridge.Publish(in, crispotel.Publisher(log.Publisher(), r.opts...))
	hook, err := crisp.NewWebhook(in, crisp.WithSigningSecrets(srv.SigningSecret()))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/crisp", crispotel.Webhook(hook, r.opts...))
	srv.AddPluginHook(srv.Serve(mux)+"/hooks/crisp", "message:send")

	transport := crispotel.Transport(srv.HTTPClient().Transport, r.opts...)
	client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: transport}))
	t.Cleanup(client.CloseIdleConnections)
	out := r.router()
	crisp.On(out, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("the reply of ours"))
		return err
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- bridge.Consume(ctx, log.Consumer("bots"), out) }()

	visitor = srv.Visitor()
	visitor.Say("a secret of mine")
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = visitor.WaitAnswer(waiting)
	require.NoError(t, err)
	_, err = srv.WaitDelivery(waiting, crisptest.Delivery.Delivered)
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
	return visitor
}

// TestOneTrace follows a message from the web hook to the answer.
func TestOneTrace(t *testing.T) {
	r := record(t, crispotel.WithContinuedTraces())
	visitor := way(t, r)
	require.Len(t, r.ended(), 5, r.spanNames())

	hook, publish, reply := r.span(hookSpan), r.span("publish message:send"), r.span(replySpan)
	handled := r.named("process message:send")
	require.Len(t, handled, 2)
	in, out := handled[0], handled[1]
	if in.Parent().SpanID() != hook.SpanContext().SpanID() {
		in, out = out, in
	}
	assert.False(t, hook.Parent().IsValid(), "it begins")
	for _, tt := range []struct {
		child, parent sdktrace.ReadOnlySpan
		remote        bool
		kind          trace.SpanKind
	}{
		{in, hook, false, trace.SpanKindConsumer},
		{publish, in, false, trace.SpanKindProducer},
		{out, publish, true, trace.SpanKindConsumer},
		{reply, out, false, trace.SpanKindClient},
	} {
		assert.Equal(t, hook.SpanContext().TraceID(), tt.child.SpanContext().TraceID(), tt.child.Name())
		assert.Equal(t, tt.parent.SpanContext().SpanID(), tt.child.Parent().SpanID(), tt.child.Name())
		assert.Equal(t, tt.remote, tt.child.Parent().IsRemote(), tt.child.Name())
		assert.Equal(t, tt.kind, tt.child.SpanKind(), tt.child.Name())
		assert.Empty(t, tt.child.Links(), tt.child.Name())
	}
	assert.Equal(t, trace.SpanKindServer, hook.SpanKind())

	id := attributesOf(in.Attributes())["messaging.message.id"]
	assert.Len(t, id, 64)
	common := map[string]string{
		"messaging.system": "crisp", "messaging.destination.name": "message:send", "messaging.message.id": id,
		"messaging.message.conversation_id": visitor.SessionID, "crisp.website.id": visitor.WebsiteID, "crisp.source": "webhook",
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, some := range []map[string]string{common, more} {
			for key, value := range some {
				all[key] = value
			}
		}
		return all
	}
	got := func(span sdktrace.ReadOnlySpan, but ...string) map[string]string {
		all := attributesOf(span.Attributes())
		for _, key := range but {
			assert.NotEmpty(t, all[key], key)
			delete(all, key)
		}
		return all
	}
	process := map[string]string{"messaging.operation.type": "process", "messaging.operation.name": "process"}
	const size = "messaging.message.body.size"
	assert.Equal(t, with(process), got(out, size), "behind the bridge")
	process["crisp.delivery.attempt"] = "1"
	assert.Equal(t, with(process), got(in, size))
	assert.Equal(t, with(map[string]string{"messaging.operation.type": "send", "messaging.operation.name": "publish"}), got(publish, size))
	assert.Equal(t, map[string]string{
		"http.request.method": "POST", "http.response.status_code": "202", "server.address": "127.0.0.1",
		"url.template":                      "website/{website_id}/conversation/{session_id}/message",
		"messaging.message.conversation_id": visitor.SessionID,
	}, got(reply, "server.port"))
	assert.Equal(t, map[string]string{"http.request.method": "POST", "http.route": "/hooks/crisp", "http.response.status_code": "200"}, got(hook))
}

// TestLinkedTraces is the default: a trace for what the bridge stores, and one for what is handled
// behind it.
func TestLinkedTraces(t *testing.T) {
	r := record(t)
	way(t, r)
	hook, publish, reply := r.span(hookSpan), r.span("publish message:send"), r.span(replySpan)
	assert.Equal(t, hook.SpanContext().TraceID(), publish.SpanContext().TraceID())
	assert.NotEqual(t, hook.SpanContext().TraceID(), reply.SpanContext().TraceID())
	for _, out := range r.named("process message:send") {
		if out.SpanContext().TraceID() == hook.SpanContext().TraceID() {
			assert.Empty(t, out.Links())
			continue
		}
		assert.False(t, out.Parent().IsValid())
		assert.Equal(t, out.SpanContext().SpanID(), reply.Parent().SpanID())
		require.Len(t, out.Links(), 1)
		link := out.Links()[0].SpanContext
		assert.Equal(t, publish.SpanContext().TraceID(), link.TraceID())
		assert.Equal(t, publish.SpanContext().SpanID(), link.SpanID())
		assert.True(t, link.IsRemote())
	}
}

// TestStoringAndHandlingAreMeasuredApart has both in one program: what is stored in no time would make handlers look fast, and
// their failures rare.
func TestStoringAndHandlingAreMeasuredApart(t *testing.T) {
	r := record(t)
	way(t, r)
	for _, name := range []string{"messaging.client.consumed.messages", "messaging.process.duration"} {
		assert.InDelta(t, 1, r.total(name, map[string]string{"crisp.source": "webhook", "crisp.behind_bridge": ""}), 0, name)
		assert.InDelta(t, 1, r.total(name, map[string]string{"crisp.source": "webhook", "crisp.behind_bridge": "true"}), 0, name)
	}
}

// TestNoTextAndNoSessionIsShown looks through all that a conversation leaves in spans and metrics.
func TestNoTextAndNoSessionIsShown(t *testing.T) {
	r := record(t, crispotel.WithContinuedTraces())
	visitor := way(t, r)
	all := r.everything()
	for _, secret := range []string{"a secret of mine", "the reply of ours", "Authorization", "Basic "} {
		assert.NotContains(t, all, secret)
	}
	assert.NotContains(t, r.metricsText(), visitor.SessionID)
	assert.NotContains(t, r.metricsText(), visitor.WebsiteID)
	for _, span := range r.ended() {
		for key, value := range attributesOf(span.Attributes()) {
			if key != "messaging.message.conversation_id" {
				assert.NotContains(t, value, visitor.SessionID, key)
			}
		}
	}
}

// TestAHandlersOwnSpanIsTheParent has the event passed on to a second router behind the bridge.
func TestAHandlersOwnSpanIsTheParent(t *testing.T) {
	r := record(t, crispotel.WithContinuedTraces())
	log := bridgetest.NewLog()
	require.NoError(t, crispotel.Publisher(log.Publisher(), r.opts...).Publish(t.Context(), bridge.NewMessage(message())))
	outer, inner := r.router(), r.router()
	ctx, stop := context.WithCancel(t.Context())
	inner.OnAny(func(context.Context, crisp.Event) error { stop(); return nil })
	outer.OnAny(inner.Dispatch)
	require.NoError(t, bridge.Consume(ctx, log.Consumer("bots"), outer))
	all := r.named("process message:send")
	require.Len(t, all, 2)
	assert.Equal(t, all[1].SpanContext().SpanID(), all[0].Parent().SpanID(), "the inner one ends first")
	assert.Equal(t, r.span("publish message:send").SpanContext().SpanID(), all[1].Parent().SpanID())
}
