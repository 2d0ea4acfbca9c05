package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/storetest"
	"github.com/crisp-go/crisp/store/redisstore"
)

func TestMain(m *testing.M) { storetest.Main(m, openRedis) }

func openRedis(_ context.Context, address string) (storetest.Store, error) {
	return redisstore.New(redis.NewClient(&redis.Options{Addr: address}), "killed")
}

func newStore(t *testing.T, address, namespace string) *redisstore.Store {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	store, err := redisstore.New(client, namespace)
	require.NoError(t, err)
	return store
}

func TestNewRefusesNonsense(t *testing.T) {
	_, err := redisstore.New(nil, "n")
	assert.ErrorContains(t, err, "a client")
	client := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	_, err = redisstore.New(client, "")
	assert.ErrorContains(t, err, "a namespace")
}

// Without a Redis, each call says what it was for.
func TestFailures(t *testing.T) {
	store := newStore(t, storetest.Nobody(t), "failures")
	_, err := store.Claim(t.Context(), "event", "one", time.Minute)
	assert.ErrorContains(t, err, "redisstore: claiming")
	assert.ErrorContains(t, store.Done(t.Context(), "event", time.Minute), "redisstore: recording what is done")
	assert.ErrorContains(t, store.Release(t.Context(), "event", "one"), "redisstore: releasing a claim")
	_, err = store.Position("rtm").Load(t.Context())
	assert.ErrorContains(t, err, "redisstore: loading the position")
	assert.ErrorContains(t, store.Position("rtm").Save(t.Context(), crisp.Position{}), "redisstore: saving the position")
}
