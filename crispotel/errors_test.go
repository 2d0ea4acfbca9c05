package crispotel_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crispotel"
)

// trap is an error whose methods panic.
type trap struct{}

func (*trap) Error() string   { panic("a text") }
func (*trap) Is(error) bool   { panic("a text") }
func (*trap) As(any) bool     { panic("a text") }
func (*trap) Unwrap() error   { panic("a text") }
func (*trap) Timeout() bool   { panic("a text") }
func (*trap) Temporary() bool { panic("a text") }

// traps are errors that panic when they are looked at: the usual ones are nil pointers.
var traps = map[string]error{
	"*crisp.APIError":      (*crisp.APIError)(nil),
	"*crisp.HandlerError":  (*crisp.HandlerError)(nil),
	"*net.OpError":         (*net.OpError)(nil),
	"*crispotel_test.trap": new(trap),
}

// TestErrorsThatPanicWhenLookedAt has them where errors are named.
func TestErrorsThatPanicWhenLookedAt(t *testing.T) {
	for want, err := range traps {
		t.Run(want, func(t *testing.T) {
			r := record(t)
			handle := crispotel.Middleware(r.opts...)(func(context.Context, crisp.Event) error { return err })
			publisher := crispotel.Publisher(publisherFunc(func(context.Context, bridge.Message) error { return err }), r.opts...)
			transport := crispotel.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, err }), r.opts...)
			req, e := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/v1/website/w", nil)
			require.NoError(t, e)
			assert.NotPanics(t, func() {
				assert.Same(t, err, handle(t.Context(), message()))
				assert.Same(t, err, publisher.Publish(t.Context(), bridge.NewMessage(message())))
				_, got := transport.RoundTrip(req) //nolint:bodyclose // there is no answer
				assert.Same(t, err, got)
			})
			for _, name := range []string{processSpan, "publish message:send", websiteSpan} {
				assert.Equal(t, want, attributesOf(r.span(name).Attributes())["error.type"], name)
			}
			assert.NotContains(t, r.everything(), "a text")
		})
	}
}
