package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/testkit"
)

var (
	virtual = flag.Duration("virtual", 3*time.Second, "how long rounds in virtual time are played, in real time")
	sockets = flag.Duration("real", 3*time.Second, "how long rounds over real sockets are played")
	seed    = flag.Uint64("seed", rand.Uint64N(1<<32), "of the first round; each next has the next")
	blocked = flag.Duration("blocked", 2*time.Second, "how long handlers hang in TestBlockedHandlers")
	rounds  = flag.Int("rounds", 0, "how many rounds, instead of a time; 0 = by the time")
)

func TestMain(m *testing.M) {
	if os.Getenv(floodVariable) == "" {
		leakcheck.Main(m)
	}
	if err := flood(); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// everything is more than any round has: the accounts need all of it.
const everything = 1 << 20

// TestVirtual plays rounds in virtual time: real protocol, no real network.
func TestVirtual(t *testing.T) {
	soak(t, *virtual, func(t *testing.T, seed uint64) (report Report) {
		synctest.Test(t, func(t *testing.T) {
			p := newPlan(seed, time.Second)
			server := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithHistory(everything), crisptest.WithHeartbeat(p.heartbeat, p.heartbeatTimeout()))
			report = playOn(t, p, server, memoryPair)
		})
		return report
	})
}

// TestSockets plays rounds over TCP, where a second is 20 ms.
func TestSockets(t *testing.T) {
	soak(t, *sockets, func(t *testing.T, seed uint64) (report Report) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // whose end closes the server
			p := newPlan(seed, 20*time.Millisecond)
			p.length = min(p.length, 10*time.Second, *sockets)
			server := crisptest.NewServer(t, crisptest.WithHistory(everything), crisptest.WithHeartbeat(p.heartbeat, p.heartbeatTimeout()))
			report = playOn(t, p, server, tcpPair)
		})
		return report
	})
}

// playOn plays a plan, and fails with all that does not add up.
func playOn(t *testing.T, p plan, server *crisptest.Server, pair pairFunc) Report {
	t.Helper()
	transport, ok := server.HTTPClient().Transport.(*http.Transport)
	require.True(t, ok)
	n := &network{dial: transport.DialContext, pair: pair, ledger: newLedger()}
	report, err := play(t.Context(), p, server, n)
	if err != nil || len(report.Violations) > 0 {
		t.Fatalf("%s\n%v\n%s\n%s", p, err, strings.Join(report.Violations, "\n"), n.ledger.story())
	}
	return report
}

// soak plays rounds for some time, and watches what they leave behind.
func soak(t *testing.T, length time.Duration, play func(t *testing.T, seed uint64) Report) {
	const (
		warmUp   = 5 // rounds
		progress = 10 * time.Second
	)
	t.Logf("plays lives of a client for %s, with faults by a schedule; the first seed is %d (repeat one with -seed=N -rounds=1)", length, *seed)
	var (
		total      Report
		memory     int64
		goroutines int
	)
	began, told, played := time.Now(), time.Now(), 0
	for more := true; more; played++ {
		report := play(t, *seed+uint64(played))
		total.add(report)
		if played == warmUp {
			memory, goroutines = testkit.Heap(), runtime.NumGoroutine()
		}
		if time.Since(told) >= progress {
			told = time.Now()
			t.Logf("%s: %d rounds so far: %s", time.Since(began).Round(time.Second), played+1, total)
		}
		more = time.Since(began) < length
		if *rounds > 0 {
			more = played+1 < *rounds
		}
	}
	t.Logf("%d rounds in %s: %s", played, time.Since(began).Round(time.Second), total)
	if played > warmUp {
		t.Logf("heap %d KiB after %d rounds, %d KiB at the end; goroutines %d and %d", memory>>10, warmUp, testkit.Heap()>>10, goroutines, runtime.NumGoroutine())
		assert.Less(t, testkit.Heap(), memory+8<<20, "memory stays flat")
		assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2, "and so do goroutines")
	}
}
