package sqlstore

import (
	"fmt"
	"strings"
)

// Dialect is the SQL of a database.
type Dialect int

// The databases that are supported.
const (
	Postgres Dialect = iota + 1 // 9.5 or later
	SQLite                      // 3.42 or later
)

// Schema returns the statements that make the tables, in SQL and separated by
// semicolons: for migrations, or where the program may not make tables.
func Schema(d Dialect) string { return strings.Join(d.statements(), ";\n\n") + ";\n" }

// statements are valid in both dialects. Times are in milliseconds since 1970.
func (Dialect) statements() []string {
	return []string{
		`CREATE TABLE IF NOT EXISTS crisp_claims (
	namespace TEXT NOT NULL,
	id TEXT NOT NULL,
	owner TEXT NOT NULL,
	done SMALLINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (namespace, id)
)`,
		`CREATE INDEX IF NOT EXISTS crisp_claims_expires ON crisp_claims (expires)`,
		`CREATE TABLE IF NOT EXISTS crisp_positions (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	position TEXT NOT NULL,
	PRIMARY KEY (namespace, name)
)`,
	}
}

// queries are what a store asks of the database.
type queries struct {
	lock  string // keeps others from making the tables at the same time; empty if not needed
	probe string // fails if the tables aren't there

	claim, state, done, release, purge string
	load, save                         string
}

func (d Dialect) queries() (*queries, error) {
	q := &queries{
		probe: `SELECT 1 FROM crisp_claims, crisp_positions WHERE 1 = 0`,
		claim: `INSERT INTO crisp_claims (namespace, id, owner, done, expires)
VALUES ($1, $2, $3, 0, NOW_MS + CAST($4 AS BIGINT))
ON CONFLICT (namespace, id) DO UPDATE
SET owner = excluded.owner, done = 0, expires = excluded.expires
WHERE crisp_claims.expires <= NOW_MS OR crisp_claims.done = 0 AND crisp_claims.owner = excluded.owner`,
		state: `SELECT done FROM crisp_claims WHERE namespace = $1 AND id = $2`,
		done: `INSERT INTO crisp_claims (namespace, id, owner, done, expires)
VALUES ($1, $2, '', 1, NOW_MS + CAST($3 AS BIGINT))
ON CONFLICT (namespace, id) DO UPDATE
SET owner = excluded.owner, done = excluded.done, expires = excluded.expires`,
		release: `DELETE FROM crisp_claims WHERE namespace = $1 AND id = $2 AND owner = $3 AND done = 0`,
		purge: `DELETE FROM crisp_claims WHERE (namespace, id) IN
(SELECT namespace, id FROM crisp_claims WHERE expires <= NOW_MS ORDER BY expires LIMIT 10000 SKIP_LOCKED)`,
		load: `SELECT position FROM crisp_positions WHERE namespace = $1 AND name = $2`,
		save: `INSERT INTO crisp_positions (namespace, name, position) VALUES ($1, $2, $3)
ON CONFLICT (namespace, name) DO UPDATE SET position = excluded.position`,
	}
	switch d {
	case Postgres:
		// Two sessions that make a table at the same time can both find it missing, and one fails.
		q.lock = `SELECT pg_advisory_xact_lock(7165480326441590)`
		// Deletions that waited for each other's rows could deadlock.
		q.translate("NOW_MS", "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)", "SKIP_LOCKED", "FOR UPDATE SKIP LOCKED")
	case SQLite:
		q.translate("NOW_MS", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "SKIP_LOCKED", "", "$", "?")
	default:
		return nil, fmt.Errorf("sqlstore: dialect %d: needs Postgres or SQLite", d)
	}
	return q, nil
}

// translate replaces what differs between the dialects.
func (q *queries) translate(pairs ...string) {
	r := strings.NewReplacer(pairs...)
	for _, query := range []*string{&q.claim, &q.state, &q.done, &q.release, &q.purge, &q.load, &q.save} {
		*query = r.Replace(*query)
	}
}
