package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// acquire tries to have a lease, of which others hear as soon as they look.
func acquire(t *testing.T, p *peer, holder string, ttl time.Duration) bool {
	t.Helper()
	held, err := p.Lease("rtm").Acquire(within(t, 20*time.Second), holder, ttl)
	require.NoError(t, err)
	return held
}

// Between what a process reads and what it writes, another may write: then its own change
// comes to nothing, or is not made.
func TestALeaseThatAnotherTakesInBetween(t *testing.T) {
	for call, says := range map[int]string{1: "before its transaction", 2: "in it"} {
		t.Run(says, func(t *testing.T) {
			i := start(t, 1)
			one, other := connect(t, i), connect(t, i)
			calls := 0
			err := one.leases.change(within(t, 20*time.Second), "rtm", func(s leaseState) ([]byte, bool) {
				if calls++; calls == call { // it has read
					assert.True(t, acquire(t, other, "other", time.Minute))
				}
				return []byte(`{"holder":"one","ttl":60000000000}`), !s.heldByOther("one")
			})
			assert.True(t, errors.Is(err, errUnwanted) || interrupted(err), "%v", err)
			assert.False(t, acquire(t, one, "one", time.Minute))
			assert.True(t, acquire(t, other, "other", time.Minute))
		})
	}
}

// Of several processes that want it all the time, one has it at a time, also when
// connections break.
func TestALeaseThatManyWant(t *testing.T) {
	i := start(t, 1)
	var (
		holders atomic.Int32
		terms   atomic.Int32
		all     sync.WaitGroup
	)
	ctx := within(t, 2*time.Second)
	for n := range 4 {
		p := connect(t, i)
		all.Go(func() {
			l, holder := p.Lease("rtm"), fmt.Sprint("holder ", n)
			for ctx.Err() == nil {
				held, err := l.Acquire(ctx, holder, time.Minute)
				if err != nil || !held {
					_ = sleep(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
					continue
				}
				assert.EqualValues(t, 1, holders.Add(1), "holders")
				terms.Add(1)
				if rand.IntN(4) == 0 {
					p.dialer.cut(false)
				}
				holders.Add(-1)
				_ = l.Release(ctx, holder)
			}
			_ = l.Release(t.Context(), holder)
		})
	}
	all.Wait()
	assert.Greater(t, terms.Load(), int32(5))
	t.Log(terms.Load(), "terms")
}

// When it is not known whether a change was stored, what counts is what is in the topic.
func TestALeaseOfWhichTheAnswerIsLost(t *testing.T) {
	i := start(t, 1)
	one, other := connect(t, i), connect(t, i)
	var once sync.Once
	i.cluster.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() { one.dialer.cut(false) }) // the commit is under way, and its answer gets lost
		return nil, nil, false
	})
	held, err := one.Lease("rtm").Acquire(within(t, 5*time.Second), "one", time.Minute)
	t.Logf("the answer was lost: %v, %v", held, err)
	first := acquire(t, one, "one", time.Minute)
	assert.NotEqual(t, first, acquire(t, other, "other", time.Minute), "holders")
	require.NoError(t, one.Lease("rtm").Release(within(t, 5*time.Second), "one"))
	assert.True(t, acquire(t, other, "other", time.Minute))
}

// A process that dies in the middle of a change does not keep others from theirs.
func TestALeaseWhoseChangeIsLeftOpen(t *testing.T) {
	i := start(t, 1)
	one, other := connect(t, i), connect(t, i)
	open := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	held, err := one.Lease("rtm").Acquire(ctx, "one", time.Minute)
	assert.False(t, held)
	require.Error(t, err)
	one.Kill()
	open.Remove()
	assert.True(t, acquire(t, other, "other", time.Minute))
	assert.True(t, acquire(t, other, "other", time.Minute))
}

// Records that are no lease's count as nobody's.
func TestARecordThatIsNoLease(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	require.True(t, acquire(t, p, "one", time.Minute))
	s, err := p.stored()
	require.NoError(t, err)
	require.NoError(t, s.producer.put(t.Context(), &kgo.Record{Topic: "crisp.leases", Key: []byte("rtm"), Value: []byte("?")}))
	assert.True(t, acquire(t, connect(t, i), "other", time.Minute))
	_, err = p.Lease("rtm").Acquire(t.Context(), "", time.Minute)
	assert.ErrorContains(t, err, "needs a holder")
	_, err = p.Lease("rtm").Acquire(t.Context(), "one", 0)
	assert.ErrorContains(t, err, "needs a holder and a positive time")
}

// A lease of a topic with many records is read once.
func TestLeaseIsReadFromWhereItWas(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	for range 10 {
		require.True(t, acquire(t, p, "one", time.Minute))
	}
	next := p.leases.tail.next
	assert.GreaterOrEqual(t, next, int64(18), "records, and the marks of transactions")
	require.NoError(t, p.Lease("rtm").Release(t.Context(), "one"))
	assert.True(t, acquire(t, connect(t, i), "other", time.Minute))
}
