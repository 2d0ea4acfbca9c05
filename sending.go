package crisp

import (
	"context"
	"time"
)

// Sending describes one attempt to send a REST call.
type Sending struct {
	// Number counts the attempts, from 1. It is more than 1 if the call was refused for the
	// rate, or failed and may be repeated.
	Number int
	// Waited is how long this attempt was held back: by the client's pace, by the time that a
	// refusal asked for, or by the pause after a failure.
	Waited time.Duration
}

// SendingOf returns the Sending of a REST request, from the request's context: for an
// [http.RoundTripper] that is given to [WithHTTPClient]. It reports false for other
// requests, such as the one that becomes a WebSocket.
func SendingOf(ctx context.Context) (s Sending, ok bool) {
	s, ok = ctx.Value(sendingKey{}).(Sending)
	return s, ok
}

// sendingKey is the key of the Sending in a request's context.
type sendingKey struct{}

func withSending(ctx context.Context, s Sending) context.Context {
	return context.WithValue(ctx, sendingKey{}, s)
}
