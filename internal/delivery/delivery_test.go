package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/delivery"
	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// workerCounts are what changes the way through the package.
var workerCounts = []int{1, 2, 8}

// eachWay runs a test in a bubble, with a queue of each number of workers.
func eachWay(t *testing.T, test func(t *testing.T, q *delivery.Queue, got *testkit.Log[string])) {
	t.Helper()
	for _, workers := range workerCounts {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := new(testkit.Log[string])
				q := delivery.New(t.Context(), delivery.Config{
					Workers:  workers,
					MaxBytes: 1 << 20,
					Handle:   func(_ context.Context, _ int, it *delivery.Item) { got.Add(it.Name) },
					Report:   func(err error) { assert.NoError(t, err) },
				})
				test(t, q, got)
				q.Finish()
				<-q.Done()
				assert.Zero(t, q.Len())
				assert.Zero(t, q.Bytes())
				assert.Zero(t, q.Oldest())
			})
		})
	}
}

// named makes items of one key, from a string of one-letter names.
func named(key, names string) []delivery.Item {
	var items []delivery.Item
	for _, name := range strings.Split(names, "") {
		items = append(items, delivery.Item{Key: key, Name: name, SentAfter: time.Now().UnixNano()})
	}
	return items
}

func put(q *delivery.Queue, items ...delivery.Item) {
	for _, it := range items {
		q.Put(&it)
	}
	q.Flush()
}

func text(got *testkit.Log[string]) string { return strings.Join(got.List(), "") }

func TestItemsOfAKeyStayInOrder(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		const keys, each = 10, 500
		for n := range each {
			for k := range keys {
				q.Put(&delivery.Item{Key: fmt.Sprint(k), Name: fmt.Sprint(k, " ", n)})
			}
		}
		q.Flush()
		synctest.Wait()
		next := make(map[string]int)
		for _, name := range got.List() {
			key, n, _ := strings.Cut(name, " ")
			require.Equal(t, fmt.Sprint(next[key]), n, "key %s", key)
			next[key]++
		}
		assert.Len(t, next, keys)
		assert.Len(t, got.List(), keys*each)
	})
}

func TestAMarkHoldsBackWhatComesBehind(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		put(q, named("k", "ab")...)
		q.Mark()
		put(q, named("k", "cd")...)
		synctest.Wait()
		require.Equal(t, "ab", text(got))
		assert.Equal(t, 2, q.Len(), "what waits counts")
		lifted := false
		q.Lift(nil, func() { lifted = true })
		put(q, named("k", "e")...)
		synctest.Wait()
		assert.Equal(t, "abcde", text(got))
		assert.True(t, lifted)
	})
}

func TestMarksAreLiftedOneByOne(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		q.Mark()
		put(q, named("k", "a")...)
		q.Mark()
		put(q, named("k", "b")...)
		synctest.Wait()
		require.Empty(t, text(got))
		q.Lift(nil, nil)
		synctest.Wait()
		require.Equal(t, "a", text(got))
		q.Lift(nil, nil)
		put(q, named("k", "c")...)
		synctest.Wait()
		assert.Equal(t, "abc", text(got))
	})
}

func TestStepsRunInOrderButNotBehindMarks(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		q.Mark()
		put(q, named("k", "a")...)
		var steps testkit.Log[string]
		q.Do(func() { steps.Add("1") })
		q.Do(func() { steps.Add("2") })
		synctest.Wait()
		assert.Equal(t, []string{"1", "2"}, steps.List())
		assert.Empty(t, text(got))
		q.Lift(nil, func() { steps.Add("3") })
		synctest.Wait()
		assert.Equal(t, []string{"1", "2", "3"}, steps.List())
	})
}

// keyHolder takes the items of one key.
type keyHolder struct {
	key      string
	taken    []delivery.Item
	asked    []string
	caughtUp []string // what it was asked about by then, each time
}

func (h *keyHolder) Hold(it *delivery.Item) bool {
	h.asked = append(h.asked, it.Name)
	if it.Key != h.key {
		return false
	}
	h.taken = append(h.taken, *it)
	return true
}

func (h *keyHolder) CaughtUp() { h.caughtUp = append(h.caughtUp, strings.Join(h.asked, "")) }

// allHolder takes everything.
type allHolder struct{ taken []delivery.Item }

func (h *allHolder) Hold(it *delivery.Item) bool {
	h.taken = append(h.taken, *it)
	return true
}

func (h *allHolder) CaughtUp() {}

// A key may be a part of its item's payload: what counts what is held of it must not keep
// the payload in memory.
func TestWhatIsHeldOfAKeyKeepsNoPayload(t *testing.T) {
	const keys, size = 50, 100_000
	synctest.Test(t, func(t *testing.T) {
		q := delivery.New(t.Context(), delivery.Config{
			Workers: 1, MaxBytes: 1 << 30,
			Handle: func(context.Context, int, *delivery.Item) {},
		})
		var h allHolder
		q.Lift(&h, nil)
		before := testkit.Heap()
		for k := range keys {
			data := fmt.Appendf(make([]byte, 0, size), "%06d", k)
			key := unsafe.String(&data[0], len(data))
			put(q, delivery.Item{Key: key, Payload: data[:size]}, delivery.Item{Key: strings.Clone(key)})
		}
		synctest.Wait()
		q.Do(func() { // the first of each key is let go of
			for i := 0; i < len(h.taken); i += 2 {
				q.Insert(h.taken[i])
				h.taken[i] = delivery.Item{}
			}
		})
		synctest.Wait()
		assert.Less(t, testkit.Heap()-before, int64(keys*size/4))
		q.Do(func() {
			q.Release(&h)
			for i := 1; i < len(h.taken); i += 2 {
				q.Insert(h.taken[i])
			}
		})
		q.Finish()
		<-q.Done()
	})
}

func extra(key, names string) []delivery.Item {
	items := named(key, names)
	for i := range items {
		items[i].Extra = true
	}
	return items
}

func TestSettledWaitsForAllThatWasPutBefore(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			release, got := make(chan struct{}), new(testkit.Log[string])
			q := delivery.New(t.Context(), delivery.Config{
				Workers:  workers,
				MaxBytes: 1 << 20,
				Handle: func(_ context.Context, _ int, it *delivery.Item) {
					if it.Key == "slow" {
						<-release
					}
					got.Add(it.Name)
				},
			})
			put(q, named("slow", "ab")...)
			put(q, named("quick", "cd")...)
			q.Settled(func() { got.Add("settled") })
			q.Mark()
			put(q, named("quick", "e")...)
			synctest.Wait()
			assert.NotContains(t, got.List(), "settled")
			close(release)
			synctest.Wait()
			require.Len(t, got.List(), 5)
			assert.Equal(t, "settled", got.List()[4])

			q.Settled(func() { got.Add("settled again") })
			synctest.Wait()
			assert.Len(t, got.List(), 5, "it keeps its place behind a mark")
			q.Lift(nil, nil)
			synctest.Wait()
			assert.Equal(t, []string{"e", "settled again"}, got.List()[5:])
			q.Finish()
			<-q.Done()
		})
	}
}

func TestAHolderTakesItemsUntilItInsertsThem(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		h := &keyHolder{key: "k"}
		q.Mark()
		put(q, named("k", "c")...)
		put(q, named("other", "x")...)
		q.Lift(h, nil)
		synctest.Wait()
		require.Equal(t, "x", text(got))
		assert.Equal(t, []string{"cx"}, h.caughtUp)
		put(q, named("k", "d")...)
		put(q, named("other", "y")...)
		synctest.Wait()
		require.Equal(t, "xy", text(got))
		assert.Equal(t, []string{"c", "x", "d", "y"}, h.asked)
		assert.Equal(t, 2, q.Len(), "what a holder has counts")

		turn := false
		q.Do(func() {
			q.Insert(extra("k", "ab")...)
			q.Insert(h.taken...)
			q.Insert(delivery.Item{Key: "k", Call: func() { turn = text(got) == "xyabcd" }})
			q.Release(h)
		})
		put(q, named("k", "e")...)
		synctest.Wait()
		assert.Equal(t, "xyabcde", text(got))
		assert.True(t, turn, "what is called in a key's turn comes behind what was inserted before it")
		assert.Len(t, h.asked, 4, "a holder that was released is not asked")
	})
}

func TestWhatIsExtraCountsForNothing(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1000,
				Handle: func(context.Context, int, *delivery.Item) { <-release },
			})
			q.Do(func() { q.Insert(extra("k", "abcdefghijklmnop")...) })
			synctest.Wait()
			assert.Zero(t, q.Len())
			assert.Zero(t, q.Bytes())
			assert.True(t, q.Fits(1000))
			assert.Zero(t, q.Oldest())
			close(release)
			q.Finish()
			<-q.Done()
		})
	}
}

// Of two holders, the later one waits for what comes later.
func TestTheLatestHolderIsAskedFirst(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		first, second := &keyHolder{key: "k"}, &keyHolder{key: "k"}
		q.Mark()
		q.Lift(first, nil)
		put(q, named("k", "a")...)
		q.Mark()
		q.Lift(second, nil)
		put(q, named("k", "b")...)
		synctest.Wait()
		require.Len(t, first.taken, 1)
		require.Len(t, second.taken, 1)
		for _, h := range []*keyHolder{first, second} {
			q.Do(func() { q.Insert(h.taken...); q.Release(h) })
		}
		synctest.Wait()
		assert.Equal(t, "ab", text(got))
	})
}

// Done must wait for what holders have: they will insert it.
func TestFinishWaitsForWhatIsHeld(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			var got testkit.Log[string]
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1000,
				Handle: func(_ context.Context, _ int, it *delivery.Item) { got.Add(it.Name) },
			})
			h := &keyHolder{key: "k"}
			q.Mark()
			q.Lift(h, nil)
			put(q, named("k", "ab")...)
			q.Finish()
			synctest.Wait()
			require.Empty(t, got.List())
			q.Do(func() { q.Insert(h.taken...) })
			<-q.Done()
			assert.Equal(t, "ab", text(&got))
		})
	}
}

// Done must wait for what is behind a mark: somebody will lift it.
func TestFinishWaitsForMarks(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			var got testkit.Log[string]
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1000,
				Handle: func(_ context.Context, _ int, it *delivery.Item) { got.Add(it.Name) },
			})
			q.Mark()
			put(q, named("k", "ab")...)
			q.Finish()
			synctest.Wait()
			require.Empty(t, got.List())
			q.Lift(nil, nil)
			<-q.Done()
			assert.Equal(t, "ab", text(&got))
		})
	}
}

// What a holder inserts is what others wait for.
func TestNothingHoldsBackWhatIsInserted(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		h := &keyHolder{key: "k"}
		q.Mark()
		q.Lift(h, nil)
		put(q, named("k", "b")...)
		q.Mark()
		put(q, named("k", "c")...)
		q.Do(func() {
			q.Insert(extra("k", "a")...)
			q.Insert(h.taken...)
		})
		synctest.Wait()
		assert.Equal(t, "ab", text(got), "past the mark, and past the holder")
		assert.Equal(t, []string{"b"}, h.asked)
		q.Do(func() { q.Release(h) })
		q.Lift(nil, nil)
		synctest.Wait()
		assert.Equal(t, "abc", text(got))
	})
}

// A holder that has caught up will not be asked about anything from before its
// Lift any more, not even if that waits behind a later mark.
func TestAHolderCatchesUpWithAllBeforeItsLift(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, got *testkit.Log[string]) {
		h := &keyHolder{key: "none"}
		q.Mark()
		put(q, named("k", "ab")...)
		q.Mark()
		put(q, named("k", "cd")...)
		q.Lift(h, nil)
		synctest.Wait()
		require.Equal(t, "ab", text(got))
		assert.Empty(t, h.caughtUp)
		q.Lift(nil, nil)
		put(q, named("k", "e")...)
		synctest.Wait()
		assert.Equal(t, "abcde", text(got))
		assert.Equal(t, []string{"abcd"}, h.caughtUp)
	})
}

func TestABusyKeyTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got testkit.Log[string]
		started, release := make(chan struct{}), make(chan struct{})
		q := delivery.New(t.Context(), delivery.Config{
			Workers: 2, MaxBytes: 1 << 20,
			Handle: func(_ context.Context, _ int, it *delivery.Item) {
				switch it.Key {
				case "slow":
					<-release
				case "first":
					<-started
				default:
					got.Add(it.Name)
				}
			},
		})
		put(q, named("slow", "s")...)
		put(q, named("first", "f")...)
		put(q, named("busy", "bbbb")...)
		put(q, named("calm", "c")...)
		synctest.Wait()
		close(started)
		synctest.Wait()
		assert.Equal(t, "bcbbb", text(&got))
		close(release)
		q.Finish()
		<-q.Done()
	})
}

// A handler that ends its goroutine has handled its item; the others follow, in
// order.
func TestGoexitIsSurvived(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			var got testkit.Log[string]
			var errs []error
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1 << 20,
				Handle: func(_ context.Context, _ int, it *delivery.Item) {
					got.Add(it.Name)
					if it.Name == "b" {
						runtime.Goexit()
					}
				},
				Report: func(err error) {
					errs = append(errs, err)
					runtime.Goexit()
				},
			})
			put(q, named("k", "abcd")...)
			q.Finish()
			<-q.Done()
			assert.Equal(t, "abcd", text(&got))
			require.Len(t, errs, 1)
			assert.ErrorIs(t, errs[0], delivery.ErrGoexit)
			assert.Zero(t, q.Len())
		})
	}
}

// The stored position must not pass by an item that the reader has put and the
// sequencer has not seen yet, nor one that was handed on and is not handled.
func TestOldestKnowsWhatIsNotHandled(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1 << 20,
				Handle: func(context.Context, int, *delivery.Item) { <-release },
			})
			assert.Zero(t, q.Oldest())
			q.Put(&delivery.Item{Key: "a", SentAfter: 7})
			q.Put(&delivery.Item{Key: "b", SentAfter: 8})
			assert.EqualValues(t, 7, q.Oldest(), "not flushed")
			q.Flush()
			assert.EqualValues(t, 7, q.Oldest(), "on its way")
			synctest.Wait()
			assert.EqualValues(t, 7, q.Oldest(), "being handled")
			q.Do(func() { q.Insert(delivery.Item{Key: "c", Extra: true, SentAfter: 99}) })
			synctest.Wait()
			assert.EqualValues(t, 7, q.Oldest(), "what is extra hides nothing")
			close(release)
			q.Finish()
			<-q.Done()
			assert.Zero(t, q.Oldest())
		})
	}
}

// TestWaitingKnowsWhatWaitsForWhatever asks since when the oldest item waits, on each
// step of its way.
func TestWaitingKnowsWhatWaitsForWhatever(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1 << 20,
				Handle: func(context.Context, int, *delivery.Item) { <-release },
			})
			assert.Zero(t, q.Waiting())
			q.Mark()
			q.Put(&delivery.Item{Key: "a", Received: 7, SentAfter: 1})
			q.Put(&delivery.Item{Key: "b", Received: 8, SentAfter: 1})
			assert.EqualValues(t, 7, q.Waiting(), "not flushed")
			q.Flush()
			synctest.Wait()
			assert.EqualValues(t, 7, q.Waiting(), "behind a mark")
			h := &keyHolder{key: "a"}
			q.Lift(h, nil)
			synctest.Wait()
			assert.EqualValues(t, 7, q.Waiting(), "held, while another is handled")
			q.Do(func() {
				q.Insert(h.taken...)
				q.Release(h)
			})
			release <- struct{}{}
			synctest.Wait()
			assert.EqualValues(t, 7, q.Waiting(), "being handled")
			close(release)
			synctest.Wait()
			assert.Zero(t, q.Waiting())
			q.Finish()
			<-q.Done()
		})
	}
}

// What waits behind a mark counts for itself before anybody learns that the mark
// is lifted.
func TestOldestKnowsWhatWasBehindAMark(t *testing.T) {
	eachWay(t, func(t *testing.T, q *delivery.Queue, _ *testkit.Log[string]) {
		q.Mark()
		put(q, delivery.Item{SentAfter: 7})
		synctest.Wait()
		assert.Zero(t, q.Oldest(), "who has marked it knows since when")
		var oldest int64
		q.Lift(nil, func() { oldest = q.Oldest() })
		synctest.Wait()
		assert.EqualValues(t, 7, oldest)
	})
}

// What is on its way into the lanes when a mark is lifted counts all the same.
func TestOldestKnowsWhatIsOnItsWayWhenAMarkIsLifted(t *testing.T) {
	for _, workers := range []int{2, 8} {
		synctest.Test(t, func(t *testing.T) {
			batch, release := make(chan struct{}), make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: 1 << 20,
				Handle: func(context.Context, int, *delivery.Item) { <-release },
			})
			q.Do(func() { <-batch }) // until all that follows is there
			synctest.Wait()
			put(q, delivery.Item{Key: "a", SentAfter: 7})
			q.Mark()
			put(q, delivery.Item{Key: "b", SentAfter: 8})
			var oldest int64
			q.Lift(nil, func() { oldest = q.Oldest() })
			close(batch)
			synctest.Wait()
			assert.EqualValues(t, 7, oldest)
			close(release)
			q.Finish()
			<-q.Done()
		})
	}
}

// While the sequencer handles items itself, what was inserted must not hide
// those of its batch that are still to come.
func TestInsertedItemsHideNoneOfTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan struct{})
		q := delivery.New(t.Context(), delivery.Config{
			Workers: 1, MaxBytes: 1 << 20,
			Handle: func(context.Context, int, *delivery.Item) { <-turn },
		})
		q.Do(func() { <-turn }) // until all that follows is there, to be one batch
		synctest.Wait()
		q.Do(func() {
			q.Insert(delivery.Item{Key: "k", Extra: true, SentAfter: 99})
			q.Insert(delivery.Item{Key: "k", Call: func() { <-turn }})
		})
		put(q, delivery.Item{Key: "a", SentAfter: 7})
		for _, busy := range []string{"with an extra item", "with a call", "with the item itself"} {
			turn <- struct{}{}
			synctest.Wait()
			assert.EqualValues(t, 7, q.Oldest(), busy)
		}
		turn <- struct{}{}
		q.Finish()
		<-q.Done()
		assert.Zero(t, q.Oldest())
	})
}

func TestTheBound(t *testing.T) {
	const size, limit = 1000, 4 * (1000 + 160)
	item := func() delivery.Item { return delivery.Item{Payload: make([]byte, size)} }
	probe := item()
	cost := probe.Cost()
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			turn := make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: limit,
				Handle: func(context.Context, int, *delivery.Item) { <-turn },
			})
			assert.True(t, q.Fits(10*limit), "into an empty queue, whatever its size")
			n := 0
			for ; q.Fits(cost); n++ {
				put(q, item())
			}
			assert.Equal(t, 4, n)
			assert.EqualValues(t, limit, q.Bytes())

			room := make(chan error, 1)
			go func() { room <- q.WaitRoom(t.Context(), cost) }()
			synctest.Wait()
			turn <- struct{}{}
			synctest.Wait()
			assert.Empty(t, room, "not at once: half of it is to be free")
			turn <- struct{}{}
			require.NoError(t, <-room)
			assert.True(t, q.Fits(cost))

			put(q, item(), item())
			stop := errors.New("stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { room <- q.WaitRoom(ctx, cost) }()
			synctest.Wait()
			cancel(stop)
			assert.ErrorIs(t, <-room, stop)
			close(turn)
			q.Finish()
			<-q.Done()
		})
	}
}

// There is room when half of the queue is free and what waits for it fits.
func TestRoomForAnItemOfMoreThanHalfTheQueue(t *testing.T) {
	const limit = 1000
	small, large := delivery.Item{Payload: make([]byte, 40)}, delivery.Item{Payload: make([]byte, 700)}
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			turn := make(chan struct{})
			q := delivery.New(t.Context(), delivery.Config{
				Workers: workers, MaxBytes: limit,
				Handle: func(context.Context, int, *delivery.Item) { <-turn },
			})
			put(q, small, small)
			require.Less(t, q.Bytes(), int64(limit/2))
			require.False(t, q.Fits(large.Cost()))
			room := make(chan error, 1)
			go func() { room <- q.WaitRoom(t.Context(), large.Cost()) }()
			synctest.Wait()
			assert.Empty(t, room)
			turn <- struct{}{}
			turn <- struct{}{}
			require.NoError(t, <-room)
			assert.True(t, q.Fits(large.Cost()))
			q.Finish()
			<-q.Done()
		})
	}
}

// The end of the context abandons what is queued: it stays counted, and Oldest
// does not pass it.
func TestTheEndOfTheContextAbandons(t *testing.T) {
	for _, workers := range workerCounts {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			q := delivery.New(ctx, delivery.Config{
				Workers: workers, MaxBytes: 1 << 20,
				Handle: func(ctx context.Context, _ int, _ *delivery.Item) { <-ctx.Done() },
			})
			for i := range 10 {
				q.Put(&delivery.Item{Key: fmt.Sprint(i), SentAfter: int64(7 + i)})
			}
			q.Flush()
			synctest.Wait()
			cancel()
			<-q.Done()
			assert.Equal(t, max(10-workers, 2), q.Len(), "all but those that were being handled")
			assert.EqualValues(t, 7, q.Oldest(), "its handler may have given up")
		})
	}
}

// keeper is a Holder of the items whose keys begin with h.
type keeper struct{ items []delivery.Item }

func (k *keeper) Hold(it *delivery.Item) bool {
	if !strings.HasPrefix(it.Key, "h") {
		return false
	}
	k.items = append(k.items, *it)
	return true
}

func (k *keeper) CaughtUp() {}

// What waits for a Holder leaves room for what can go on: half of the queue's bound
// counts apart, an eighth for one key.
func TestWhatHoldersHaveCountsApart(t *testing.T) {
	const cost, limit = 1000 + 160, 16
	for name, tt := range map[string]struct {
		held []string
		used int // of the queue's bound, while they wait
	}{
		"a few":              {[]string{"h1", "h1", "h2"}, 0},
		"a key's share":      {[]string{"h1", "h1"}, 0},
		"more of a key":      {[]string{"h1", "h1", "h1", "h1", "h1", "h2"}, 3},
		"all that is apart":  {[]string{"h1", "h1", "h2", "h2", "h3", "h3", "h4", "h4"}, 0},
		"more, of many keys": {[]string{"h1", "h1", "h2", "h2", "h3", "h3", "h4", "h4", "h5", "h6"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				q := delivery.New(t.Context(), delivery.Config{
					Workers: 2, MaxBytes: limit * cost,
					Handle: func(context.Context, int, *delivery.Item) { <-release },
				})
				fits := func() int { // how many more do
					n := 0
					for q.Fits(int64(n+1) * cost) {
						n++
						if n > limit {
							break
						}
					}
					return n
				}
				k := new(keeper)
				q.Mark()
				q.Lift(k, nil)
				for _, key := range tt.held {
					put(q, delivery.Item{Key: key, Payload: make([]byte, 1000)})
				}
				synctest.Wait()
				assert.EqualValues(t, len(tt.held)*cost, q.Bytes())
				if tt.used == 0 {
					require.NoError(t, q.WaitRoom(t.Context(), limit*cost))
				}
				assert.Equal(t, max(limit-tt.used, 0), min(fits(), limit))

				q.Do(func() {
					q.Insert(k.items...)
					q.Release(k)
				})
				synctest.Wait()
				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				assert.Error(t, q.WaitRoom(soon, limit*cost), "now it counts as all does")
				close(release)
				q.Finish()
				<-q.Done()
				assert.Zero(t, q.Bytes())
				assert.True(t, q.Fits(limit*cost))
			})
		})
	}
}

func TestAKeyOfWhichHoldersHaveTooMuchIsCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cost, limit = 1000 + 160, 16
		q := delivery.New(t.Context(), delivery.Config{Workers: 1, MaxBytes: limit * cost, Handle: func(context.Context, int, *delivery.Item) {}})
		k := new(keeper)
		q.Mark()
		q.Lift(k, nil)
		hold := func(keys ...string) {
			for _, key := range keys {
				put(q, delivery.Item{Key: key, Payload: make([]byte, 1000)})
			}
			synctest.Wait()
		}
		assert.False(t, q.Crowded("h1"))
		hold("h1")
		assert.False(t, q.Crowded("h1"))
		hold("h1")
		assert.True(t, q.Crowded("h1"), "it has its share")
		assert.False(t, q.Crowded("h2"))
		hold("h2", "h3", "h4", "h5")
		assert.True(t, q.Crowded("h2"), "together they have too much")
		assert.False(t, q.Crowded("a"))

		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, q.WaitReleased(soon, "h1"), context.DeadlineExceeded)
		assert.NoError(t, q.WaitReleased(soon, "a"))
		time.AfterFunc(time.Minute, func() {
			q.Do(func() {
				q.Insert(k.items...)
				q.Release(k)
			})
		})
		began := time.Now()
		require.NoError(t, q.WaitReleased(t.Context(), "h1"))
		assert.Equal(t, time.Minute, time.Since(began))
		assert.False(t, q.Crowded("h1"))
		q.Finish()
		<-q.Done()
	})
}
