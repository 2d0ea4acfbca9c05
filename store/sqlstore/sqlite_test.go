package sqlstore_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"github.com/crisp-go/crisp/internal/storetest"
	"github.com/crisp-go/crisp/store/sqlstore"
)

func TestMain(m *testing.M) { storetest.Main(m, openDatabase) }

// openSQLite opens a file as docs/scaling.md says.
func openSQLite(path string) (*sql.DB, error) {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(5000)"}}
	return sql.Open("sqlite", "file:"+url.PathEscape(path)+"?"+pragmas.Encode())
}

func newSQLite(t *testing.T) *database {
	folder, err := os.MkdirTemp("", "sqlstore")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	return &database{dialect: sqlstore.SQLite, dsn: filepath.Join(folder, "claims.db")}
}

func TestSQLite(t *testing.T) { contract(t, newSQLite) }

func TestSQLiteReplicasThatAreKilled(t *testing.T) {
	storetest.Killed(t, newSQLite(t).String())
}
