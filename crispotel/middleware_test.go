package crispotel_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
	"github.com/crisp-go/crisp/crisptest"
)

const processSpan = "process message:send"

// writtenError is an error that says what a person has written.
type writtenError struct{ text string }

func (e *writtenError) Error() string { return e.text }

// TestErrorsAreNamedByClassOrType has handlers fail in each way.
func TestErrorsAreNamedByClassOrType(t *testing.T) {
	const text = "my card is 4111 1111 1111 1111"
	for want, err := range map[string]error{
		"*errors.errorString":          errors.New(text),
		"*crispotel_test.writtenError": fmt.Errorf("%s: %w", text, &writtenError{text}),
		"unauthorized":                 &crisp.APIError{StatusCode: 401, Reason: text},
		"scope":                        fmt.Errorf("x: %w", &crisp.APIError{StatusCode: 403, Reason: "not_allowed"}),
		"quota":                        &crisp.APIError{StatusCode: 423, Reason: text},
		"rate_limited":                 &crisp.APIError{StatusCode: 429, Reason: text},
		"rest_404":                     &crisp.APIError{StatusCode: 404, Reason: text},
		"*crisp.APIError":              &crisp.APIError{StatusCode: 599, Reason: text},
		"*crisp.InvalidError":          &crisp.InvalidError{Field: text, Reason: text},
		"timeout":                      context.DeadlineExceeded,
		"canceled":                     context.Canceled,
		"paused":                       crisp.ErrPaused,
		"superseded":                   crisp.ErrSuperseded,
		"reply_limit":                  crisp.ErrReplyLimit,
		"too_large":                    &bridge.TooLargeError{},
		"closed":                       errors.Join(crisp.ErrClosed, errors.New(text)),
		"crispotel_test.generic[int]":  generic[int]{},
	} {
		t.Run(want, func(t *testing.T) {
			r := record(t)
			router := r.router()
			router.OnAny(func(context.Context, crisp.Event) error { return err })
			require.Error(t, router.Dispatch(t.Context(), message()))
			span := r.span(processSpan)
			assert.Equal(t, codes.Error, span.Status().Code)
			assert.Equal(t, want, span.Status().Description)
			assert.Equal(t, want, attributesOf(span.Attributes())["error.type"])
			assert.InDelta(t, 1, r.total("messaging.client.consumed.messages", map[string]string{"error.type": want}), 0)
			assert.NotContains(t, r.everything(), "4111")
		})
	}
}

type generic[T any] struct{}

func (generic[T]) Error() string { return "" }

func TestAnEventThatIsHandledIsNoError(t *testing.T) {
	r := record(t)
	router := r.router()
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	require.NoError(t, router.Dispatch(t.Context(), message()))
	assert.Equal(t, codes.Unset, r.span(processSpan).Status().Code)
	assert.NotContains(t, attributesOf(r.span(processSpan).Attributes()), "error.type")
}

// TestPanicsAreNotedAndGoOn has a handler panic, and middleware, of which the router hears only
// if it goes on.
func TestPanicsAreNotedAndGoOn(t *testing.T) {
	const text = "what somebody wrote"
	panics := func(context.Context, crisp.Event) error { panic(text) }
	for name, prepare := range map[string]func(*crisp.Router){
		"a handler": func(router *crisp.Router) { router.OnAny(panics) },
		"middleware": func(router *crisp.Router) {
			router.Use(func(crisp.Handler) crisp.Handler { return panics })
			router.OnAny(func(context.Context, crisp.Event) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := record(t)
			router := r.router()
			prepare(router)
			err := router.Dispatch(t.Context(), message())
			var failed *crisp.HandlerError
			require.ErrorAs(t, err, &failed)
			assert.Contains(t, failed.Error(), text)
			assert.Contains(t, string(failed.Stack), "TestPanicsAreNotedAndGoOn", "where it came from")

			span := r.span(processSpan)
			assert.Equal(t, "panic", span.Status().Description)
			require.Len(t, span.Events(), 1)
			event := span.Events()[0]
			assert.Equal(t, "exception", event.Name)
			about := attributesOf(event.Attributes)
			assert.Equal(t, "panic", about["exception.type"])
			assert.Contains(t, about["exception.stacktrace"], "TestPanicsAreNotedAndGoOn")
			assert.NotContains(t, r.everything(), text)
			assert.InDelta(t, 1, r.total("messaging.process.duration", map[string]string{"error.type": "panic"}), 0)
		})
	}
}

func TestAHandlerThatEndsItsGoroutine(t *testing.T) {
	r := record(t)
	router := r.router()
	router.OnAny(func(context.Context, crisp.Event) error { runtime.Goexit(); return nil })
	var ended sync.WaitGroup
	ended.Go(func() { _ = router.Dispatch(context.Background(), message()) })
	ended.Wait()
	span := r.span(processSpan)
	assert.Equal(t, "goexit", span.Status().Description)
	assert.Empty(t, span.Events())
	assert.InDelta(t, 1, r.total("messaging.client.consumed.messages", map[string]string{"error.type": "goexit"}), 0)
}

// TestSpansLastAsLongAsTheHandlers looks at the time, and at what is open meanwhile.
func TestSpansLastAsLongAsTheHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		router := r.router()
		router.OnAny(func(context.Context, crisp.Event) error {
			assert.Empty(t, r.ended())
			time.Sleep(3 * time.Second)
			return nil
		})
		require.NoError(t, router.Dispatch(t.Context(), message()))
		span := r.span(processSpan)
		assert.Equal(t, 3*time.Second, span.EndTime().Sub(span.StartTime()))
		assert.InDelta(t, 3, r.points("messaging.process.duration")[0].sum, 0)
	})
}

// TestRetryIsWithinTheSpan has the handlers run several times in one span, or in one each.
func TestRetryIsWithinTheSpan(t *testing.T) {
	for name, tt := range map[string]struct {
		order func(observed, retry func(crisp.Handler) crisp.Handler) []func(crisp.Handler) crisp.Handler
		spans int
	}{
		"before Retry": {func(observed, retry func(crisp.Handler) crisp.Handler) []func(crisp.Handler) crisp.Handler {
			return []func(crisp.Handler) crisp.Handler{observed, retry}
		}, 1},
		"behind Retry": {func(observed, retry func(crisp.Handler) crisp.Handler) []func(crisp.Handler) crisp.Handler {
			return []func(crisp.Handler) crisp.Handler{retry, observed}
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := record(t)
				router := crisp.NewRouter()
				retry := crisp.Retry(crisp.RetryPolicy{Retrying: func(context.Context, crisp.Event, error, time.Duration) {}})
				router.Use(tt.order(crispotel.Middleware(r.opts...), retry)...)
				attempts := 0
				router.OnAny(func(context.Context, crisp.Event) error {
					if attempts++; attempts < 3 {
						return errors.New("not yet")
					}
					return nil
				})
				require.NoError(t, router.Dispatch(t.Context(), message()))
				assert.Len(t, r.ended(), tt.spans)
			})
		})
	}
}

func TestTheCallersSpanIsTheParent(t *testing.T) {
	r := record(t)
	router := r.router()
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	ctx, parent := r.tracer.Tracer("test").Start(t.Context(), "mine")
	require.NoError(t, router.Dispatch(ctx, message()))
	parent.End()
	assert.Equal(t, parent.SpanContext().SpanID(), r.span(processSpan).Parent().SpanID())
}

// TestHandlersSeeTheirSpan adds an attribute of a handler's own.
func TestHandlersSeeTheirSpan(t *testing.T) {
	r := record(t)
	router := r.router()
	router.OnAny(func(ctx context.Context, _ crisp.Event) error {
		trace.SpanFromContext(ctx).AddEvent("mine")
		return nil
	})
	require.NoError(t, router.Dispatch(t.Context(), message()))
	assert.Len(t, r.span(processSpan).Events(), 1)
}

// TestNamesOfEvents is of those that attributes may have.
func TestNamesOfEvents(t *testing.T) {
	hostile := "session_f3c1a7e5 " + string(make([]byte, 1000))
	for name, want := range map[string]string{
		"message:send":    "message:send",
		"session:updated": "session:update_verify", // an alias
		"mine:event":      "mine:event",
		"their:event":     "_OTHER",
		hostile:           "_OTHER",
		"":                "_OTHER",
	} {
		t.Run(want, func(t *testing.T) {
			r := record(t, crispotel.WithEventNames("mine:event"))
			router := r.router()
			router.OnAny(func(context.Context, crisp.Event) error { return nil })
			ev, err := crisp.Decode(name, []byte(`{}`))
			require.NoError(t, err)
			require.NoError(t, router.Dispatch(t.Context(), ev))
			assert.Equal(t, want, attributesOf(r.span("process " + want).Attributes())["messaging.destination.name"])
			assert.InDelta(t, 1, r.total("messaging.client.consumed.messages", map[string]string{"messaging.destination.name": want}), 0)
		})
	}
	for _, info := range crisp.Events() {
		r := record(t)
		router := r.router()
		router.OnAny(func(context.Context, crisp.Event) error { return nil })
		require.NoError(t, router.Dispatch(t.Context(), crisptest.Sample(info.Name)))
		r.span("process " + info.Name)
	}
}
