//go:build services

package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/storetest"
)

func TestRedis(t *testing.T) {
	address := storetest.Redis(t)
	t.Run("claims", func(t *testing.T) {
		storetest.Claims(t, func(t *testing.T) crisp.ClaimStore { return newStore(t, address, t.Name()) })
	})
	t.Run("apart", func(t *testing.T) {
		storetest.Apart(t, newStore(t, address, "one"), newStore(t, address, "two"))
	})
	t.Run("positions", func(t *testing.T) {
		storetest.Positions(t, func(t *testing.T, name string) crisp.PositionStore {
			return newStore(t, address, "positions").Position(name)
		})
	})
	t.Run("a broken position", func(t *testing.T) {
		require.NoError(t, newClient(t, address).Set(t.Context(), `crisp:"broken":position:rtm`, "{", 0).Err())
		storetest.Broken(t, newStore(t, address, "broken").Position("rtm"))
	})
	t.Run("what is over expires", func(t *testing.T) {
		store, client := newStore(t, address, "over"), newClient(t, address)
		for _, id := range []string{"done", "running"} {
			_, err := store.Claim(t.Context(), id, "one", time.Minute)
			require.NoError(t, err)
		}
		require.NoError(t, store.Done(t.Context(), "done", time.Hour))
		for id, most := range map[string]time.Duration{"done": time.Hour, "running": time.Minute} {
			left, err := client.PTTL(t.Context(), `crisp:"over":claim:`+id).Result()
			require.NoError(t, err)
			assert.Positive(t, left)
			assert.LessOrEqual(t, left, most)
		}
	})
}

func TestRedisReplicasThatAreKilled(t *testing.T) { storetest.Killed(t, storetest.Redis(t)) }

func TestRedisStandbyTakesOver(t *testing.T) { storetest.Standby(t, storetest.Redis(t)) }

// newClient is one that the test's end closes.
func newClient(t *testing.T, address string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}
