//go:build services

package sqlstore_test

import (
	"testing"

	"github.com/crisp-go/crisp/internal/storetest"
	"github.com/crisp-go/crisp/store/sqlstore"
)

func newPostgres(t *testing.T) *database {
	return &database{dialect: sqlstore.Postgres, dsn: storetest.Postgres(t)}
}

func TestPostgres(t *testing.T) { contract(t, newPostgres) }

func TestPostgresReplicasThatAreKilled(t *testing.T) {
	storetest.Killed(t, newPostgres(t).String())
}

func TestPostgresStandbyTakesOver(t *testing.T) { storetest.Standby(t, newPostgres(t).String()) }
