package crisp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// Backoff decides how long to wait before a connection attempt. Delay is
// called with the number of the attempt since the last success, from 1, and
// returns the wait before it. It must be safe for concurrent use if several RTM
// clients share it.
type Backoff interface {
	Delay(attempt int) time.Duration
}

// ExponentialBackoff is the default [Backoff]: the first retry at once, as
// Crisp's RTM guide asks, then a random wait of up to Base, up to Base times
// Factor, and so on to Max ("full jitter": the random part is the whole wait,
// so that clients that lost the same server don't come back in step).
//
// The zero value is ready to use, with the defaults below.
type ExponentialBackoff struct {
	Base   time.Duration // the first window; default 2 s
	Max    time.Duration // the largest window; default 60 s
	Factor float64       // from window to window; default 2
}

// Defaults of [ExponentialBackoff]; docs/reliability.md has the simulation
// that they come from.
const (
	defaultBackoffBase   = 2 * time.Second
	defaultBackoffMax    = time.Minute
	defaultBackoffFactor = 2
)

// Delay is 0 for the first attempt, then random within a growing window.
func (b ExponentialBackoff) Delay(attempt int) time.Duration {
	window := b.Window(attempt)
	if window <= 0 {
		return 0
	}
	return rand.N(window)
}

// Window is the longest wait that Delay returns for an attempt: 0 for the first.
func (b ExponentialBackoff) Window(attempt int) time.Duration {
	base, limit, factor := b.Base, b.Max, b.Factor
	if base <= 0 {
		base = defaultBackoffBase
	}
	if limit <= 0 {
		limit = defaultBackoffMax
	}
	if factor < 1 {
		factor = defaultBackoffFactor
	}
	if attempt <= 1 {
		return 0
	}
	window := float64(base)
	for range attempt - 2 {
		window *= factor
		if window >= float64(limit) {
			return limit
		}
	}
	return min(time.Duration(window), limit)
}

// safeBackoff is a Backoff that waits as the default does where the user's fails.
type safeBackoff struct {
	Backoff
	report func(error)
}

func (b safeBackoff) Delay(attempt int) (delay time.Duration) {
	err := callUser("Backoff.Delay", func() error { delay = b.Backoff.Delay(attempt); return nil })
	if err != nil {
		b.report(err)
		return ExponentialBackoff{}.Delay(attempt)
	}
	return delay
}

// Connections that end within flapping are not counted as a success for long: a
// server that accepts and then drops at once would otherwise be asked again
// without pause, forever.
const (
	flapping      = 5 * time.Second // a connection shorter than this is a flap
	flapsForgiven = 2               // this many in a row are still retried at once
)

// A connection costs a REST call, and a few more with a backfill. So that what cuts
// it again and again, after whatever time, does not use up the quota of a day, there
// are some at once, and then one each allowedEvery. One that costs more than
// allowedRequests counts as several.
const (
	allowedAtOnce   = 6
	allowedEvery    = 2 * time.Minute
	allowedRequests = 4
	mostConnections = 5 // that one counts as
)

// allowance is how many connections were made lately.
type allowance struct {
	used float64
	at   time.Time // when that was
}

// use counts a connection that has cost some requests, and returns how long the next
// has to wait.
func (a *allowance) use(now time.Time, requests int64) time.Duration {
	counts := min(max(1, float64(requests)/allowedRequests), mostConnections)
	a.used = max(0, a.used-now.Sub(a.at).Seconds()/allowedEvery.Seconds()) + counts
	a.at = now
	return time.Duration(max(0, a.used-allowedAtOnce) * float64(allowedEvery))
}

// idleCuts finds out after which time without traffic something on the way cuts a
// connection: the last two ended after about the same.
type idleCuts struct {
	last  time.Duration // without traffic before the last end; 0 = that was no cut
	every time.Duration // how soon traffic is needed; 0 = that is not known
}

// shortestIdle is how soon a connection may be cut for being idle.
const shortestIdle = time.Second

// ended notes how long a connection had been idle when it ended, and why it did.
func (i *idleCuts) ended(idle time.Duration, err error) {
	if idle < shortestIdle || errors.Is(err, socketio.ErrTimeout) || errors.Is(err, socketio.ErrServerDisconnect) {
		i.last = 0
		return
	}
	if (idle - i.last).Abs() <= idle/5 {
		i.every = idle / 2
	}
	i.last = idle
}

// retries counts towards the next attempt's delay.
type retries struct {
	attempt   int           // since the last success; what Backoff.Delay gets
	flaps     int           // short connections in a row
	allowance *allowance    // nil = no limit
	wait      time.Duration // by the allowance
}

// failed counts a connection attempt that came to nothing.
func (r *retries) failed() { r.attempt, r.wait = r.attempt+1, 0 }

// ended counts a connection that was live for some time and has cost some REST
// requests: the counter starts anew, unless it is one of a row of short ones.
func (r *retries) ended(lived time.Duration, requests int64) {
	r.attempt = 1
	if r.allowance != nil {
		r.wait = r.allowance.use(time.Now(), requests)
	}
	if lived >= flapping {
		r.flaps = 0
		return
	}
	r.flaps++
	r.attempt += max(0, r.flaps-flapsForgiven)
}

// delay is the wait before the next attempt: the policy's, or what the server
// asked for or the allowance needs, if that is longer.
func (r *retries) delay(policy Backoff, cause error) time.Duration {
	return max(0, policy.Delay(r.attempt), askedToWait(cause), r.wait)
}

// askedToWait is the Retry-After of a refusal, by REST or of the WebSocket, as far
// as it is believed; 0 if there was none.
func askedToWait(cause error) time.Duration {
	var wait time.Duration
	var refusal *APIError
	if errors.As(cause, &refusal) {
		wait = min(refusal.RetryAfter, longestWait)
	}
	var upgrade *socketio.UpgradeError
	if errors.As(cause, &upgrade) {
		wait = max(wait, min(parseRetryAfter(upgrade.RetryAfter, time.Now()), longestWait))
	}
	return wait
}

// staleEndpointError is for an attempt for which REST named no endpoint, and at the
// one that it had named before there was no connection to be had, either.
type staleEndpointError struct{ fetch, connect error }

func (e *staleEndpointError) Error() string {
	return fmt.Sprintf("%v; the endpoint known from before: %v", e.fetch, e.connect)
}

func (e *staleEndpointError) Unwrap() []error { return []error{e.fetch, e.connect} }

// fatal reports whether trying again can't help. Before the first success, a
// refusal by Crisp such as 404 is a mistake in the set-up; later on it is taken
// for a passing fault. What is not Crisp's word is always taken for that.
func fatal(err error, connectedBefore bool) bool {
	var stale *staleEndpointError
	if errors.As(err, &stale) { // somebody else may be there by now, but nobody else judges credentials
		return errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRoom)
	}
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRoom) || errors.Is(err, ErrScope) || errors.Is(err, ErrInsecure) || unsupported(err) {
		return true
	}
	if connectedBefore {
		return false
	}
	var upgrade *socketio.UpgradeError
	return final(err) || errors.As(err, &upgrade) && upgrade.Reason != "" // it was Engine.IO that refused, not a gateway
}

// unsupported reports whether the server and this program don't fit together: in
// the protocol, in what the HTTP client can do, or in the subscription's size.
func unsupported(err error) bool {
	var version *socketio.VersionError
	var oversize *socketio.OversizeError
	return errors.Is(err, socketio.ErrUnsupported) || errors.As(err, &version) || errors.As(err, &oversize)
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
