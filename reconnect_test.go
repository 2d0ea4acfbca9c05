package crisp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/socketio"
)

func TestExponentialBackoffWindows(t *testing.T) {
	tests := []struct {
		name string
		b    ExponentialBackoff
		want []time.Duration // of the attempts 1, 2, …
	}{
		{"defaults", ExponentialBackoff{}, []time.Duration{
			0, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute,
		}},
		{"own", ExponentialBackoff{Base: time.Second, Max: 10 * time.Second, Factor: 3}, []time.Duration{
			0, time.Second, 3 * time.Second, 9 * time.Second, 10 * time.Second, 10 * time.Second,
		}},
		{"base above max", ExponentialBackoff{Base: time.Hour, Max: time.Second}, []time.Duration{0, time.Second, time.Second}},
		{"nonsense is defaults", ExponentialBackoff{Base: -1, Max: -1, Factor: 0.5}, []time.Duration{0, 2 * time.Second, 4 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, want := range tt.want {
				assert.Equal(t, want, tt.b.Window(i+1), "attempt %d", i+1)
			}
			assert.Zero(t, tt.b.Window(0))
			assert.LessOrEqual(t, tt.b.Window(1_000_000), time.Minute, "never more than the maximum")
		})
	}
}

func TestExponentialBackoffUsesItsWholeWindow(t *testing.T) {
	const draws = 1000
	window := ExponentialBackoff{}.Window(5)
	low, high := window, time.Duration(0)
	for range draws {
		d := ExponentialBackoff{}.Delay(5)
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.Less(t, d, window)
		low, high = min(low, d), max(high, d)
	}
	// Each bound fails with a probability below 0.9^1000.
	assert.Less(t, low, window/10)
	assert.Greater(t, high, window*9/10)
}

func TestRetriesCount(t *testing.T) {
	r := retries{attempt: 1}
	r.failed()
	r.failed()
	assert.Equal(t, 3, r.attempt)

	r.ended(time.Hour, 1)
	assert.Equal(t, 1, r.attempt, "a success resets the counter")

	var attempts []int
	for range 5 {
		r.ended(flapping-1, 1)
		attempts = append(attempts, r.attempt)
	}
	assert.Equal(t, []int{1, 1, 2, 3, 4}, attempts, "a row of short sessions slows down")

	r.ended(flapping, 1)
	assert.Equal(t, 1, r.attempt)
	r.ended(0, 1)
	assert.Equal(t, 1, r.attempt, "a long session ends the row")
}

type constantBackoff time.Duration

func (b constantBackoff) Delay(int) time.Duration { return time.Duration(b) }

func TestRetriesHonourRetryAfter(t *testing.T) {
	limited := fmt.Errorf("attempt: %w", &APIError{StatusCode: http.StatusTooManyRequests, RetryAfter: time.Minute})
	upgrade := fmt.Errorf("attempt: %w", &socketio.UpgradeError{StatusCode: http.StatusServiceUnavailable, RetryAfter: "90"})
	tests := []struct {
		name   string
		policy Backoff
		cause  error
		want   time.Duration
	}{
		{"that of a refused WebSocket", constantBackoff(time.Second), upgrade, 90 * time.Second},
		{"the policy's", constantBackoff(time.Second), errors.New("reset"), time.Second},
		{"the server's, if longer", constantBackoff(time.Second), limited, time.Minute},
		{"the policy's, if longer", constantBackoff(time.Hour), limited, time.Hour},
		{"never negative", constantBackoff(-time.Second), nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := retries{attempt: 1}
			assert.Equal(t, tt.want, r.delay(tt.policy, tt.cause))
		})
	}
}

func TestFatal(t *testing.T) {
	status := func(code int) error {
		return fmt.Errorf("endpoint: %w", &APIError{StatusCode: code, Reason: "refused"})
	}
	gateway := func(code int) error { return fmt.Errorf("endpoint: %w", &APIError{StatusCode: code}) }
	tests := []struct {
		name      string
		err       error
		first     bool // fatal before the first connection
		afterward bool // fatal later on
	}{
		{"unauthorized event", ErrUnauthorized, true, true},
		{"REST 401", status(401), true, true},
		{"REST 403", status(403), true, true},
		{"REST 403, a scope", fmt.Errorf("endpoint: %w", &APIError{StatusCode: 403, Reason: "not_allowed"}), true, true},
		{"a used up quota", fmt.Errorf("endpoint: %w", &APIError{StatusCode: 403, Reason: "quota_limit_exceeded"}), false, false},
		{"REST 404", status(404), true, false},
		{"a gateway's 400", gateway(400), false, false},
		{"a gateway's 401", gateway(401), false, false},
		{"a gateway's 403", gateway(403), false, false},
		{"a gateway's 404", gateway(404), false, false},
		{"REST 408", status(408), false, false},
		{"REST 420", status(420), false, false},
		{"REST 429", status(429), false, false},
		{"REST 500", status(500), false, false},
		{"REST 502", status(502), false, false},
		{"no TLS", ErrInsecure, true, true},
		{"other Engine.IO", fmt.Errorf("dial: %w", &socketio.VersionError{Wanted: 4, Got: 3}), true, true},
		{"silence", ErrSilent, false, false},
		{"network", errors.New("connection refused"), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.first, fatal(tt.err, false), "before the first connection")
			assert.Equal(t, tt.afterward, fatal(tt.err, true), "after it")
		})
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, sleep(t.Context(), time.Minute))
		assert.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		assert.ErrorIs(t, sleep(ctx, time.Hour), cause)
		assert.Equal(t, time.Minute+time.Second, time.Since(began))

		assert.Error(t, sleep(ctx, 0), "an ended context wins over no wait")
	})
}

func TestAllowance(t *testing.T) {
	for name, tt := range map[string]struct {
		requests int64
		every    time.Duration // a connection ends
		want     time.Duration // to wait after the 20th
	}{
		"some hours apart":           {300, 3 * time.Hour, 0},
		"as often as is allowed":     {4, 2 * time.Minute, 0},
		"all at once":                {1, 0, 14 * 2 * time.Minute},
		"that cost a few requests":   {8, 0, 34 * 2 * time.Minute},
		"that cost many":             {500, 10 * time.Minute, 0},
		"that cost many, and often":  {500, 5 * time.Minute, (20*5 - 19*2.5 - 6) * 2 * time.Minute},
		"that cost less than a call": {0, 0, 14 * 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			var a allowance
			now := time.Now()
			var wait time.Duration
			for range 20 {
				wait = a.use(now, tt.requests)
				now = now.Add(tt.every)
			}
			assert.InDelta(t, tt.want, wait, float64(time.Second))
		})
	}
}

func TestIdleCuts(t *testing.T) {
	const s = time.Second
	eof := errors.New("EOF")
	type end struct {
		idle time.Duration
		err  error
	}
	for name, tt := range map[string]struct {
		ends []end
		want time.Duration
	}{
		"one":                       {[]end{{6 * s, eof}}, 0},
		"two after the same time":   {[]end{{6 * s, eof}, {6*s + s/2, eof}}, 3*s + s/4},
		"after different times":     {[]end{{6 * s, eof}, {2 * s, eof}, {9 * s, eof}}, 0},
		"of busy connections":       {[]end{{s / 2, eof}, {s / 2, eof}}, 0},
		"not one after the other":   {[]end{{6 * s, eof}, {0, eof}, {6 * s, eof}}, 0},
		"ended by this client":      {[]end{{45 * s, socketio.ErrTimeout}, {45 * s, socketio.ErrTimeout}}, 0},
		"ended by Crisp":            {[]end{{5 * s, socketio.ErrServerDisconnect}, {5 * s, socketio.ErrServerDisconnect}}, 0},
		"another proxy, later":      {[]end{{60 * s, eof}, {60 * s, eof}, {6 * s, eof}, {6 * s, eof}}, 3 * s},
		"kept, and ended meanwhile": {[]end{{6 * s, eof}, {6 * s, eof}, {2 * s, eof}}, 3 * s},
	} {
		t.Run(name, func(t *testing.T) {
			var i idleCuts
			for _, e := range tt.ends {
				i.ended(e.idle, e.err)
			}
			assert.Equal(t, tt.want, i.every)
		})
	}
}

func TestBudgetOfAnHour(t *testing.T) {
	var b budget
	now := clock.Moment(time.Hour)
	spend := func(n int) (spent int) {
		for range n {
			if b.spend(now, 60) {
				spent++
			}
		}
		return spent
	}
	assert.Equal(t, 60, spend(100))
	now = now.Add(10 * time.Minute)
	assert.Equal(t, 10, spend(100))
	assert.EqualValues(t, 70, b.take())
	now = now.Add(24 * time.Hour)
	assert.Equal(t, 60, spend(100))
	assert.EqualValues(t, 60, b.take())
}
