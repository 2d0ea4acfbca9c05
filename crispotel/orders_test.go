package crispotel_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
)

// TestInAnyOrderWithOtherMiddleware has events handled, refused, superseded and panicked at, many at a time.
func TestInAnyOrderWithOtherMiddleware(t *testing.T) {
	const events = 40
	for _, order := range permutations([]string{"observed", "retry", "once", "guards", "supersede"}) {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			t.Parallel()
			r := record(t)
			router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
			for _, name := range order {
				switch name {
				case "observed":
					router.Use(crispotel.Middleware(r.opts...))
				case "retry":
					router.Use(crisp.Retry(crisp.RetryPolicy{Attempts: 2, Backoff: crisp.ExponentialBackoff{Base: time.Nanosecond},
						Retrying: func(context.Context, crisp.Event, error, time.Duration) {}}))
				case "once":
					router.Use(crisp.Once(crisp.NewMemoryClaims(1000)))
				case "guards":
					router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated(), crisp.LimitReplies(1000))
				case "supersede":
					crisp.Supersede(router)
				}
			}
			crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
				switch ev.Fingerprint % 4 {
				case 0:
					panic("a text")
				case 1:
					return errors.New("a text")
				case 2:
					runtime.Goexit()
				}
				return nil
			})
			var all sync.WaitGroup
			for i := range events {
				all.Go(func() {
					ev := *message()
					ev.Fingerprint = int64(i + 1)
					_ = router.Dispatch(context.Background(), &ev)
				})
			}
			all.Wait()
			r.assertNoneOpen()
			assert.NotContains(t, r.everything(), "a text")
			total := r.total("messaging.client.consumed.messages", nil)
			assert.InDelta(t, len(r.ended()), total, 0, "each span has been counted")
			if order[0] == "observed" {
				assert.InDelta(t, events, total, 0)
			}
		})
	}
}

func permutations(of []string) (all [][]string) {
	if len(of) == 0 {
		return [][]string{nil}
	}
	for i := range of {
		for _, rest := range permutations(append(slices.Clone(of[:i]), of[i+1:]...)) {
			all = append(all, append([]string{of[i]}, rest...))
		}
	}
	return all
}
