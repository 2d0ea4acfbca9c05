package crisp

import (
	"context"
	"time"

	"github.com/crisp-go/crisp/internal/pace"
)

// Sending is what is known of a REST call at the time when its request is sent.
type Sending struct {
	// Number is how often the call has been sent, this time included: more than 1 if it
	// was refused for the rate, or failed and may be repeated.
	Number int
	// Waited is how long it has waited for this time to come: for the client's pace,
	// after a refusal as long as the server asked for, after a failure for a while.
	Waited time.Duration
}

// SendingOf returns what is known of a REST call by the context of its request: for an
// [http.RoundTripper] that is given to [WithHTTPClient]. It reports false for other
// requests, such as that which becomes a WebSocket.
func SendingOf(ctx context.Context) (s Sending, ok bool) {
	s, ok = ctx.Value(sendingKey{}).(Sending)
	return s, ok
}

// sendingKey is where the context of a request has its Sending.
type sendingKey struct{}

func withSending(ctx context.Context, call *call) context.Context {
	return context.WithValue(ctx, sendingKey{}, Sending{Number: call.sent, Waited: call.waited})
}

// wait waits for the call's turn, and notes for how long.
func (c *call) wait(ctx context.Context, turn *pace.Turn) error {
	began := time.Now()
	err := turn.Wait(ctx)
	c.waited = time.Since(began)
	return err
}
