//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
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
		time.Sleep(200 * time.Millisecond) // real: the lease of a stopped process ends by the servers' clock
	}
	second.await("leader", func() bool { return second.ready().RTM.Connected && len(stored()) == len(want) })
	first.signal(syscall.SIGCONT)
	for i := range 10 {
		say(fmt.Sprint("after ", i))
		time.Sleep(50 * time.Millisecond) // real: what comes while it finds out that it has lost the lease
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

// TestAFullDiskEndsTheBridge: the embedded engine takes nothing more, also when there is
// room again, until it is opened anew. A limit for the size of files stands for the disk's.
func TestAFullDiskEndsTheBridge(t *testing.T) {
	srv := crisptest.NewServer(t)
	dir := t.TempDir()
	p := start(t, srv, "CRISP_BRIDGE_ENGINE_DIR="+dir, limitOfFiles+"=2097152")
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i, strings.Repeat(" and so on", 10_000)))
		visitor.Say(want[i])
	}
	assert.Equal(t, 1, p.wait())
	assert.Contains(t, p.out.String(), "is its disk full?")
	assert.NotContains(t, p.out.String(), "and so on")

	q := start(t, srv, "CRISP_BRIDGE_ENGINE_DIR="+dir)
	q.await("filled", func() bool {
		_, body := q.get("/metrics")
		return strings.Contains(body, `crisp_bridge_backfills_total{outcome="complete"} 1`)
	})
	q.signal(syscall.SIGTERM)
	require.Zero(t, q.wait())
	log, err := natsembed.Start(natsembed.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, log.Shutdown(context.Background())) }()
	assert.Equal(t, want, texts(t, messages(t, log))[visitor.SessionID])
}

// limitOfFiles is how many bytes a file may have, for a program of this test.
const limitOfFiles = "BRIDGE_TEST_FILES"

func init() {
	text := os.Getenv(limitOfFiles)
	if text == "" {
		return
	}
	bytes, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		panic(err)
	}
}
