package kafkabridge

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp"
)

// Position returns the store of the position of an RTM client. Each name has one of its
// own. Clients that take turns, as [crisp.Lead] lets them, share one; those that run at
// the same time must not.
func (e *Engine) Position(name string) crisp.PositionStore { return &position{e, name} }

type position struct {
	e    *Engine
	name string
}

func (p *position) Load(ctx context.Context) (at crisp.Position, err error) {
	if _, err := p.e.stored(); err != nil {
		return at, err
	}
	all, err := p.e.readAll(ctx, p.e.cfg.positionTopic())
	if err != nil {
		return at, fmt.Errorf("kafkabridge: loading the position: %w", err)
	}
	for i := len(all) - 1; i >= 0; i-- {
		if string(all[i].Key) != p.name {
			continue
		}
		if err := json.Unmarshal(all[i].Value, &at); err != nil {
			return crisp.Position{}, fmt.Errorf("kafkabridge: %w: name %q", crisp.ErrPosition, p.name)
		}
		return at, nil
	}
	return at, nil
}

func (p *position) Save(ctx context.Context, at crisp.Position) error {
	if _, err := p.e.stored(); err != nil {
		return err
	}
	data, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("kafkabridge: encoding the position: %w", err)
	}
	if err := p.e.produce(ctx, &kgo.Record{Topic: p.e.cfg.positionTopic(), Key: []byte(p.name), Value: data}); err != nil {
		return fmt.Errorf("kafkabridge: saving the position: %w", err)
	}
	return nil
}
