package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	// maxSendings is how often a call that may be repeated is sent, if the
	// network or the server fails each time.
	maxSendings = 4

	minFailureWait = 250 * time.Millisecond
	maxFailureWait = 5 * time.Second
)

// Idempotent marks the calls that are made with the context as harmless to
// repeat: if the network or the server fails (no answer, or status 5xx), they
// are sent again a few times, as GET and HEAD always are. Without it, calls of
// other methods are not, as nobody knows whether they have had their effect.
//
// To set a state twice is harmless. To send a message twice is not: the visitor
// may get both.
func Idempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotentKey{}, true)
}

type idempotentKey struct{}

// repeatable tells whether a call may be sent again although it may have had
// its effect.
func repeatable(ctx context.Context, method string) bool {
	return method == http.MethodGet || method == http.MethodHead || ctx.Value(idempotentKey{}) != nil
}

// send sends a call when the limiter lets it, and again if it was refused for
// the rate, which means that it had no effect, or if it failed and is
// repeatable.
func (c *Client) send(ctx context.Context, call *call) (*answer, error) {
	turn := c.limiter.newTurn(call.patience)
	if err := c.limiter.wait(ctx, turn); err != nil {
		return nil, fmt.Errorf("crisp: %s: not sent: %w", call, err)
	}
	for sendings := 1; ; sendings++ {
		if err := call.allow(); err != nil {
			c.limiter.lost()
			return nil, err
		}
		answer, err := c.sendOnce(ctx, call)
		again := c.refused(turn, answer, err)
		if !again && sendings < maxSendings && repeatable(ctx, call.method) && failed(ctx, answer, err) {
			turn.notBefore = time.Now().Add(failureWait(answer, sendings))
			again = true
		}
		if !again {
			return answer, err
		}
		if err == nil {
			err = answer.decode(nil)
		}
		if cause := c.limiter.wait(ctx, turn); errors.Is(cause, ErrRateLimited) {
			return nil, err
		} else if cause != nil {
			return nil, fmt.Errorf("%w; not sent again: %w", err, cause)
		}
		c.logger.LogAttrs(ctx, slog.LevelWarn, "crisp: REST call is sent again", slog.Any("error", err))
	}
}

// refused tells the limiter what became of a call, and tells whether that is a
// refusal for the rate.
func (c *Client) refused(turn *turn, answer *answer, err error) bool {
	switch {
	case err != nil:
		c.limiter.lost()
	case !limited(answer.status):
		c.limiter.accepted(turn)
	case errors.Is(answer.decode(nil), ErrQuota):
		c.limiter.lost() // whatever the pace
	default:
		c.limiter.refused(turn, answer.retryAfter())
		return true
	}
	return false
}

// failed tells whether the network or the server failed. A call that has used
// up its time has not failed.
func failed(ctx context.Context, answer *answer, err error) bool {
	if err != nil {
		return ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded)
	}
	return answer.status >= http.StatusInternalServerError
}

func failureWait(answer *answer, failures int) time.Duration {
	wait := backoffAfter(failures, minFailureWait, maxFailureWait)
	if answer == nil {
		return wait
	}
	return max(wait, answer.retryAfter())
}
