//go:build conformance && unix

package conformance

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// node is a program of the folder node, which a test runs and commands, and
// which ends with the test at the latest. node/remote.mjs is its side.
type node struct {
	t      *testing.T
	script string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	read   chan struct{} // closed when stdout has ended
	once   sync.Once

	mu      sync.Mutex
	reports map[string]*stream[report]
	answers map[int]chan answer
}

// report is what a program tells. Which fields there are depends on its kind.
type report struct {
	Report   string // the kind
	Session  string
	Reason   string
	EngineIO int
	Filter   json.RawMessage
	Name     string
	Args     []json.RawMessage
	Answers  json.RawMessage

	// When the program is ready.
	Rest    string
	Relay   string
	Hooks   string
	Unknown []string
}

// answer is a program's answer to a command.
type answer struct {
	ID     int
	Result json.RawMessage
	Error  string
}

// token is what programs know a token by.
type token struct {
	Tier       crisp.Tier `json:"tier"`
	Identifier string     `json:"identifier"`
	Key        string     `json:"key"`
	Website    string     `json:"website,omitempty"`
}

func tokenOf(t crisp.Token) token { return token{t.Tier, t.Identifier, t.Key, t.WebsiteID()} }

func startNode(t *testing.T, script string, options any) *node {
	t.Helper()
	encoded, err := json.Marshal(options)
	require.NoError(t, err)
	n := &node{
		t:       t,
		script:  script,
		cmd:     exec.Command("node", script, string(encoded)),
		read:    make(chan struct{}),
		reports: make(map[string]*stream[report]),
		answers: make(map[int]chan answer),
	}
	n.cmd.Dir = "node"
	n.cmd.Stderr = t.Output()
	n.stdin, err = n.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := n.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, n.cmd.Start())
	go n.listen(stdout)
	t.Cleanup(n.stop)
	return n
}

// stop lets the program end by itself, which it does when its input ends.
func (n *node) stop() { n.end(n.stdin.Close) }

// kill ends the program as a crash would.
func (n *node) kill() { n.end(n.cmd.Process.Kill) }

func (n *node) end(how func() error) {
	n.once.Do(func() {
		assert.NoError(n.t, how())
		impatient := time.AfterFunc(patience, func() {
			assert.Fail(n.t, "the program does not end", n.script)
			_ = n.cmd.Process.Kill()
		})
		defer impatient.Stop()
		<-n.read
		_ = n.cmd.Wait() // how it ended is up to how it was ended
	})
}

func (n *node) listen(stdout io.Reader) {
	defer close(n.read)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		n.hear(lines.Bytes())
	}
	assert.NoError(n.t, lines.Err())
}

func (n *node) hear(line []byte) {
	var r report
	var a answer
	if !assert.NoError(n.t, json.Unmarshal(line, &r), "%s", line) {
		return
	}
	if r.Report != "" {
		n.of(r.Report).add(r)
		return
	}
	if assert.NoError(n.t, json.Unmarshal(line, &a), "%s", line) {
		n.asked(a.ID) <- a
	}
}

// of returns the reports of a kind.
func (n *node) of(kind string) *stream[report] {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reports[kind] == nil {
		n.reports[kind] = newStream[report]("report of " + n.script + " that tells: " + kind)
	}
	return n.reports[kind]
}

// next is the next report of a kind.
func (n *node) next(kind string) report {
	n.t.Helper()
	return n.of(kind).next(n.t)
}

// take returns the reports of a kind that are there.
func (n *node) take(kind string) []report { return n.of(kind).take() }

func (n *node) asked(id int) chan answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answers[id]
}

// do gives the program a command and waits until it is done.
func (n *node) do(command string, arguments map[string]any) json.RawMessage {
	n.t.Helper()
	a := n.try(command, arguments)
	require.Empty(n.t, a.Error, "command %s", command)
	return a.Result
}

// try is do for commands that may fail.
func (n *node) try(command string, arguments map[string]any) answer {
	n.t.Helper()
	answered := make(chan answer, 1)
	line := map[string]any{"do": command}
	maps.Copy(line, arguments)
	n.mu.Lock()
	line["id"] = len(n.answers) + 1
	n.answers[len(n.answers)+1] = answered
	n.mu.Unlock()
	encoded, err := json.Marshal(line)
	require.NoError(n.t, err)
	_, err = n.stdin.Write(append(encoded, '\n'))
	require.NoError(n.t, err)
	select {
	case a := <-answered:
		return a
	case <-time.After(patience):
		require.FailNow(n.t, "no answer", "to the command %s of %s", command, n.script)
		return answer{}
	}
}
