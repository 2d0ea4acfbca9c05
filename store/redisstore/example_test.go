package redisstore_test

import (
	"github.com/redis/go-redis/v9"

	"github.com/crisp-go/crisp/store/redisstore"
)

// The code of docs/scaling.md, word for word, so that it is known to compile.
var _ = openAddress

func openAddress(address string) (*redisstore.Store, error) {
	client := redis.NewClient(&redis.Options{Addr: address})
	return redisstore.New(client, "support-bot")
}
