package main

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver, in pure Go
)

//go:embed schema.sql
var schema string

// store is the database. Changes that come from Crisp are in store_incoming.go, those that
// go to Crisp in store_outgoing.go.
type store struct{ db *sql.DB }

// openStore opens a database, and creates it if it doesn't exist. Only this user may read
// it, since it holds people's addresses.
func openStore(ctx context.Context, path string) (*store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would let everybody read it
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	options := url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"},
		"_txlock": {"immediate"}, // a transaction that reads first must not find that another program has written since
	}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path)+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// inTx runs a function in a transaction: all of it is done, or nothing, also if the
// program is killed.
func (s *store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// row is a row of the table contacts.
type row struct {
	ID       int64
	PeopleID string // empty if Crisp hasn't it yet
	fields
	Removed   bool
	changedAt int64 // in ms
	crispAt   int64 // in ms
	sent      string
	number    int64 // in the outbox; 0 if it isn't there
}

const selectRows = `
	SELECT id, coalesce(people_id, ''), email, nickname, phone, company, segments, removed, changed_at, crisp_at, sent,
		coalesce(number, 0)
	FROM contacts LEFT JOIN outbox ON contact_id = id `

// query returns rows; where is what follows selectRows.
func query(ctx context.Context, in interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, where string, args ...any) (rows []row, err error) {
	found, err := in.QueryContext(ctx, selectRows+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }() // found.Err has any error
	for found.Next() {
		var r row
		var segments string
		err := found.Scan(&r.ID, &r.PeopleID, &r.Email, &r.Nickname, &r.Phone, &r.Company, &segments, &r.Removed,
			&r.changedAt, &r.crispAt, &r.sent, &r.number)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(segments), &r.Segments); err != nil {
			return nil, fmt.Errorf("the segments of contact %d are no list: %w", r.ID, err)
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// contacts returns the contacts that are not removed, sorted by email address.
func (s *store) contacts(ctx context.Context) ([]row, error) {
	return query(ctx, s.db, `WHERE removed = 0 ORDER BY email, id`)
}
