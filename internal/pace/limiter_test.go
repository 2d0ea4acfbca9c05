package pace_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/pace"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fly lets as many calls go as may be under way.
func fly(t *testing.T, l *pace.Limiter) []*pace.Turn {
	t.Helper()
	var turns []*pace.Turn
	for range pace.MaxInFlight {
		turn := l.NewTurn(0)
		require.NoError(t, turn.Wait(t.Context()))
		turns = append(turns, turn)
	}
	return turns
}

func TestTurnsComeInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		flying := fly(t, &l)
		var order []int
		var all sync.WaitGroup
		for i := range 20 {
			turn := l.NewTurn(0)
			all.Go(func() {
				assert.NoError(t, turn.Wait(t.Context()))
				order = append(order, i)
				turn.Accepted()
			})
			synctest.Wait()
		}
		assert.Empty(t, order)
		flying[0].Accepted()
		all.Wait()
		for i, n := range order {
			assert.Equal(t, i, n)
		}
	})
}

func TestATurnIsKeptWhenACallIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		first := l.NewTurn(0)
		require.NoError(t, first.Wait(t.Context()))
		first.Refused(time.Second)
		began := time.Now()
		var order []string
		var all sync.WaitGroup
		second := l.NewTurn(0)
		for name, turn := range map[string]*pace.Turn{"second": second, "first": first} {
			all.Go(func() {
				assert.NoError(t, turn.Wait(t.Context()))
				order = append(order, name)
				turn.Accepted()
			})
		}
		all.Wait()
		assert.Equal(t, []string{"first", "second"}, order)
		assert.GreaterOrEqual(t, time.Since(began), time.Second)
	})
}

func TestACallThatIsDelayedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		delayed, other := l.NewTurn(0), l.NewTurn(0)
		delayed.Delay(time.Minute)
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			assert.NoError(t, delayed.Wait(t.Context()))
			assert.Equal(t, time.Minute, time.Since(began))
			delayed.Lost()
		})
		synctest.Wait()
		require.NoError(t, other.Wait(t.Context()))
		assert.Zero(t, time.Since(began))
		other.Accepted()
		all.Wait()
	})
}

func TestCallsThatGiveUpMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		flying := fly(t, &l)
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		impatient, next := l.NewTurn(0), l.NewTurn(0)
		var all sync.WaitGroup
		all.Go(func() { assert.ErrorIs(t, impatient.Wait(ctx), stop) })
		synctest.Wait()
		all.Go(func() { assert.NoError(t, next.Wait(t.Context())) })
		synctest.Wait()
		cancel(stop)
		synctest.Wait()
		flying[0].Lost()
		all.Wait()
	})
}

func TestADeadlineThatIsTooEarlyFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		refused := l.NewTurn(0)
		require.NoError(t, refused.Wait(t.Context()))
		refused.Refused(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, l.NewTurn(0).Wait(ctx), pace.ErrRateLimited)
		require.ErrorIs(t, l.NewTurn(9*time.Second).Wait(t.Context()), pace.ErrRateLimited)
		assert.Zero(t, time.Since(began))
	})
}

// A call that was not sent yet is patient as long as others are accepted.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l pace.Limiter
		flying := fly(t, &l)
		began := time.Now()
		first, waiting := l.NewTurn(0), l.NewTurn(time.Minute)
		var all sync.WaitGroup
		all.Go(func() { assert.NoError(t, first.Wait(t.Context())) })
		all.Go(func() {
			assert.ErrorIs(t, waiting.Wait(t.Context()), pace.ErrRateLimited)
			assert.Equal(t, 100*time.Second, time.Since(began))
		})
		<-time.After(40 * time.Second)
		flying[0].Accepted() // makes room for the first
		all.Wait()
	})
}
