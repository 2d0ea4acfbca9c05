package crisp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

var errLocked = errors.New("database is locked")

// everySecond is a Backoff.
type everySecond struct{}

func (everySecond) Delay(int) time.Duration { return time.Second }

// failing is a handler that fails so many times, then succeeds. It notes when it ran.
type failing struct {
	times int
	err   error
	began time.Time
	at    []time.Duration
}

func (f *failing) handle(context.Context, *crisp.MessageSend) error {
	f.at = append(f.at, time.Since(f.began))
	if len(f.at) <= f.times {
		return fmt.Errorf("attempt %d: %w", len(f.at), f.err)
	}
	return nil
}

// deadLetter is what a dead letter callback got.
type deadLetter struct {
	event crisp.Event
	err   error
}

// retried is a router with Retry that keeps what becomes of events.
type retried struct {
	*crisp.Router
	dead     testkit.Log[deadLetter]
	reported testkit.Log[error]
}

func newRetried(policy crisp.RetryPolicy) *retried {
	r := new(retried)
	r.Router = crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { r.reported.Add(err) }))
	if policy.DeadLetter == nil {
		policy.DeadLetter = func(_ context.Context, ev crisp.Event, err error) error {
			r.dead.Add(deadLetter{ev, err})
			return nil
		}
	}
	if policy.Retrying == nil {
		policy.Retrying = func(context.Context, crisp.Event, error, time.Duration) {}
	}
	r.Use(crisp.Retry(policy))
	return r
}

func joined(t *testing.T, err error) []error {
	t.Helper()
	all, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T", err)
	return all.Unwrap()
}

func question() *crisp.MessageSend {
	return &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1", Fingerprint: 1}
}

func TestRetryRunsAFailedHandlerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		r := newRetried(crisp.RetryPolicy{Retrying: func(_ context.Context, _ crisp.Event, err error, delay time.Duration) {
			assert.ErrorIs(t, err, errLocked)
			waits = append(waits, delay)
		}})
		h := &failing{times: 4, err: errLocked, began: time.Now()}
		crisp.On(r.Router, h.handle)
		require.NoError(t, r.Dispatch(t.Context(), question()))
		require.Len(t, h.at, 5)
		require.Len(t, waits, 4)
		assert.Zero(t, waits[0], "the first at once")
		var at time.Duration
		for i, wait := range waits {
			at += wait
			assert.Equal(t, at, h.at[i+1])
			assert.LessOrEqual(t, wait, time.Second<<max(i-1, 0))
		}
		assert.Empty(t, r.dead.List())
		assert.Empty(t, r.reported.List(), "what was mended is no failure")
	})
}

func TestRetryLeavesADeadLetter(t *testing.T) {
	for name, tt := range map[string]struct {
		policy   crisp.RetryPolicy
		err      error
		attempts int
	}{
		"attempts used up":        {policy: crisp.RetryPolicy{Attempts: 3}, attempts: 3},
		"by default six":          {attempts: 6},
		"a single attempt":        {policy: crisp.RetryPolicy{Attempts: 1}, attempts: 1},
		"time used up":            {policy: crisp.RetryPolicy{Attempts: 100, Backoff: everySecond{}, MaxElapsed: 10 * time.Second}, attempts: 11},
		"a minute by default":     {policy: crisp.RetryPolicy{Attempts: 100, Backoff: everySecond{}}, attempts: 61},
		"not retryable":           {policy: crisp.RetryPolicy{Retryable: func(err error) bool { return !errors.Is(err, errLocked) }}, attempts: 1},
		"an argument of a call":   {err: &crisp.InvalidError{Field: "content", Reason: "empty"}, attempts: 1},
		"a limit of replies":      {err: crisp.ErrReplyLimit, attempts: 1},
		"a quota":                 {err: crisp.ErrQuota, attempts: 1},
		"a refusal for good":      {err: crispRefusal(t, 404), attempts: 1},
		"a failure of the server": {err: &crisp.APIError{StatusCode: 503}, attempts: 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRetried(tt.policy)
				h := &failing{times: 1000, err: errLocked, began: time.Now()}
				if tt.err != nil {
					h.err = tt.err
				}
				crisp.On(r.Router, h.handle)
				ev := question()
				require.NoError(t, r.Dispatch(t.Context(), ev), "it was taken")
				assert.Len(t, h.at, tt.attempts)
				require.Len(t, r.dead.List(), 1)
				dead := r.dead.List()[0]
				assert.Same(t, ev, dead.event)
				failures := joined(t, dead.err)
				require.Len(t, failures, tt.attempts)
				for i, failure := range failures {
					assert.ErrorIs(t, failure, h.err)
					assert.ErrorContains(t, failure, fmt.Sprintf("attempt %d: ", i+1))
				}
				assert.Empty(t, r.reported.List())
			})
		})
	}
}

// crispRefusal is a refusal of a REST call by Crisp.
func crispRefusal(t *testing.T, status int) error {
	t.Helper()
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(status, `{"error":true,"reason":"conversation_not_found","data":{}}`))
	err := client.Do(t.Context(), "GET", "a", nil, nil)
	require.Error(t, err)
	return err
}

func TestRetryWaitsAsLongAsACallWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{})
		h := &failing{times: 1, err: &crisp.APIError{StatusCode: 429, RetryAfter: 20 * time.Second}, began: time.Now()}
		crisp.On(r.Router, h.handle)
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Equal(t, []time.Duration{0, 20 * time.Second}, h.at)
	})
}

func TestRetryWithoutDeadLettersReportsAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported []error
		router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { reported = append(reported, err) }))
		router.Use(crisp.Retry(crisp.RetryPolicy{Attempts: 3, Retrying: func(context.Context, crisp.Event, error, time.Duration) {}}))
		crisp.On(router, (&failing{times: 3, err: errLocked}).handle)
		err := router.Dispatch(t.Context(), question())
		assert.Len(t, joined(t, err), 3)
		require.Len(t, reported, 3)
		for i, err := range reported {
			var failed *crisp.HandlerError
			require.ErrorAs(t, err, &failed)
			assert.EqualError(t, failed.Err, fmt.Sprintf("attempt %d: database is locked", i+1))
		}
	})
}

func TestRetryTakesAPanicForAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{Attempts: 2})
		runs := 0
		r.OnAny(func(context.Context, crisp.Event) error {
			runs++
			panic("no")
		})
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Equal(t, 2, runs)
		require.Len(t, r.dead.List(), 1)
		for _, failure := range joined(t, r.dead.List()[0].err) {
			var failed *crisp.HandlerError
			require.ErrorAs(t, failure, &failed)
			assert.NotEmpty(t, failed.Stack)
		}
	})
}

func TestRetryRunsOnlyTheHandlersThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{})
		var order []string
		handler := func(name string, failures int) crisp.Handler {
			return func(context.Context, crisp.Event) error {
				order = append(order, name)
				if failures--; failures >= 0 {
					return errLocked
				}
				return nil
			}
		}
		r.OnName("message:send", handler("a", 0))
		r.OnName("message:send", handler("b", 1))
		r.OnAny(handler("c", 2))
		r.OnAny(handler("d", 0))
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Equal(t, "abcdbcc", strings.Join(order, ""))

		order = nil
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Equal(t, "abcd", strings.Join(order, ""), "another event runs all")
	})
}

func TestRetryRunsNothingAgainForMiddlewareThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{})
		failures := 2
		r.Use(func(next crisp.Handler) crisp.Handler {
			return func(ctx context.Context, ev crisp.Event) error {
				if err := next(ctx, ev); err != nil {
					return err
				}
				if failures--; failures >= 0 {
					return errLocked
				}
				return nil
			}
		})
		h := &failing{began: time.Now()}
		crisp.On(r.Router, h.handle)
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Len(t, h.at, 1)
		assert.Equal(t, -1, failures)
	})
}

// If one of the errors may pass, another attempt may help.
func TestRetryOfSeveralErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{})
		hopeless := &failing{times: 100, err: crisp.ErrReplyLimit, began: time.Now()}
		passing := &failing{times: 2, err: errLocked, began: time.Now()}
		crisp.On(r.Router, hopeless.handle)
		crisp.On(r.Router, passing.handle)
		require.NoError(t, r.Dispatch(t.Context(), question()))
		assert.Len(t, passing.at, 3)
		assert.Len(t, hopeless.at, 3)
		require.Len(t, r.dead.List(), 1)
		assert.ErrorIs(t, r.dead.List()[0].err, crisp.ErrReplyLimit)
		assert.ErrorIs(t, r.dead.List()[0].err, errLocked)
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	const ends = 90 * time.Second
	closed := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(ends, func() { cancel(crisp.ErrClosed) })
		return ctx, func() { cancel(nil) }
	}
	timeUp := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, ends) }
	for name, tt := range map[string]struct {
		end     func(context.Context) (context.Context, context.CancelFunc)
		takes   time.Duration // a handler
		backoff crisp.Backoff
		says    string // in the dead letter's place
	}{
		"closed in a wait":           {closed, time.Second, everyMinute{}, "it is not tried again: crisp: RTM client closed"},
		"closed while a handler ran": {closed, time.Minute, noWait{}, "context canceled"},
		"time up, in a wait":         {timeUp, time.Second, everyMinute{}, ""},
		"time up in a handler":       {timeUp, time.Minute, noWait{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.end(t.Context())
				defer cancel()
				r := newRetried(crisp.RetryPolicy{Attempts: 100, MaxElapsed: time.Hour, Backoff: tt.backoff})
				runs := 0
				r.OnAny(func(ctx context.Context, _ crisp.Event) error {
					runs++
					return errors.Join(errLocked, testkit.Elapse(ctx, tt.takes))
				})
				began := time.Now()
				err := r.Dispatch(ctx, question())
				assert.Equal(t, 2, runs)
				assert.LessOrEqual(t, time.Since(began), ends)
				if tt.says == "" {
					require.NoError(t, err)
					assert.Len(t, r.dead.List(), 1, "nobody else would handle it")
					return
				}
				require.ErrorIs(t, err, errLocked, "it counts as not handled")
				assert.ErrorContains(t, err, tt.says)
				assert.Empty(t, r.dead.List())
			})
		})
	}
}

// everyMinute is a Backoff.
type everyMinute struct{}

func (everyMinute) Delay(int) time.Duration { return time.Minute }

func TestADeadLetterOutlivesTheTimeOfItsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := newRetried(crisp.RetryPolicy{DeadLetter: func(ctx context.Context, _ crisp.Event, _ error) error {
			return testkit.Elapse(ctx, time.Hour)
		}})
		r.OnAny(func(ctx context.Context, _ crisp.Event) error { return testkit.Elapse(ctx, time.Minute) })
		began := time.Now()
		require.Error(t, r.Dispatch(ctx, question()))
		assert.Equal(t, 11*time.Second, time.Since(began), "10 s of its own")
	})
}

func TestADeadLetterThatIsNotTakenIsReported(t *testing.T) {
	down := errors.New("queue down")
	for name, tt := range map[string]struct {
		take func(context.Context, crisp.Event, error) error
		says string
	}{
		"fails": {
			take: func(context.Context, crisp.Event, error) error { return down },
			says: "crisp: a handler of message:send failed: its dead letter was not taken: queue down",
		},
		"panics": {
			take: func(context.Context, crisp.Event, error) error { panic(down) },
			says: "crisp: a handler of message:send failed: panic: queue down",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRetried(crisp.RetryPolicy{Attempts: 2, DeadLetter: tt.take})
				crisp.On(r.Router, (&failing{times: 2, err: errLocked}).handle)
				err := r.Dispatch(t.Context(), question())
				require.ErrorIs(t, err, down)
				reported := r.reported.List()
				require.Len(t, reported, 3, "two attempts and the dead letter")
				assert.ErrorIs(t, reported[0], errLocked)
				assert.ErrorIs(t, reported[1], errLocked)
				assert.EqualError(t, reported[2], tt.says)
			})
		})
	}
}

func TestFunctionsOfARetryPolicyThatPanic(t *testing.T) {
	for name, policy := range map[string]crisp.RetryPolicy{
		"Retryable": {Retryable: func(error) bool { panic("no") }},
		"Retrying":  {Retrying: func(context.Context, crisp.Event, error, time.Duration) { panic("no") }},
		"Backoff":   {Backoff: panicking{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRetried(policy)
			crisp.On(r.Router, (&failing{times: 2, err: errLocked}).handle)
			require.NoError(t, r.Dispatch(t.Context(), question()))
			require.Len(t, r.dead.List(), 1, "the event is not lost for it")
			assert.ErrorIs(t, r.dead.List()[0].err, errLocked)
			assert.ErrorContains(t, r.dead.List()[0].err, "panic: no")
		})
	}
}

type panicking struct{}

func (panicking) Delay(int) time.Duration { panic("no") }

func TestRetryWarnsByDefault(t *testing.T) {
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	router := crisp.NewRouter()
	router.Use(crisp.Retry(crisp.RetryPolicy{}))
	crisp.On(router, (&failing{times: 1, err: errLocked}).handle)
	require.NoError(t, router.Dispatch(t.Context(), question()))
	assert.Regexp(t, `level=WARN msg="crisp: an event is handled again" error=".*message:send.*database is locked" delay=0s\n$`, out.String())
}

func TestRetryRefusesNegativeNumbers(t *testing.T) {
	assert.Panics(t, func() { crisp.Retry(crisp.RetryPolicy{Attempts: -1}) })
	assert.Panics(t, func() { crisp.Retry(crisp.RetryPolicy{MaxElapsed: -1}) })
}

// By web hook, what Crisp delivers again is no dead letter.
func TestRetryByWebHook(t *testing.T) {
	const slow = 2 * time.Second
	for name, tt := range map[string]struct {
		hook     []crisptest.HookOption
		opts     []crisp.WebhookOption
		failures int
		err      error
		policy   crisp.RetryPolicy
		status   int
		runs     int
		dead     int
	}{
		"helps within the delivery":      {failures: 2, status: 200, runs: 3},
		"does not fit":                   {failures: 100, status: 500, runs: 3},
		"used up":                        {failures: 100, policy: crisp.RetryPolicy{Attempts: 2}, status: 500, runs: 2},
		"more time":                      {opts: []crisp.WebhookOption{crisp.WithHandlerTimeout(9 * time.Second)}, failures: 100, status: 500, runs: 5},
		"the last delivery":              {hook: []crisptest.HookOption{crisptest.HookAttempt(5, 5)}, failures: 100, status: 200, runs: 3, dead: 1},
		"the last delivery, out of time": {hook: []crisptest.HookOption{crisptest.HookAttempt(5, 5)}, opts: []crisp.WebhookOption{crisp.WithHandlerTimeout(time.Second)}, failures: 100, status: 200, runs: 1, dead: 1},
		"no number of deliveries":        {hook: []crisptest.HookOption{crisptest.HookAttempt(5, 0)}, failures: 100, status: 500, runs: 3},
		"a website's hook":               {hook: []crisptest.HookOption{crisptest.HookSecret("")}, failures: 100, status: 200, runs: 3, dead: 1},
		"hopeless":                       {failures: 100, err: crisp.ErrReplyLimit, status: 200, runs: 1, dead: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				policy := tt.policy
				policy.Backoff = noWait{}
				r := newRetried(policy)
				runs := 0
				r.OnAny(func(ctx context.Context, _ crisp.Event) error {
					if runs++; runs > tt.failures {
						return nil
					}
					if err := testkit.Elapse(ctx, slow); err != nil {
						return err
					}
					if tt.err != nil {
						return tt.err
					}
					return errLocked
				})
				opts := append(tt.opts, crisp.WithSigningSecrets(signingSecret), crisp.WithURLSecrets("key", urlSecret))
				hooks, err := crisp.NewWebhook(r.Router, opts...)
				require.NoError(t, err)
				request := crisptest.NewHookRequest(signingSecret, crisptest.Sample("message:send"), tt.hook...)
				request.URL.RawQuery = "key=" + urlSecret
				w := httptest.NewRecorder()
				hooks.ServeHTTP(w, request)
				assert.Equal(t, tt.status, w.Code)
				assert.Equal(t, tt.runs, runs)
				assert.Len(t, r.dead.List(), tt.dead)
			})
		})
	}
}

type noWait struct{}

func (noWait) Delay(int) time.Duration { return 0 }

func TestARedeliveryRunsWhatRetryLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetried(crisp.RetryPolicy{Attempts: 2})
		h := &failing{times: 3, err: errLocked, began: time.Now()}
		crisp.On(r.Router, h.handle)
		hooks, err := crisp.NewWebhook(r.Router, crisp.WithSigningSecrets(signingSecret))
		require.NoError(t, err)
		at, ev := time.Now(), crisptest.Sample("message:send")
		deliver := func(attempt int) int {
			w := httptest.NewRecorder()
			hooks.ServeHTTP(w, crisptest.NewHookRequest(signingSecret, ev, crisptest.HookAt(at), crisptest.HookAttempt(attempt, 5)))
			return w.Code
		}
		assert.Equal(t, 500, deliver(1))
		assert.Len(t, h.at, 2)
		assert.Equal(t, 200, deliver(2))
		assert.Len(t, h.at, 4)
		assert.Equal(t, 200, deliver(3))
		assert.Len(t, h.at, 4, "done")
		assert.Empty(t, r.dead.List())
	})
}
