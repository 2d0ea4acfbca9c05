package natsbridge

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/crisp-go/crisp"
)

// Position returns the store of the position of an RTM client. Each name has one of its
// own. Clients that take turns, as [crisp.Lead] lets them, share one; those that run at
// the same time must not.
func (e *Engine) Position(name string) crisp.PositionStore {
	return &position{e, name, e.cfg.bucketPrefix() + "position." + key(name)}
}

type position struct {
	e       *Engine
	name    string
	subject string
}

func (p *position) Load(ctx context.Context) (at crisp.Position, err error) {
	s, err := p.e.stored()
	if err != nil {
		return at, err
	}
	last, err := s.get(ctx, p.subject)
	if err != nil {
		return at, fmt.Errorf("natsbridge: loading the position: %w", explain(err))
	}
	if !last.there {
		return at, nil
	}
	if err := json.Unmarshal(last.data, &at); err != nil {
		return crisp.Position{}, fmt.Errorf("natsbridge: %w: name %q", crisp.ErrPosition, p.name)
	}
	return at, nil
}

func (p *position) Save(ctx context.Context, at crisp.Position) error {
	if _, err := p.e.stored(); err != nil {
		return err
	}
	data, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("natsbridge: encoding the position: %w", explain(err))
	}
	if err := p.e.put(ctx, p.subject, data, 0); err != nil {
		return fmt.Errorf("natsbridge: saving the position: %w", explain(err))
	}
	return nil
}
