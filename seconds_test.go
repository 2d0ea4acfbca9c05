package crisp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// A time in seconds is one, wherever it stands: in 1970, pauses would end at once.
func TestTimesInSeconds(t *testing.T) {
	want := time.Date(2026, 3, 15, 10, 17, 4, 0, time.UTC)
	for _, at := range []string{`1773569824`, `1773569824000`, `1773569824.0`, `"1773569824"`, `"1773569824000"`} {
		for _, name := range []string{"message:send", "message:unheard_of"} {
			for _, payload := range []string{
				`{"session_id":"s","timestamp":` + at + `}`,
				`{"website_id":"w","data":{"session_id":"s"},"timestamp":` + at + `}`,
				`{"website_id":"w","data":{"session_id":"s","timestamp":` + at + `}}`,
			} {
				ev := decode(t, name, payload)
				assert.Equal(t, want, ev.EventMeta().Time, payload)
				assert.Empty(t, ev.EventMeta().Problems, payload)
			}
		}
		pages := decodeAs[*crisp.SessionSyncPages](t, "session:sync:pages", `{"pages":[{"page_url":"u","timestamp":`+at+`}]}`)
		require.Len(t, pages.Pages, 1)
		assert.Equal(t, want, pages.Pages[0].Timestamp)
	}
	for _, at := range []string{`1773569824000000`, `1773569824000000000`, `"soon"`, `true`} { // microseconds, nanoseconds, …
		ev := decodeAs[*crisp.MessageSend](t, "message:send", `{"timestamp":`+at+`}`)
		assert.Zero(t, ev.Timestamp)
		assert.Len(t, ev.Problems, 1, at)
	}
}
