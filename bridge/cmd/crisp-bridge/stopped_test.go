//go:build unix

package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/crisptest"
)

// TestALeaderThatIsStoppedForLongerThanItsLease: it was not killed, and goes on believing
// that it leads until it looks. Meanwhile each message is stored once, all are stored, and none
// is lost when the other ends then.
func TestALeaderThatIsStoppedForLongerThanItsLease(t *testing.T) {
	srv := crisptest.NewServer(t)
	nats := startServer(t)
	const ttl = 2 * time.Second
	vars := append(nats.vars(), "CRISP_BRIDGE_RTM_LEASE_TTL="+ttl.String())
	first := start(t, srv, vars...)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	second := start(t, srv, vars...)
	visitor := srv.Visitor()
	var want []string
	say := func(text string) {
		visitor.Say(text)
		want = append(want, text)
	}
	stored := func() []string { return texts(t, messages(t, nats.nats))[visitor.SessionID] }
	say("before")
	first.await("stored", func() bool { return len(stored()) == 1 && first.ready().RTM.Connected })

	first.signal(syscall.SIGSTOP)
	for i := range 20 {
		say(fmt.Sprint("meanwhile ", i))
		time.Sleep(200 * time.Millisecond)
	}
	second.await("leader", func() bool { return second.ready().RTM.Connected && len(stored()) == len(want) })
	first.signal(syscall.SIGCONT)
	for i := range 10 {
		say(fmt.Sprint("after ", i))
		time.Sleep(50 * time.Millisecond)
	}
	first.await("standby", func() bool { return first.ready().RTM.Role == "standby" })
	assert.Equal(t, "leader", second.ready().RTM.Role)
	second.await("stored", func() bool { return len(stored()) >= len(want) })

	// What is stored of the position is not the one's that was away.
	second.signal(syscall.SIGTERM)
	assert.Zero(t, second.wait())
	say("between")
	first.await("leader", func() bool { return first.ready().RTM.Connected })
	say("last")
	first.await("stored", func() bool { return len(stored()) >= len(want) })
	got := stored()
	slices.Sort(got)
	slices.Sort(want)
	assert.Equal(t, want, got, "each once")
	gaps := 0
	for _, m := range messages(t, nats.nats) {
		if m.Type == bridge.TypeGap {
			gaps++
		}
	}
	t.Logf("%d gaps; order: %s", gaps, strings.Join(stored(), ", "))
}
