//go:build unix

package test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

// To kill more often: go test ./test -run Killed -args -kills=60
var kills = flag.Int("kills", 6, "how often TestKilledProcess kills its client")

// TestKilledProcess kills a client again and again, the first time right after its
// first start: with a position and a backfill nothing that is said is lost.
func TestKilledProcess(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHistory(1<<20))
	is := frozenClient{
		URL:        srv.URL(),
		Identifier: srv.Token().Identifier,
		Key:        srv.Token().Key,
		Position:   filepath.Join(t.TempDir(), "position"),
	}
	visitor := srv.Visitor()
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	said, handled := 0, make(map[string]int)
	for life := range *kills + 1 {
		client := startFrozen(t, is)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		require.NoError(t, srv.WaitAuthenticated(ctx))
		lives := rand.N(2 * time.Second)
		if life == 0 {
			lives = rand.N(100 * time.Millisecond)
		}
		for until := time.Now().Add(lives); time.Now().Before(until); said++ {
			visitor.Say(fmt.Sprint(said))
			<-pace.C
		}
		if life == *kills {
			last := fmt.Sprint(said)
			visitor.Say(last)
			for handled[last] == 0 {
				if r := client.next(ctx, t); r.Handled != "" {
					handled[r.Handled]++
				}
			}
		}
		client.stop()
		close(client.lines)
		for r := range client.lines {
			if r.Handled != "" {
				handled[r.Handled]++
			}
			if r.Incomplete != "" {
				t.Logf("life %d: %s", life, r.Incomplete)
			}
		}
		for range 3 { // nobody listens
			visitor.Say(fmt.Sprint(said))
			said++
		}
		cancel()
		gone := func() bool { return len(srv.Sessions()) == 0 }
		require.Eventually(t, gone, 20*time.Second, time.Millisecond, "the server notices, too")
	}
	for n := range said - 3 {
		assert.NotZero(t, handled[fmt.Sprint(n)], "%d is lost", n)
	}
}
