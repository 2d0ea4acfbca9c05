package crisp_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// What an event may cost: Decode has to copy the payload, make the event, and
// box its content; slices and values with escapes come on top.
func TestDecodeAllocs(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		allocs        uint64
	}{
		{"message:send", messageSend, 3},
		{"message:received", sampleOf("message:received"), 12},
		{"session:set_state", sampleOf("session:set_state"), 3},
		{"session:sync:pages", sampleOf("session:sync:pages"), 5},
		{"people:profile:updated", sampleOf("people:profile:updated"), 10},
		{"session:unheard_of", messageSend, 2},
	} {
		allocs, bytes := costOfDecode(t, c.name, c.payload)
		assert.LessOrEqual(t, allocs, c.allocs, c.name)
		if c.payload == messageSend {
			assert.LessOrEqual(t, bytes, uint64(2*len(c.payload)), c.name)
		}
	}
}

// costOfDecode is what the cheapest of many calls allocates: others may find
// the pool of decoders empty.
func costOfDecode(t *testing.T, name, payload string) (allocs, bytes uint64) {
	t.Helper()
	data := []byte(payload)
	for i := range 100 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := crisp.Decode(name, data)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		if n := after.Mallocs - before.Mallocs; i == 0 || n < allocs {
			allocs, bytes = n, after.TotalAlloc-before.TotalAlloc
		}
	}
	return allocs, bytes
}
