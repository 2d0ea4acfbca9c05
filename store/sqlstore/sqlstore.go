// Package sqlstore keeps in an SQL database what several processes of a program
// share: which events are claimed and done ([crisp.Once]), leases
// ([crisp.NewLease]) and positions ([crisp.WithPosition]).
//
// It uses database/sql, with any driver for PostgreSQL or SQLite, which the program
// imports:
//
//	db, err := sql.Open("pgx", url)
//	…
//	store, err := sqlstore.Open(ctx, db, sqlstore.Postgres, "support-bot")
//	…
//	router.Use(crisp.Once(store))
//
// Times are those of the database. SQLite takes them from the machine, which all of
// its processes share; give it a busy_timeout, since it has one writer at a time.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp"
)

// Store is a [crisp.ClaimStore] in a database. Its methods may be called from any
// goroutine.
type Store struct {
	db        *sql.DB
	queries   *queries
	namespace string
	opened    time.Time
	purged    atomic.Int64 // when expired rows were last deleted, in ns since opened
}

// purgeInterval is how often a store deletes expired rows.
const purgeInterval = time.Minute

// Open makes a store in a database, and the tables that it needs ([Schema]) if they
// aren't there. What stores of different namespaces hold has nothing in common: give
// each program one of its own, and all processes of a program the same. db stays the
// caller's to close.
func Open(ctx context.Context, db *sql.DB, d Dialect, namespace string) (*Store, error) {
	switch {
	case db == nil:
		return nil, errors.New("sqlstore: Open(nil): needs a database")
	case namespace == "":
		return nil, errors.New("sqlstore: Open: needs a namespace, which tells this program from others that use the database")
	}
	q, err := d.queries()
	if err != nil {
		return nil, err
	}
	if err := ensureTables(ctx, db, d, q); err != nil {
		return nil, err
	}
	return &Store{db: db, queries: q, namespace: namespace, opened: time.Now()}, nil
}

// ensureTables makes the tables unless they are there, so that a database user without
// the right to make tables can use existing ones.
func ensureTables(ctx context.Context, db *sql.DB, d Dialect, q *queries) error {
	if _, err := db.ExecContext(ctx, q.probe); err == nil {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlstore: opening: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	for _, statement := range append([]string{q.lock}, d.statements()...) {
		if statement == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: making the tables: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqlstore: making the tables: %w", err)
	}
	return nil
}

// Claim implements [crisp.ClaimStore]. Once a minute, it also deletes expired rows.
func (s *Store) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	if err := s.purge(ctx); err != nil {
		return 0, err
	}
	result, err := s.db.ExecContext(ctx, s.queries.claim, s.namespace, id, owner, milliseconds(lease))
	if err != nil {
		return 0, fmt.Errorf("sqlstore: claiming: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("sqlstore: claiming: %w", err)
	}
	if n > 0 {
		return crisp.ClaimOwned, nil
	}
	return s.state(ctx, id)
}

// state returns the state of an event that could not be claimed a moment ago. If its
// row is gone since, the event counts as running, and the caller claims it again.
func (s *Store) state(ctx context.Context, id string) (crisp.ClaimState, error) {
	var done int
	err := s.db.QueryRowContext(ctx, s.queries.state, s.namespace, id).Scan(&done)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return crisp.ClaimRunning, nil
	case err != nil:
		return 0, fmt.Errorf("sqlstore: claiming: %w", err)
	case done != 0:
		return crisp.ClaimDone, nil
	default:
		return crisp.ClaimRunning, nil
	}
}

// Done implements [crisp.ClaimStore].
func (s *Store) Done(ctx context.Context, id string, keep time.Duration) error {
	if _, err := s.db.ExecContext(ctx, s.queries.done, s.namespace, id, milliseconds(keep)); err != nil {
		return fmt.Errorf("sqlstore: recording what is done: %w", err)
	}
	return nil
}

// Release implements [crisp.ClaimStore].
func (s *Store) Release(ctx context.Context, id, owner string) error {
	if _, err := s.db.ExecContext(ctx, s.queries.release, s.namespace, id, owner); err != nil {
		return fmt.Errorf("sqlstore: releasing a claim: %w", err)
	}
	return nil
}

// purge deletes expired rows, at most once per purgeInterval.
func (s *Store) purge(ctx context.Context) error {
	last, now := s.purged.Load(), int64(time.Since(s.opened))
	if now-last < int64(purgeInterval) || !s.purged.CompareAndSwap(last, now) {
		return nil
	}
	if _, err := s.db.ExecContext(ctx, s.queries.purge); err != nil {
		return fmt.Errorf("sqlstore: deleting what is over: %w", err)
	}
	return nil
}

// milliseconds returns d in milliseconds, rounded up: a short lease must not become
// none.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
