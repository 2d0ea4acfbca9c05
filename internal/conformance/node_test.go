//go:build conformance && unix

package conformance

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// process is a Node program that a test runs, and that ends with the test at
// the latest. It reports in lines of JSON.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	read  chan struct{} // closed when stdout has ended
	once  sync.Once
}

// startNode runs a script of the folder node. Each line that it writes goes to
// heard, on a goroutine of its own.
func startNode(t *testing.T, script string, options any, heard func(line []byte)) *process {
	t.Helper()
	encoded, err := json.Marshal(options)
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command("node", script, string(encoded)), read: make(chan struct{})}
	p.cmd.Dir = "node"
	p.cmd.Stderr = t.Output()
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.read)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			heard(lines.Bytes())
		}
		assert.NoError(t, lines.Err())
	}()
	t.Cleanup(p.stop)
	return p
}

// stop lets the program end by itself, which it does when its input ends, and
// helps if it doesn't.
func (p *process) stop() {
	p.end(func() error {
		return p.stdin.Close()
	})
}

// kill ends the program as a crash would.
func (p *process) kill() { p.end(p.cmd.Process.Kill) }

func (p *process) end(how func() error) {
	p.once.Do(func() {
		assert.NoError(p.t, how())
		impatient := time.AfterFunc(patience, func() {
			assert.Fail(p.t, "the Node program does not end")
			_ = p.cmd.Process.Kill()
		})
		defer impatient.Stop()
		<-p.read
		_ = p.cmd.Wait() // how it ended is up to how it was ended
	})
}
