package crisp_test

import (
	"testing"
	"time"

	"github.com/crisp-go/crisp"
)

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "7", "-1", "99999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "Wednesday, 21-Oct-26 07:28:00 GMT"} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got := crisp.ParseRetryAfter(value, time.Unix(now, 0))
		if got < 0 || got > 24*time.Hour {
			t.Errorf("%q is read as %s", value, got)
		}
	})
}
