package crispotel_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
)

// TestEachAttemptHasATraceOfItsOwn stores a message twice, which has a trace already: as the bridge does when the
// first attempt fails.
func TestEachAttemptHasATraceOfItsOwn(t *testing.T) {
	r := record(t)
	var stored []bridge.Message
	publisher := crispotel.Publisher(publisherFunc(func(_ context.Context, m bridge.Message) error {
		stored = append(stored, m)
		return nil
	}), r.opts...)
	const before = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	m := bridge.NewMessage(message())
	m.Trace = map[string]string{"traceparent": before, "tracestate": "a=b"}
	for range 2 {
		require.NoError(t, publisher.Publish(t.Context(), m))
	}
	assert.Equal(t, map[string]string{"traceparent": before, "tracestate": "a=b"}, m.Trace, "the caller's message is not changed")
	spans := r.named("publish message:send")
	require.Len(t, spans, 2)
	for i, span := range spans {
		assert.Contains(t, stored[i].Trace["traceparent"], span.SpanContext().SpanID().String())
		assert.NotContains(t, stored[i].Trace, "tracestate", "of the other trace")
	}
}

func TestAPublisherThatPanics(t *testing.T) {
	r := record(t)
	publisher := crispotel.Publisher(publisherFunc(func(context.Context, bridge.Message) error { panic("oh") }), r.opts...)
	assert.PanicsWithValue(t, "oh", func() { _ = publisher.Publish(t.Context(), bridge.NewMessage(message())) })
	assert.Equal(t, "panicked", r.span("publish message:send").Status().Description)
	assert.InDelta(t, 1, r.total("messaging.client.sent.messages", map[string]string{"error.type": "panicked"}), 0)
}
