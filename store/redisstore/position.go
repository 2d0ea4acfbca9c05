package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/crisp-go/crisp"
)

// Position returns the store of the position of an RTM client. Each name has one of
// its own. Clients that take turns, as [crisp.Lead] lets them, share one; those that
// run at the same time must not.
func (s *Store) Position(name string) crisp.PositionStore {
	return &position{s.client, s.prefix + "position:" + name}
}

type position struct {
	client redis.UniversalClient
	key    string
}

func (p *position) Load(ctx context.Context) (at crisp.Position, err error) {
	text, err := p.client.Get(ctx, p.key).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return at, nil
	case err != nil:
		return at, fmt.Errorf("redisstore: loading the position: %w", err)
	}
	if err := json.Unmarshal(text, &at); err != nil {
		return crisp.Position{}, fmt.Errorf("redisstore: %w: key %q", crisp.ErrPosition, p.key)
	}
	return at, nil
}

func (p *position) Save(ctx context.Context, at crisp.Position) error {
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("redisstore: encoding the position: %w", err)
	}
	if err := p.client.Set(ctx, p.key, text, 0).Err(); err != nil {
		return fmt.Errorf("redisstore: saving the position: %w", err)
	}
	return nil
}
