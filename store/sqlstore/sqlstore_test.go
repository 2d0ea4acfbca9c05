package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/storetest"
	"github.com/crisp-go/crisp/store/sqlstore"
)

// database is one that a test has made.
type database struct {
	dialect sqlstore.Dialect
	dsn     string // the path of the file, or a URL
}

func (d *database) open() (*sql.DB, error) {
	if d.dialect == sqlstore.SQLite {
		return openSQLite(d.dsn)
	}
	return sql.Open("pgx", d.dsn)
}

// String is the database as another process can be told of it.
func (d *database) String() string { return fmt.Sprintf("%d %s", d.dialect, d.dsn) }

// openDatabase opens the store of a database that String has told of.
func openDatabase(ctx context.Context, text string) (storetest.Store, error) {
	dialect, dsn, _ := strings.Cut(text, " ")
	d := &database{dialect: sqlstore.Postgres, dsn: dsn}
	if dialect == fmt.Sprint(int(sqlstore.SQLite)) {
		d.dialect = sqlstore.SQLite
	}
	db, err := d.open()
	if err != nil {
		return nil, err
	}
	return sqlstore.Open(ctx, db, d.dialect, "killed")
}

func (d *database) store(t *testing.T, namespace string) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), d.db(t), d.dialect, namespace)
	require.NoError(t, err)
	return store
}

func (d *database) db(t *testing.T) *sql.DB {
	t.Helper()
	db, err := d.open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// contract is what holds whatever the database is.
func contract(t *testing.T, newDatabase func(t *testing.T) *database) {
	d := newDatabase(t)
	t.Run("opened by many at once", func(t *testing.T) { openedAtOnce(t, d) })
	t.Run("claims", func(t *testing.T) {
		storetest.Claims(t, func(t *testing.T) crisp.ClaimStore { return d.store(t, t.Name()) })
	})
	t.Run("apart", func(t *testing.T) { storetest.Apart(t, d.store(t, "one"), d.store(t, "two")) })
	t.Run("positions", func(t *testing.T) {
		storetest.Positions(t, func(t *testing.T, name string) crisp.PositionStore {
			return d.store(t, "positions").Position(name)
		})
	})
	t.Run("a broken position", func(t *testing.T) {
		store := d.store(t, "broken")
		require.NoError(t, store.Position("rtm").Save(t.Context(), crisp.Position{Time: time.Now()}))
		_, err := d.db(t).ExecContext(t.Context(), "UPDATE crisp_positions SET position = '{' WHERE namespace = 'broken'")
		require.NoError(t, err)
		storetest.Broken(t, store.Position("rtm"))
	})
	t.Run("what is over is deleted", func(t *testing.T) { purged(t, d) })
	t.Run("failures", func(t *testing.T) { failures(t, d) })
}

// openedAtOnce: processes of a new program may all be started at once.
func openedAtOnce(t *testing.T, d *database) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			db, err := d.open()
			if !assert.NoError(t, err) {
				return
			}
			defer func() { assert.NoError(t, db.Close()) }()
			_, err = sqlstore.Open(context.Background(), db, d.dialect, "at once")
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

func purged(t *testing.T, d *database) {
	store, db := d.store(t, "purged"), d.db(t)
	rows := func() (n int) {
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM crisp_claims WHERE namespace = 'purged'").Scan(&n))
		return n
	}
	for n := range 10 {
		require.NoError(t, store.Done(t.Context(), fmt.Sprint("over ", n), time.Millisecond))
		require.NoError(t, store.Done(t.Context(), fmt.Sprint("kept ", n), time.Hour))
	}
	require.Equal(t, 20, rows())
	for deadline := time.Now().Add(time.Minute); rows() > 10 && time.Now().Before(deadline); {
		require.NoError(t, sqlstore.Purge(t.Context(), store))
	}
	assert.Equal(t, 10, rows())
	state, err := store.Claim(t.Context(), "kept 1", "one", time.Hour)
	require.NoError(t, err)
	assert.Equal(t, crisp.ClaimDone, state)
}

func failures(t *testing.T, d *database) {
	db := d.db(t)
	store, err := sqlstore.Open(t.Context(), db, d.dialect, "failures")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = store.Claim(t.Context(), "event", "one", time.Minute)
	assert.ErrorContains(t, err, "sqlstore: claiming")
	assert.ErrorContains(t, store.Done(t.Context(), "event", time.Minute), "sqlstore: recording what is done")
	assert.ErrorContains(t, store.Release(t.Context(), "event", "one"), "sqlstore: releasing a claim")
	_, err = store.Position("rtm").Load(t.Context())
	assert.ErrorContains(t, err, "sqlstore: loading the position")
	assert.ErrorContains(t, store.Position("rtm").Save(t.Context(), crisp.Position{}), "sqlstore: saving the position")
	_, err = sqlstore.Open(t.Context(), db, d.dialect, "failures")
	assert.ErrorContains(t, err, "sqlstore: opening")
}

func TestOpenRefusesNonsense(t *testing.T) {
	d := newSQLite(t)
	for want, open := range map[string]func() (*sqlstore.Store, error){
		"a database":  func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), nil, sqlstore.SQLite, "n") },
		"a namespace": func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), d.db(t), sqlstore.SQLite, "") },
		"dialect 0":   func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), d.db(t), 0, "n") },
	} {
		_, err := open()
		assert.ErrorContains(t, err, want)
	}
}

// The tables can be made beforehand, by somebody else.
func TestSchema(t *testing.T) {
	d := newSQLite(t)
	_, err := d.db(t).ExecContext(t.Context(), sqlstore.Schema(sqlstore.SQLite))
	require.NoError(t, err)
	readOnly, err := sql.Open("sqlite", "file:"+d.dsn+"?mode=ro")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, readOnly.Close()) })
	_, err = sqlstore.Open(t.Context(), readOnly, sqlstore.SQLite, "n")
	assert.NoError(t, err, "what is there is not made again")
}
