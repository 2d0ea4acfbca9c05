package crisp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// RetryPolicy configures [Retry]. The zero value has the defaults, and no
// dead letters.
type RetryPolicy struct {
	// Attempts is how often the handlers run at most, the first time included;
	// default 6.
	Attempts int
	// Backoff is the wait before each further attempt; default
	// ExponentialBackoff{Base: time.Second}: none, then a random one of up to 1, 2, 4
	// and 8 s. A longer wait that the server asked a REST call for (Retry-After) wins, up
	// to 15 minutes.
	Backoff Backoff
	// MaxElapsed is how long after the first attempt began another may begin; default
	// 1 min. By web hook it is 5 s at most, unless the handler's context has a deadline
	// ([WithHandlerTimeout]): nobody knows how long Crisp waits for the answer.
	MaxElapsed time.Duration
	// Retryable reports whether another attempt may help against the error of a
	// handler, a [*HandlerError]; one that panicked has its Stack. If several handlers
	// have failed, one such error is enough. Default: all but those that another
	// attempt would meet again: [*InvalidError], [ErrReplyLimit], [ErrQuota], and what
	// Crisp's REST API refuses for good, such as [ErrUnauthorized].
	Retryable func(err error) bool
	// Retrying is called before the wait for another attempt. Default: a warning to
	// [slog.Default].
	Retrying func(ctx context.Context, ev Event, err error, delay time.Duration)
	// DeadLetter gets what is left when there is no other attempt: the event, and the
	// errors of all attempts, joined as by [errors.Join]. If it returns nil, the event
	// counts as handled, and the router's error handler hears of nothing. If it
	// fails or panics, the error handler hears of that and of all attempts. Nil = the
	// errors are returned.
	DeadLetter func(ctx context.Context, ev Event, err error) error
}

const (
	defaultRetryAttempts = 6
	defaultRetryBase     = time.Second
	defaultRetryElapsed  = time.Minute

	// deliveryPatience is how long retries may delay the answer to a web hook.
	deliveryPatience = 5 * time.Second
	// deadLetterPatience is how long DeadLetter may take if the handlers' context has ended.
	deadLetterPatience = 10 * time.Second
)

// Retry is middleware that runs handlers again if they have failed or panicked:
// after a wait, some times, for some time. Of several handlers of an event, those
// that have succeeded don't run again, unless middleware behind Retry passes on
// another event each time. What comes behind it in [Router.Use] runs in each attempt.
//
// Over the RTM API, the event is not handled until Retry has returned: later events
// of its conversation wait, those of others go on with [WithConcurrency], and the
// position ([WithPosition]) stays before it. If the client is closed meanwhile, the
// attempts end, the event counts as dropped, and a message comes again after a
// restart, to all of its handlers ([WithBackfill]). Otherwise it is handled when
// Retry returns, whatever it returns.
//
// By web hook, attempts that don't fit into the delivery, or don't help, make it
// fail (status 500), so that Crisp delivers the event again, and all of its handlers
// run. There is a dead letter only where that is no help: for an error that is not
// Retryable, of a delivery that is the last by its own account
// ([Delivery]), and of a website's hook, which is never delivered again.
//
// A handler may have had a part of its effect before it fails, such as a message
// that was sent although the answer was lost: it has to bear to run again, or return
// nil.
//
// Retry panics if a number of the policy is negative.
func Retry(policy RetryPolicy) func(Handler) Handler {
	if policy.Attempts < 0 || policy.MaxElapsed < 0 {
		panic("crisp: Retry: Attempts and MaxElapsed can't be negative")
	}
	p := policy.withDefaults()
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			a := attempts{RetryPolicy: p, event: ev, began: time.Now()}
			return a.run(ctx, next)
		}
	}
}

func (p RetryPolicy) withDefaults() *RetryPolicy {
	p.Attempts = cmp.Or(p.Attempts, defaultRetryAttempts)
	p.MaxElapsed = cmp.Or(p.MaxElapsed, defaultRetryElapsed)
	if p.Backoff == nil {
		p.Backoff = ExponentialBackoff{Base: defaultRetryBase}
	}
	if p.Retryable == nil {
		p.Retryable = retryable
	}
	if p.Retrying == nil {
		p.Retrying = warnOfRetry
	}
	return &p
}

// retryable is the default of [RetryPolicy.Retryable].
func retryable(err error) bool {
	var invalid *InvalidError
	return !errors.As(err, &invalid) && !errors.Is(err, ErrReplyLimit) && !errors.Is(err, ErrQuota) && !final(err)
}

// warnOfRetry is the default of [RetryPolicy.Retrying].
func warnOfRetry(ctx context.Context, _ Event, err error, delay time.Duration) {
	slog.Default().LogAttrs(ctx, slog.LevelWarn, "crisp: an event is handled again", slog.Any("error", err), slog.Duration("delay", delay))
}

// attempts are the attempts to handle one event.
type attempts struct {
	*RetryPolicy
	event    Event
	began    time.Time
	failures []error // of the attempts so far, and of the policy's functions
	hopeless bool    // the last failure is not Retryable
}

// run makes attempts until one succeeds, or the policy allows no other.
func (a *attempts) run(ctx context.Context, next Handler) error {
	ctx = withSucceeded(ctx)
	for {
		err := runHandler(ctx, a.event, next)
		if err == nil {
			return nil
		}
		a.failures = append(a.failures, err)
		delay, again := a.next(ctx, err)
		if !again {
			return a.end(ctx)
		}
		if err := sleep(ctx, delay); err != nil {
			a.add(fmt.Errorf("it is not tried again: %w", err))
			return a.end(ctx)
		}
	}
}

// add adds a failure that is not a handler's.
func (a *attempts) add(err error) {
	a.failures = append(a.failures, &HandlerError{Event: a.event, Err: err})
}

// next decides whether there is another attempt, and after how long. If a function of the policy
// panics, there is none.
func (a *attempts) next(ctx context.Context, err error) (delay time.Duration, again bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	failed := runHandler(ctx, a.event, func(ctx context.Context, ev Event) error {
		a.hopeless = !slices.ContainsFunc(leavesOf(err), a.Retryable)
		if a.hopeless || len(a.failures) >= a.Attempts {
			return nil
		}
		delay = max(0, a.Backoff.Delay(len(a.failures)), askedToWait(err))
		if again = a.fits(ctx, delay); again {
			a.Retrying(ctx, ev, err, delay)
		}
		return nil
	})
	if failed != nil {
		a.failures = append(a.failures, failed)
		return 0, false
	}
	return delay, again
}

// fits reports whether there is time for another attempt after a wait.
func (a *attempts) fits(ctx context.Context, delay time.Duration) bool {
	patience := a.MaxElapsed
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, deadline.Sub(a.began)-1)
	} else if a.event.EventMeta().Source == SourceWebhook {
		patience = min(patience, deliveryPatience)
	}
	return time.Since(a.began)+delay <= patience
}

// end decides what becomes of an event that could not be handled.
func (a *attempts) end(ctx context.Context) error {
	failed := errors.Join(a.failures...)
	if a.DeadLetter == nil || a.comesAgain(ctx) {
		return failed
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), deadLetterPatience)
		defer cancel()
	}
	err := runHandler(ctx, a.event, func(ctx context.Context, ev Event) error {
		if err := a.DeadLetter(ctx, ev, failed); err != nil {
			return fmt.Errorf("its dead letter was not taken: %w", err)
		}
		return nil
	})
	if err != nil {
		return errors.Join(append(a.failures, err)...)
	}
	return nil
}

// comesAgain reports whether the event will be handled another time: after a restart, if
// something other than a timeout has ended the context, or by another delivery of the web hook.
func (a *attempts) comesAgain(ctx context.Context) bool {
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	d := a.event.EventMeta().Delivery
	return d != nil && !a.hopeless && d.Origin != originWebsite && (d.Limit == 0 || d.Attempt < d.Limit)
}

// originWebsite is the [Delivery.Origin] of websites' hooks.
const originWebsite = "website"

// leavesOf returns the errors that are joined in one.
func leavesOf(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var leaves []error
	for _, e := range joined.Unwrap() {
		leaves = append(leaves, leavesOf(e)...)
	}
	return leaves
}
