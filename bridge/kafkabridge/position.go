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
	t, err := p.e.newTail(p.e.cfg.positionTopic())
	if err != nil {
		return at, err
	}
	defer t.close()
	var last []byte
	err = t.catchUp(ctx, 0, func(r *kgo.Record) {
		if string(r.Key) == p.name {
			last = r.Value
		}
	})
	if err != nil || last == nil {
		return at, err
	}
	if err := json.Unmarshal(last, &at); err != nil {
		return crisp.Position{}, fmt.Errorf("kafkabridge: %w: name %q", crisp.ErrPosition, p.name)
	}
	return at, nil
}

func (p *position) Save(ctx context.Context, at crisp.Position) error {
	s, err := p.e.stored()
	if err != nil {
		return err
	}
	data, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("kafkabridge: encoding the position: %w", err)
	}
	return s.producer.put(ctx, &kgo.Record{Topic: p.e.cfg.positionTopic(), Key: []byte(p.name), Value: data})
}
