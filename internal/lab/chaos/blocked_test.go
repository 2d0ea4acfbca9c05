package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

const (
	floodEvents   = 100_000
	floodSessions = 50
)

// TestBlockedHandlers lets handlers hang while 100,000 events come, from a
// server in a process of its own, so that the memory is the client's alone.
func TestBlockedHandlers(t *testing.T) {
	for _, concurrency := range []int{1, 16} {
		t.Run(fmt.Sprintf("%d at a time", concurrency), func(t *testing.T) {
			client := startFlood(t)
			var (
				mu      sync.Mutex             // guards handled, wrong and left
				handled = make(map[string]int) // by session: how many, which is what comes next
				wrong   int
			)
			release, all := make(chan struct{}), make(chan struct{})
			left := floodEvents
			router := crisp.NewRouter()
			crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
				<-release
				mu.Lock()
				defer mu.Unlock()
				if text, _ := ev.Content.(crisp.TextContent); !strings.HasPrefix(string(text), strconv.Itoa(handled[ev.SessionID])+" ") {
					wrong++
				}
				handled[ev.SessionID]++
				if left--; left == 0 {
					close(all)
				}
				return nil
			})
			connected := make(chan struct{}, 1)
			rtm, err := client.NewRTM(router, crisp.WithConcurrency(concurrency), crisp.WithHooks(crisp.Hooks{
				Connected: func(crisp.Connected) { connected <- struct{}{} },
				Gap:       func(g crisp.Gap) { t.Errorf("a gap: %v", g) },
			}))
			require.NoError(t, err)
			ended := make(chan error, 1)
			go func() { ended <- rtm.Run(context.Background()) }()
			<-connected
			debug.FreeOSMemory()
			before, goroutines := memory(), runtime.NumGoroutine()

			<-time.After(*blocked) // what comes in meanwhile is what is measured
			queued, most := memory(), runtime.NumGoroutine()
			stats := rtm.Stats()
			assert.LessOrEqual(t, stats.QueuedBytes, int64(64<<20))
			assert.LessOrEqual(t, most, goroutines+1)
			assert.Less(t, queued-before, int64(64<<20+16<<20), "the bound and a fixed overhead")

			began := time.Now()
			close(release)
			<-all
			took := time.Since(began)
			require.NoError(t, rtm.Shutdown(t.Context()))
			require.ErrorIs(t, <-ended, crisp.ErrClosed)
			mu.Lock()
			defer mu.Unlock()
			assert.Zero(t, wrong, "out of order")
			assert.Len(t, handled, floodSessions)
			t.Logf("handlers blocked for %s: %d of %d events queued, %d MiB counted, %d MiB taken from the system; goroutines %d before, %d meanwhile; then all handled in %s, %d lost, %d out of order",
				*blocked, stats.QueuedEvents, floodEvents, stats.QueuedBytes>>20, (queued-before)>>20, goroutines, most, took.Round(time.Millisecond), left, wrong)
		})
	}
}

// memory is what the process has taken from the system and not given back, in
// bytes.
func memory() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.Sys - stats.HeapReleased)
}

// floodVariable in the environment makes the test binary a server.
const floodVariable = "CRISP_CHAOS_FLOOD"

// floodToken is the token that the server accepts.
func floodToken() crisp.Token { return crisp.PluginToken("flood", "flood") }

// startFlood starts the server, and returns a client of it.
func startFlood(t *testing.T) *crisp.Client {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), floodVariable+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		assert.NoError(t, cmd.Wait())
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	client, err := crisp.New(floodToken(), crisp.WithBaseURL(strings.TrimSpace(url)))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// flood is the server: it sends the events to whoever comes first, and runs
// until its standard input ends.
func flood() error {
	server, err := crisptest.Start(crisptest.WithToken(floodToken()))
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Println(server.URL())
	if err := server.WaitAuthenticated(context.Background()); err != nil {
		return err
	}
	text := strings.Repeat("x", 350)
	for n := range floodEvents {
		server.EmitRaw("message:send", fmt.Appendf(nil,
			`{"website_id":%q,"session_id":"session_%d","type":"text","from":"user","origin":"chat","content":"%d %s","fingerprint":%d,"timestamp":%d}`,
			crisptest.WebsiteID, n%floodSessions, n/floodSessions, text, n, time.Now().UnixMilli()))
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
