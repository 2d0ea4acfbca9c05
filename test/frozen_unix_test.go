//go:build unix

package test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// To freeze for longer, and more often: go test ./test -run Frozen -parallel 10 -args -frozen=8s -rounds=20
var (
	frozenFor    = flag.Duration("frozen", 1500*time.Millisecond, "how long TestFrozenProcess stops its client")
	frozenRounds = flag.Int("rounds", 1, "how often")
)

// frozenServer names the environment variable that makes a test the process that is
// stopped, as a frozenClient in JSON.
const frozenServer = "CRISP_TEST_FROZEN"

type frozenClient struct {
	URL             string
	Identifier, Key string
	Position        string // of the file, which makes it backfill, too; empty = neither
}

// frozenReport is a line that the client prints.
type frozenReport struct {
	Handled    string           `json:",omitempty"`
	Gap        *crisp.Gap       `json:",omitempty"`
	Backfilled *crisp.GapReason `json:",omitempty"` // of a gap that was filled whole
	Incomplete string           `json:",omitempty"` // why one was not
}

func (f frozenClient) run() error {
	out := json.NewEncoder(os.Stdout)
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		return out.Encode(frozenReport{Handled: string(ev.Content.(crisp.TextContent))})
	})
	hooks := crisp.Hooks{
		Gap: func(g crisp.Gap) { _ = out.Encode(frozenReport{Gap: &g}) },
		Backfilled: func(b crisp.Backfilled) {
			if b.Complete {
				_ = out.Encode(frozenReport{Backfilled: &b.Gap.Reason})
			} else {
				_ = out.Encode(frozenReport{Incomplete: fmt.Sprint(b.Err, b.Requests)})
			}
		},
	}
	opts := []crisp.RTMOption{crisp.WithHooks(hooks)}
	if f.Position != "" {
		opts = append(opts, crisp.WithPosition(crisp.FilePosition(f.Position)), crisp.WithBackfill(crisp.Backfill{}))
	}
	client, err := crisp.New(crisp.PluginToken(f.Identifier, f.Key), crisp.WithBaseURL(f.URL))
	if err != nil {
		return err
	}
	rtm, err := client.NewRTM(router, opts...)
	if err != nil {
		return err
	}
	return rtm.Run(context.Background())
}

// TestFrozenProcess stops a process for longer than the server's patience, with
// messages before the server gives it up, which wait in the kernel, and after. What is
// read late must not count as if it had just been sent: all that is not handled lies in
// a gap that was told of, or is recovered.
func TestFrozenProcess(t *testing.T) {
	if is := os.Getenv(frozenServer); is != "" {
		var f frozenClient
		require.NoError(t, json.Unmarshal([]byte(is), &f))
		require.NoError(t, f.run())
		return
	}
	for name, backfill := range map[string]bool{"told": false, "recovered": true} {
		for round := range *frozenRounds {
			t.Run(fmt.Sprint(name, round), func(t *testing.T) {
				t.Parallel()
				freeze(t, backfill, *frozenFor)
			})
		}
	}
}

func freeze(t *testing.T, backfill bool, frozen time.Duration) {
	const patience = 200 * time.Millisecond
	srv := crisptest.NewServer(t, crisptest.WithHeartbeat(patience, patience))
	is := frozenClient{URL: srv.URL(), Identifier: srv.Token().Identifier, Key: srv.Token().Key}
	if backfill {
		is.Position = filepath.Join(t.TempDir(), "position")
	}
	reports := startFrozen(t, is)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))

	sent := make(map[string]time.Time)
	visitor := srv.Visitor()
	say := func() {
		text := time.Now().Format(time.StampNano)
		sent[text] = time.Now()
		visitor.Say(text)
	}
	every := max(20*time.Millisecond, frozen/1000) // to be recovered within the requests that a gap may cost
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range 10 {
		<-ticker.C
		say()
	}
	require.NoError(t, reports.process.Signal(syscall.SIGSTOP))
	for until := time.Now().Add(frozen); time.Now().Before(until); <-ticker.C {
		say()
	}
	require.NoError(t, reports.process.Signal(syscall.SIGCONT))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, srv.WaitAuthenticated(ctx))
	last := "the last"
	visitor.Say(last)

	handled := make(map[string]int)
	var gaps []crisp.Gap
	complete := !backfill
	for handled[last] == 0 || len(gaps) == 0 || !complete {
		r := reports.next(ctx, t)
		if r.Gap != nil {
			gaps = append(gaps, *r.Gap)
		}
		if r.Handled != "" {
			handled[r.Handled]++
		}
		complete = complete || r.Backfilled != nil
	}
	reports.stop()

	lost := 0
	for text, at := range sent {
		assert.LessOrEqual(t, handled[text], 1, "handled more than once")
		if handled[text] == 0 {
			lost++
			inGap := false
			for _, g := range gaps {
				inGap = inGap || !at.Before(g.From) && !at.After(g.To)
			}
			assert.True(t, inGap, "%s is lost, and in none of the gaps %v", text, gaps)
			assert.False(t, backfill, "%s is lost, though there is a backfill", text)
		}
	}
	t.Logf("of %d messages %d were lost, gaps: %v", len(sent), lost, gaps)
	if !backfill {
		assert.NotZero(t, lost, "the server gave nobody up")
	}
}

// frozenProcess is a child, and what it prints.
type frozenProcess struct {
	process *os.Process
	lines   chan frozenReport
	stop    func()
}

func startFrozen(t *testing.T, is frozenClient) *frozenProcess {
	env, err := json.Marshal(is)
	require.NoError(t, err)
	child := exec.Command(os.Args[0], "-test.run=^TestFrozenProcess$")
	child.Env = append(os.Environ(), frozenServer+"="+string(env))
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	f := &frozenProcess{process: child.Process, lines: make(chan frozenReport, 1<<16)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		f.read(out)
	}()
	f.stop = func() {
		_ = child.Process.Kill()
		<-read
		_ = child.Wait()
	}
	t.Cleanup(f.stop)
	return f
}

func (f *frozenProcess) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r frozenReport
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			f.lines <- r
		}
	}
}

func (f *frozenProcess) next(ctx context.Context, t *testing.T) frozenReport {
	select {
	case r := <-f.lines:
		return r
	case <-ctx.Done():
		require.FailNow(t, "the client says nothing more")
		return frozenReport{}
	}
}
