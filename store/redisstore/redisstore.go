// Package redisstore keeps in Redis what several processes of a program share: which
// events are claimed and done ([crisp.Once]), leases ([crisp.NewLease]) and positions
// ([crisp.WithPosition]).
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
//	store, err := redisstore.New(client, "support-bot")
//	…
//	router.Use(crisp.Once(store))
//
// Times are those of Redis, and each key expires by itself, but for positions. Redis
// forgets what it has not written to its disk when it crashes (appendonly), what it
// evicts (use maxmemory-policy noeviction), and what it has not replicated when it
// fails over: an event may then be handled a second time.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/crisp-go/crisp"
)

// Store is a [crisp.ClaimStore] in Redis. Its methods may be called from any
// goroutine.
type Store struct {
	client redis.UniversalClient
	prefix string
}

// New makes a store of a client, which stays the caller's to close. A call touches
// one key: a cluster will do. What stores of different namespaces hold has nothing in
// common: give each program one of its own, and all processes of a program the same.
// Its keys begin with "crisp:", the namespace in quotes, and a colon.
func New(client redis.UniversalClient, namespace string) (*Store, error) {
	switch {
	case client == nil:
		return nil, errors.New("redisstore: New(nil): needs a client")
	case namespace == "":
		return nil, errors.New("redisstore: New: needs a namespace, which tells this program from others that use this Redis")
	}
	return &Store{client: client, prefix: fmt.Sprintf("crisp:%q:", namespace)}, nil
}

// The value of a claim is "done", or "by " and its owner.
const (
	isDone = "done"
	by     = "by "
)

// The answers of claimScript.
const (
	answerOwned = iota + 1
	answerRunning
	answerDone
)

// claimScript sets a key to its owner, unless another owner has it or it is done.
var claimScript = redis.NewScript(`
local has = redis.call('GET', KEYS[1])
if has == false or has == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return 1
end
if has == 'done' then return 3 end
return 2
`)

// releaseScript deletes a key if it is still its owner's.
var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

// Claim implements [crisp.ClaimStore].
func (s *Store) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	answer, err := claimScript.Run(ctx, s.client, []string{s.claimKey(id)}, by+owner, milliseconds(lease)).Int()
	if err != nil {
		return 0, fmt.Errorf("redisstore: claiming: %w", err)
	}
	switch answer {
	case answerOwned:
		return crisp.ClaimOwned, nil
	case answerRunning:
		return crisp.ClaimRunning, nil
	case answerDone:
		return crisp.ClaimDone, nil
	}
	return 0, fmt.Errorf("redisstore: claiming: unexpected answer %d", answer)
}

// Done implements [crisp.ClaimStore].
func (s *Store) Done(ctx context.Context, id string, keep time.Duration) error {
	err := s.client.Do(ctx, "SET", s.claimKey(id), isDone, "PX", milliseconds(keep)).Err()
	if err != nil {
		return fmt.Errorf("redisstore: recording what is done: %w", err)
	}
	return nil
}

// Release implements [crisp.ClaimStore].
func (s *Store) Release(ctx context.Context, id, owner string) error {
	if err := releaseScript.Run(ctx, s.client, []string{s.claimKey(id)}, by+owner).Err(); err != nil {
		return fmt.Errorf("redisstore: releasing a claim: %w", err)
	}
	return nil
}

func (s *Store) claimKey(id string) string { return s.prefix + "claim:" + id }

// milliseconds returns d in milliseconds, rounded up: Redis refuses to expire a key after 0.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
