package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/crisp-go/crisp/rest"
)

// apply brings a contact up to date with a profile that Crisp has returned. Of two
// changes that did not know of each other, one here and one in Crisp, the later wins, as
// a whole, by the clocks of both; Crisp's wins within the same millisecond.
func (s *store) apply(ctx context.Context, p *rest.Profile) error {
	return s.inTx(ctx, func(tx *sql.Tx) error { return apply(ctx, tx, p) })
}

func apply(ctx context.Context, tx *sql.Tx, p *rest.Profile) error {
	at := max(p.UpdatedAt.UnixMilli(), 0)
	known, err := find(ctx, tx, p)
	if err != nil {
		return err
	}
	if known == nil {
		theirs := fieldsOf(p)
		_, err := tx.ExecContext(ctx, `
			INSERT INTO contacts (people_id, email, nickname, phone, company, segments, crisp_at, seen_at, writes)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)`,
			p.PeopleID, theirs.Email, theirs.Nickname, theirs.Phone, theirs.Company, segments(theirs), at, now())
		return err
	}
	pending := known.number != 0
	switch {
	case known.Removed && !pending: // identifiers don't come back: this was read before it was removed
		return nil
	case at < known.crispAt: // this was read before what is known
		return nil
	case pending && at == known.crispAt: // the change that waits in the outbox was made knowing this
		return seen(ctx, tx, known, p, at)
	case pending && fieldsOf(p).text() == known.sent: // that's ours, and has changed here since
		return seen(ctx, tx, known, p, at)
	case pending && at < known.changedAt: // the change in the outbox is later
		return seen(ctx, tx, known, p, at)
	}
	theirs := fieldsOf(p)
	_, err = tx.ExecContext(ctx, `
		UPDATE contacts SET email = ?, nickname = ?, phone = ?, company = ?, segments = ?, removed = 0, writes = writes + 1
		WHERE id = ?`, theirs.Email, theirs.Nickname, theirs.Phone, theirs.Company, segments(theirs), known.ID)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE contact_id = ?`, known.ID); err != nil {
		return err
	}
	return seen(ctx, tx, known, p, at)
}

// find returns the contact of a profile, or nil: one that was made here is known by its
// address until Crisp has given it an identifier.
func find(ctx context.Context, tx *sql.Tx, p *rest.Profile) (*row, error) {
	rows, err := query(ctx, tx, `
		WHERE people_id = ?1 OR (people_id IS NULL AND removed = 0 AND email <> '' AND lower(email) = lower(?2))
		ORDER BY people_id IS NULL, id LIMIT 1`, p.PeopleID, p.Email)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// seen records which profile is known of a contact.
func seen(ctx context.Context, tx *sql.Tx, r *row, p *rest.Profile, at int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE contacts SET people_id = ?, crisp_at = ?, seen_at = ?, writes = writes + 1 WHERE id = ?`,
		p.PeopleID, at, now(), r.ID)
	return err
}

// gone removes a contact that no longer exists in Crisp, even if it was changed here.
func (s *store) gone(ctx context.Context, peopleID string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE contact_id = (SELECT id FROM contacts WHERE people_id = ?)`, peopleID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE contacts SET removed = 1, writes = writes + 1 WHERE people_id = ?`, peopleID)
		return err
	})
}

// unseen returns the identifiers of the contacts that have not been seen in Crisp after
// a time.
func (s *store) unseen(ctx context.Context, since time.Time) (peopleIDs []string, err error) {
	rows, err := query(ctx, s.db, `WHERE people_id IS NOT NULL AND removed = 0 AND seen_at <= ?`, since.UnixMilli())
	for _, r := range rows {
		peopleIDs = append(peopleIDs, r.PeopleID)
	}
	return peopleIDs, err
}

func segments(f fields) string {
	data, _ := json.Marshal(append([]string{}, f.Segments...)) // texts can always be encoded
	return string(data)
}

func now() int64 { return time.Now().UnixMilli() }
