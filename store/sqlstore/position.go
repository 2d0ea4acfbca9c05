package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crisp-go/crisp"
)

// Position returns the store of the position of an RTM client. Each name has one of
// its own. Clients that take turns, as [crisp.Lead] lets them, share one; those that
// run at the same time must not.
func (s *Store) Position(name string) crisp.PositionStore { return &position{s, name} }

type position struct {
	store *Store
	name  string
}

func (p *position) Load(ctx context.Context) (at crisp.Position, err error) {
	var text string
	err = p.store.db.QueryRowContext(ctx, p.store.queries.load, p.store.namespace, p.name).Scan(&text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return at, nil
	case err != nil:
		return at, fmt.Errorf("sqlstore: loading the position: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		return crisp.Position{}, fmt.Errorf("sqlstore: %w: %q in %q", crisp.ErrPosition, p.name, p.store.namespace)
	}
	return at, nil
}

func (p *position) Save(ctx context.Context, at crisp.Position) error {
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("sqlstore: encoding the position: %w", err)
	}
	if _, err := p.store.db.ExecContext(ctx, p.store.queries.save, p.store.namespace, p.name, string(text)); err != nil {
		return fmt.Errorf("sqlstore: saving the position: %w", err)
	}
	return nil
}
