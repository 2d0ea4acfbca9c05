package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// contestant is a client in a process of its own. It writes the text of each
// event that it gets on a line of its standard output.
type contestant struct {
	name string
	took []time.Duration

	cmd   *exec.Cmd
	stdin io.Closer
	read  chan struct{} // closed when its output has ended

	mu     sync.Mutex // guards latest
	latest arrival
}

// arrival is when the latest event was sent, and when it came.
type arrival struct{ sent, came time.Time }

func startClients(ctx context.Context, s *server) ([]*contestant, error) {
	commands := map[string]*exec.Cmd{"this library": exec.CommandContext(ctx, os.Args[0], "client", s.task.encode())} //nolint:gosec // this program
	names := []string{"this library"}
	if folder, ok := nodeFolder(ctx); ok {
		const sdk = "official Node SDK"
		commands[sdk] = exec.CommandContext(ctx, "node", filepath.Join(folder, "outage.mjs"), s.task.encode()) //nolint:gosec // a script of ours
		names = append(names, sdk)
	}
	var clients []*contestant
	for _, name := range names {
		c := &contestant{name: name, cmd: commands[name], read: make(chan struct{})}
		if err := c.start(); err != nil {
			return clients, fmt.Errorf("%s: %w", name, err)
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// nodeFolder is where the SDK is, which is installed if it is not there yet.
func nodeFolder(ctx context.Context) (string, bool) {
	folder := filepath.Join("internal", "lab", "bench", "node")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err == nil {
		return folder, true
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--silent")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "without the Node SDK:", err)
		return "", false
	}
	return folder, true
}

func (c *contestant) start() error {
	c.cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go c.listen(out)
	return nil
}

func (c *contestant) listen(out io.Reader) {
	defer close(c.read)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		ns, err := strconv.ParseInt(strings.TrimSpace(lines.Text()), 10, 64)
		if err != nil {
			continue
		}
		c.mu.Lock()
		c.latest = arrival{time.Unix(0, ns), time.Now()}
		c.mu.Unlock()
	}
}

// firstSince waits for an event that was sent after a time, and returns when it
// came.
func (c *contestant) firstSince(ctx context.Context, at time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s did not come back within %s", c.name, patience))
	defer cancel()
	for {
		c.mu.Lock()
		latest := c.latest
		c.mu.Unlock()
		if latest.sent.After(at) {
			return latest.came, nil
		}
		if wait(ctx, time.Millisecond) != nil {
			return time.Time{}, context.Cause(ctx)
		}
	}
}

// stop ends the process, which does so when its input ends.
func (c *contestant) stop() {
	_ = c.stdin.Close()
	<-c.read
	_ = c.cmd.Wait()
}

// client is the process of this library.
func client(ctx context.Context, encoded string) error {
	var t task
	if err := json.Unmarshal([]byte(encoded), &t); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	c, err := crisp.New(crisp.PluginToken(t.Identifier, t.Key), crisp.WithBaseURL(t.REST))
	if err != nil {
		return err
	}
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		_, err := fmt.Println(ev.Content)
		return err
	})
	rtm, err := c.NewRTM(router)
	if err != nil {
		return err
	}
	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}
