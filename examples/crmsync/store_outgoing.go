package main

import (
	"context"
	"database/sql"

	"github.com/crisp-go/crisp/rest"
)

// pending returns the contacts whose changes Crisp doesn't have yet, oldest change first.
func (s *store) pending(ctx context.Context) ([]row, error) {
	return query(ctx, s.db, `WHERE number IS NOT NULL AND refusal = '' ORDER BY number`)
}

// isPending reports whether a change is still in the outbox, under its number.
func (s *store) isPending(ctx context.Context, r row) (bool, error) {
	rows, err := query(ctx, s.db, `WHERE number = ?`, r.number)
	return len(rows) > 0, err
}

// sending records what is about to be sent to Crisp, so that it is known again when it
// comes back.
func (s *store) sending(ctx context.Context, r row) error {
	_, err := s.db.ExecContext(ctx, `UPDATE contacts SET sent = ?, writes = writes + 1 WHERE id = ?`, r.text(), r.ID)
	return err
}

// done takes a change off the outbox, unless another has taken its place, and brings
// the contact up to date with what Crisp has now: nil if it has nothing.
func (s *store) done(ctx context.Context, r row, now *rest.Profile) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE number = ?`, r.number); err != nil || now == nil {
			return err
		}
		return apply(ctx, tx, now)
	})
}

// refused stops sending a change that Crisp rejects, until the contact changes again.
func (s *store) refused(ctx context.Context, r row, why string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE outbox SET refusal = ? WHERE number = ?`, why, r.number)
	return err
}
