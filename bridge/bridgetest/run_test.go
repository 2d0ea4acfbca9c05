package bridgetest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// broken names the promise that the engine of TestMemory breaks: for TestRunNotices.
const broken = "BRIDGETEST_BROKEN"

func TestMemory(t *testing.T) { Run(t, Memory{broken: fault(os.Getenv(broken))}) }

// TestRunNotices what an engine does wrong, in a process of its own, since it fails there.
func TestRunNotices(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	for what, test := range map[fault]string{
		storesTwice:    "an_ID_is_stored_once",
		takesAnything:  "too_large",
		anyPartitions:  "another_number_of_partitions_is_refused",
		twoHolders:     "a_lease_has_one_holder",
		endlessLease:   "a_lease_ends_by_itself",
		unevenShares:   "partitions_are_shared",
		twoOwners:      "a_partition_has_one_owner",
		neverTakesOver: "death_in_a_handler",
		newestFirst:    "chaos_1",
		losesMessages:  "partitions_are_shared",
		neverRewinds:   "what_is_not_done_comes_again",
		buriesNothing:  "poison",
		noPositions:    "positions",
	} {
		t.Run(string(what), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestMemory$/^"+test+"$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), broken+"="+string(what))
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "it went unnoticed")
			assert.Contains(t, string(out), "--- FAIL: TestMemory/"+test)
		})
	}
}
