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

// safeBackoff is the user's Backoff, or the default where that one panics.
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

// A short connection is a flap. After a few in a row they count as failed attempts: a server
// that accepts and drops at once would otherwise be asked again without pause, forever.
const (
	flapping      = 5 * time.Second // a connection shorter than this is a flap
	flapsForgiven = 2               // this many in a row are still retried at once
)

// A connection costs a REST call, and a few more with a backfill. Something that cuts
// connections again and again, after whatever time, must not use up the quota of a day. So
// they have an allowance, a token bucket: some at once, and then one every allowedEvery. A
// connection that costs more than allowedRequests counts as several.
const (
	allowedAtOnce   = 6
	allowedEvery    = 2 * time.Minute
	allowedRequests = 4
	mostConnections = 5 // how many a single one counts as, at most
)

// allowance is the token bucket of connections.
type allowance struct {
	used float64   // connections in the bucket, as of at
	at   time.Time // when it was used last
}

// use counts a connection that has cost some requests, and returns how long the next
// has to wait.
func (a *allowance) use(now time.Time, requests int64) time.Duration {
	counts := min(max(1, float64(requests)/allowedRequests), mostConnections)
	a.used = max(0, a.used-now.Sub(a.at).Seconds()/allowedEvery.Seconds()) + counts
	a.at = now
	return time.Duration(max(0, a.used-allowedAtOnce) * float64(allowedEvery))
}

// idleCuts detects a proxy, or whatever else on the way, that cuts idle connections: two in a
// row ended after about the same time without traffic.
type idleCuts struct {
	last  time.Duration // without traffic before the last connection's end; 0 = it was no cut
	every time.Duration // how often traffic is needed; 0 = not known
}

// shortestIdle is the shortest time without traffic that is taken for the cause of a cut.
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
	attempt   int           // number of the next attempt since the last success; what Backoff.Delay gets
	flaps     int           // in a row
	allowance *allowance    // nil = no limit
	wait      time.Duration // that the allowance asks for
}

// failed counts a failed connection attempt.
func (r *retries) failed() { r.attempt, r.wait = r.attempt+1, 0 }

// ended counts a connection that lived for a time and has cost some REST requests. The count
// of attempts starts anew, unless it was one flap too many.
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

// askedToWait returns the Retry-After of a refusal, by REST or of the WebSocket, at most
// longestWait; 0 if there was none.
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

// staleEndpointError is the error of an attempt for which REST named no endpoint, and the one
// that it had named before could not be connected to.
type staleEndpointError struct{ fetch, connect error }

func (e *staleEndpointError) Error() string {
	return fmt.Sprintf("%v; the endpoint known from before: %v", e.fetch, e.connect)
}

func (e *staleEndpointError) Unwrap() []error { return []error{e.fetch, e.connect} }

// fatal reports whether trying again can't help. Before the first success, a refusal by Crisp
// such as 404 is a mistake in the set-up; later it is taken for a passing fault, as is always
// what comes from something in between.
func fatal(err error, connectedBefore bool) bool {
	var stale *staleEndpointError
	if errors.As(err, &stale) { // another server may have that address by now: only a verdict on the credentials shows that it is Crisp's
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
