package sqlstore_test

import (
	"context"
	"database/sql"

	"github.com/crisp-go/crisp/store/sqlstore"
)

// The code of docs/scaling.md, word for word, so that it is known to compile.
var _ = []any{openPostgres, openFile}

func openPostgres(ctx context.Context, url string) (*sqlstore.Store, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	return sqlstore.Open(ctx, db, sqlstore.Postgres, "support-bot")
}

func openFile(ctx context.Context) (*sqlstore.Store, error) {
	db, err := sql.Open("sqlite", "file:/var/lib/mybot/claims.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	return sqlstore.Open(ctx, db, sqlstore.SQLite, "support-bot")
}
