package crispotel_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
)

// The functions have the code of docs/operations.md word for word, so that it is known to
// compile.
var _ = []any{setUp, setUpBridge, logJSON}

func setUp(router *crisp.Router, token crisp.Token, secret string) error {
	router.Use(crispotel.Middleware(), crisp.IgnoreOperators(), crisp.IgnoreAutomated())
	client, err := crisp.New(token, crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(nil)}))
	if err != nil {
		return err
	}
	rtm, err := client.NewRTM(router, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{})), crisp.WithDrainTimeout(10*time.Second))
	if err != nil {
		return err
	}
	if _, err := crispotel.Observe(rtm); err != nil {
		return err
	}
	if _, err := crispotel.ObserveREST(client); err != nil {
		return err
	}
	hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		return err
	}
	http.Handle("POST /hooks/crisp", crispotel.Webhook(hooks))
	return nil
}

func setUpBridge(ctx context.Context, in, out *crisp.Router, publisher bridge.Publisher, consumer bridge.Consumer) error {
	bridge.Publish(in, crispotel.Publisher(publisher))
	out.Use(crispotel.Middleware(), crisp.IgnoreOperators(), crisp.IgnoreAutomated())
	counters := new(bridge.Counters)
	if _, err := crispotel.ObserveBridge(counters); err != nil {
		return err
	}
	return bridge.Consume(ctx, consumer, out, bridge.WithCounters(counters))
}

func logJSON(token crisp.Token) error {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(logger)
	client, err := crisp.New(token, crisp.WithLogger(logger))
	_ = client
	return err
}

func logFailures(next crisp.Handler) crisp.Handler {
	return func(ctx context.Context, ev crisp.Event) error {
		err := next(ctx, ev)
		if err != nil {
			span := trace.SpanContextFromContext(ctx)
			slog.ErrorContext(ctx, "an event failed", "event", ev.EventName(), "error", err, "trace_id", span.TraceID())
		}
		return err
	}
}

// TestALineOfTheLogNamesTheTrace runs the middleware of docs/operations.md.
func TestALineOfTheLogNamesTheTrace(t *testing.T) {
	r := record(t)
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(before)
	router := r.router()
	router.Use(logFailures)
	router.OnAny(func(context.Context, crisp.Event) error { return assert.AnError })
	require.Error(t, router.Dispatch(t.Context(), message()))
	assert.Contains(t, out.String(), "trace_id="+r.span(processSpan).SpanContext().TraceID().String())
}
