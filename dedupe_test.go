package crisp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

func deliveryKey(n int) (key crisp.DeliveryKey) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

func isDone(t *testing.T, store crisp.DedupeStore, n int) bool {
	t.Helper()
	done, err := store.Done(t.Context(), deliveryKey(n))
	require.NoError(t, err)
	return done
}

func markDone(t *testing.T, store crisp.DedupeStore, n int) {
	t.Helper()
	require.NoError(t, store.MarkDone(t.Context(), deliveryKey(n)))
}

func TestDeliveryKeyIsAHashInHex(t *testing.T) {
	assert.Equal(t, "0000000000000007"+strings.Repeat("0", 48), deliveryKey(7).String())
}

func TestMemoryDedupeForgetsTheOldestWhenItIsFull(t *testing.T) {
	store := crisp.NewMemoryDedupe(3, time.Hour)
	for n := range 3 {
		assert.False(t, isDone(t, store, n))
		markDone(t, store, n)
	}
	markDone(t, store, 0) // it stays the oldest
	for n := range 3 {
		assert.True(t, isDone(t, store, n))
	}
	for n := 3; n < 1000; n++ {
		markDone(t, store, n)
		assert.False(t, isDone(t, store, n-3))
		for kept := n - 2; kept <= n; kept++ {
			assert.True(t, isDone(t, store, kept))
		}
	}
}

func TestMemoryDedupeForgetsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := crisp.NewMemoryDedupe(100, time.Hour)
		markDone(t, store, 1)
		time.Sleep(30 * time.Minute)
		markDone(t, store, 2)
		markDone(t, store, 1) // marked already: its hour has begun then
		time.Sleep(30*time.Minute - time.Nanosecond)
		assert.True(t, isDone(t, store, 1))
		time.Sleep(time.Nanosecond)
		assert.False(t, isDone(t, store, 1))
		assert.True(t, isDone(t, store, 2))
		markDone(t, store, 1)
		assert.True(t, isDone(t, store, 1))
		time.Sleep(30 * time.Minute)
		assert.False(t, isDone(t, store, 2))
		assert.True(t, isDone(t, store, 1))
	})
}

func TestMemoryDedupeDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := crisp.NewMemoryDedupe(0, 0)
		for n := range 100_001 {
			markDone(t, store, n)
		}
		assert.False(t, isDone(t, store, 0))
		assert.True(t, isDone(t, store, 1))
		assert.True(t, isDone(t, store, 100_000))
		time.Sleep(24*time.Hour - time.Nanosecond)
		assert.True(t, isDone(t, store, 1))
		time.Sleep(time.Nanosecond)
		assert.False(t, isDone(t, store, 100_000))
	})
}

func TestMemoryDedupeStaysWithinItsMemory(t *testing.T) {
	const entries = 10_000
	store := crisp.NewMemoryDedupe(entries, time.Hour)
	before := testkit.Heap()
	for n := range 20 * entries {
		markDone(t, store, n)
	}
	perEntry := float64(testkit.Heap()-before) / entries
	assert.Less(t, perEntry, 200.0, "bytes per entry")
	runtime.KeepAlive(store)
}

// A thousand deliveries at the same time, ten of each of a hundred events: the
// handlers of each event run once.
func TestConcurrentDeliveriesRunOnce(t *testing.T) {
	const events, copies = 100, 10
	rec := newReceiver(t)
	rec.handle = func(context.Context, crisp.Event) error {
		runtime.Gosched()
		return nil
	}
	var wg sync.WaitGroup
	var refused atomic.Int64
	for n := range events * copies {
		wg.Go(func() {
			if rec.post(hookRequest(testkit.HookBody(fmt.Sprint(n%events)))).Code != http.StatusOK {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, refused.Load())
	handled := make(map[string]int)
	for _, ev := range rec.handled() {
		handled[string(ev.EventMeta().Raw)]++
	}
	assert.Len(t, handled, events)
	assert.Len(t, rec.handled(), events)
}

// twoDeliveries posts the same event twice, the second while the handlers of
// the first run, and lets them end with an outcome.
func twoDeliveries(t *testing.T, rec *receiver, outcome func(attempt int) error) (first, second int) {
	t.Helper()
	var attempts atomic.Int64
	proceed := make(chan struct{})
	rec.handle = func(context.Context, crisp.Event) error {
		attempt := int(attempts.Add(1))
		if attempt == 1 {
			<-proceed
		}
		return outcome(attempt)
	}
	var wg sync.WaitGroup
	wg.Go(func() { first = rec.post(hookRequest(testkit.HookBody("hello"))).Code })
	synctest.Wait()
	wg.Go(func() { second = rec.post(hookRequest(testkit.HookBody("hello"))).Code })
	synctest.Wait()
	assert.Len(t, rec.handled(), 1, "the second waits")
	close(proceed)
	wg.Wait()
	return first, second
}

func TestADeliveryWaitsForAnotherOfTheSameEvent(t *testing.T) {
	t.Run("and shares its success", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newReceiver(t)
			first, second := twoDeliveries(t, rec, func(int) error { return nil })
			assert.Equal(t, 200, first)
			assert.Equal(t, 200, second)
			assert.Len(t, rec.handled(), 1)
		})
	})
	t.Run("and runs after its failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newReceiver(t)
			first, second := twoDeliveries(t, rec, func(attempt int) error {
				if attempt == 1 {
					return errors.New("database is down")
				}
				return nil
			})
			assert.Equal(t, 500, first)
			assert.Equal(t, 200, second)
			assert.Len(t, rec.handled(), 2)
		})
	})
	t.Run("and runs after its goroutine has ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newReceiver(t)
			_, second := twoDeliveries(t, rec, func(attempt int) error {
				if attempt == 1 {
					runtime.Goexit()
				}
				return nil
			})
			assert.Equal(t, 200, second)
			assert.Len(t, rec.handled(), 2)
		})
	})
	t.Run("but no longer than Crisp does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newReceiver(t)
			proceed := make(chan struct{})
			rec.handle = func(context.Context, crisp.Event) error {
				<-proceed
				return nil
			}
			var wg sync.WaitGroup
			wg.Go(func() { rec.post(hookRequest(testkit.HookBody("hello"))) })
			synctest.Wait()
			ctx, hangUp := context.WithTimeout(t.Context(), 5*time.Second)
			defer hangUp()
			resp := rec.post(hookRequest(testkit.HookBody("hello")).WithContext(ctx))
			assert.Equal(t, 500, resp.Code)
			close(proceed)
			wg.Wait()
			assert.Len(t, rec.handled(), 1)
		})
	})
	t.Run("but not for one of another event", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newReceiver(t)
			var wg sync.WaitGroup
			rec.handle = func(context.Context, crisp.Event) error {
				if len(rec.handled()) == 1 {
					assert.Equal(t, 200, rec.post(hookRequest(testkit.HookBody("within"))).Code)
				}
				return nil
			}
			wg.Go(func() { assert.Equal(t, 200, rec.post(hookRequest(testkit.HookBody("hello"))).Code) })
			wg.Wait()
			assert.Len(t, rec.handled(), 2)
		})
	})
}

func TestWithoutDedupeEveryDeliveryRuns(t *testing.T) {
	rec := newReceiver(t, crisp.WithDedupe(nil))
	for range 3 {
		assert.Equal(t, 200, rec.post(hookRequest(testkit.HookBody("hello"))).Code)
	}
	assert.Len(t, rec.handled(), 3)
}

// store is a DedupeStore that fails as it is told to.
type store struct {
	crisp.DedupeStore
	doneErr, markErr error
	markContext      context.Context
}

func (s *store) Done(ctx context.Context, key crisp.DeliveryKey) (bool, error) {
	done, err := s.DedupeStore.Done(ctx, key)
	return done, errors.Join(err, s.doneErr)
}

func (s *store) MarkDone(ctx context.Context, key crisp.DeliveryKey) error {
	s.markContext = ctx
	if s.markErr != nil {
		return s.markErr
	}
	return s.DedupeStore.MarkDone(ctx, key)
}

func TestAStoreThatFailsCostsNoEvent(t *testing.T) {
	down := errors.New("store is down")
	t.Run("asked", func(t *testing.T) {
		rec := newReceiver(t, crisp.WithDedupe(&store{DedupeStore: crisp.NewMemoryDedupe(0, 0), doneErr: down}))
		assert.Equal(t, 200, rec.post(hookRequest(testkit.HookBody("hello"))).Code)
		assert.Len(t, rec.handled(), 1)
		require.Len(t, rec.reported(), 1)
		require.ErrorIs(t, rec.reported()[0], down)
	})
	t.Run("told", func(t *testing.T) {
		rec := newReceiver(t, crisp.WithDedupe(&store{DedupeStore: crisp.NewMemoryDedupe(0, 0), markErr: down}))
		for range 2 { // it can't know at the second time
			assert.Equal(t, 200, rec.post(hookRequest(testkit.HookBody("hello"))).Code)
		}
		assert.Len(t, rec.handled(), 2)
		require.Len(t, rec.reported(), 2)
		require.ErrorIs(t, rec.reported()[0], down)
	})
}

func TestASharedStoreKnowsWhatReplicasHaveDone(t *testing.T) {
	shared := &store{DedupeStore: crisp.NewMemoryDedupe(0, 0)}
	one, two := newReceiver(t, crisp.WithDedupe(shared)), newReceiver(t, crisp.WithDedupe(shared))
	one.handle = func(context.Context, crisp.Event) error { return errors.New("database is down") }
	assert.Equal(t, 500, one.post(hookRequest(testkit.HookBody("hello"))).Code)
	assert.Equal(t, 200, two.post(hookRequest(testkit.HookBody("hello"))).Code)
	assert.Equal(t, 200, one.post(hookRequest(testkit.HookBody("hello"))).Code)
	assert.Len(t, one.handled(), 1)
	assert.Len(t, two.handled(), 1)
}

func TestASuccessIsKeptAlsoIfCrispHasHungUp(t *testing.T) {
	shared := &store{DedupeStore: crisp.NewMemoryDedupe(0, 0)}
	rec := newReceiver(t, crisp.WithDedupe(shared))
	ctx, hangUp := context.WithCancel(t.Context())
	rec.handle = func(context.Context, crisp.Event) error {
		hangUp()
		return nil
	}
	rec.post(hookRequest(testkit.HookBody("hello")).WithContext(ctx))
	require.NoError(t, shared.markContext.Err())
}
