//go:build browser && unix

package browser

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait for something that takes only a moment.
const patience = 30 * time.Second

// secret signs all web hooks of the tests.
const secret = "a secret of the tests"

// installed returns the command crisp, as go install makes it: nothing of the checkout
// is beside it.
var installed = sync.OnceValues(func() (string, error) {
	folder, err := filepath.Abs("build")
	if err != nil {
		return "", err
	}
	install := exec.Command("go", "install", ".")
	install.Dir = filepath.Join("..", "..", "cmd", "crisp")
	install.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	install.Stderr = os.Stderr
	return filepath.Join(folder, "crisp"), install.Run()
})

// machine is where commands run: with a home, state and environment of their own, and
// with a way out that is watched.
type machine struct {
	t    *testing.T
	home string
	exit *exit
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	return &machine{t: t, home: t.TempDir(), exit: newExit(t)}
}

// file returns the path of a file in the machine's home.
func (m *machine) file(name string) string { return filepath.Join(m.home, name) }

func (m *machine) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + m.home,
		"TMPDIR=" + m.home,
		"XDG_CONFIG_HOME=" + m.file("config"),
		"XDG_STATE_HOME=" + m.file("state"),
		"CRISP_SIGNING_SECRET=" + secret,
		"HTTP_PROXY=" + m.exit.url, "HTTPS_PROXY=" + m.exit.url,
	}
}

// command is a command that runs, and ends with the test at the latest.
type command struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	read sync.WaitGroup // of stdout and stderr
	once sync.Once
	code int // that it ends with when it is asked to end

	inspect chan string   // the URL of the page, once it is told
	ended   chan struct{} // closed with stderr

	mu   sync.Mutex // guards said
	said []string   // on stderr
}

// ready returns the path of a file that a command is to write; it isn't there yet.
func (m *machine) ready(name string) string {
	m.t.Helper()
	require.NoError(m.t, os.RemoveAll(m.file(name)))
	return m.file(name)
}

// start starts a command. Its page is at an address of its own unless an argument says
// which.
func (m *machine) start(args ...string) *command {
	m.t.Helper()
	binary, err := installed()
	require.NoError(m.t, err, "installing the command")
	c := &command{t: m.t, name: strings.Join(args, " "), cmd: exec.Command(binary, args...), inspect: make(chan string, 1), ended: make(chan struct{})}
	c.cmd.Dir = m.home
	c.cmd.Env = m.env()
	stderr, err := c.cmd.StderrPipe()
	require.NoError(m.t, err)
	require.NoError(m.t, c.cmd.Start())
	c.read.Go(func() { c.listen(stderr) })
	m.t.Cleanup(c.stop)
	return c
}

var inspectLine = regexp.MustCompile(`inspect at (http://\S+)`)

func (c *command) listen(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		c.mu.Lock()
		c.said = append(c.said, lines.Text())
		c.mu.Unlock()
		if found := inspectLine.FindStringSubmatch(lines.Text()); found != nil {
			c.inspect <- found[1]
		}
	}
	close(c.ended)
}

// page returns the URL of the command's page, with its token.
func (c *command) page() string {
	c.t.Helper()
	select {
	case told := <-c.inspect:
		return told
	case <-c.ended:
		require.Fail(c.t, "the command has ended", "crisp %s: %s", c.name, c.stderr())
		return ""
	case <-time.After(patience):
		require.Fail(c.t, "no page was told", "crisp %s: %s", c.name, c.stderr())
		return ""
	}
}

func (c *command) stderr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.said, "\n")
}

// stop asks the command to end, which it has to do with its code.
func (c *command) stop() {
	c.end(syscall.SIGTERM)
}

// kill ends the command as a crash would.
func (c *command) kill() { c.end(syscall.SIGKILL) }

func (c *command) end(how syscall.Signal) {
	c.once.Do(func() {
		_ = c.cmd.Process.Signal(how) // it may have ended
		impatient := time.AfterFunc(patience, func() {
			assert.Fail(c.t, "the command does not end", "crisp %s: %s", c.name, c.stderr())
			_ = c.cmd.Process.Kill()
		})
		defer impatient.Stop()
		c.read.Wait()
		err := c.cmd.Wait()
		if how != syscall.SIGKILL {
			assert.Equal(c.t, c.code, c.cmd.ProcessState.ExitCode(), "crisp %s: %v: %s", c.name, err, c.stderr())
		}
	})
}

// address returns the address that a URL leads to, and the token in it.
func address(t *testing.T, page string) (host, token string) {
	t.Helper()
	parsed, err := url.Parse(page)
	require.NoError(t, err)
	return parsed.Host, parsed.Query().Get("token")
}

// await reads a file once the command has written it, such as --ready-file.
func (c *command) await(file string) string {
	c.t.Helper()
	var text []byte
	require.Eventually(c.t, func() bool {
		select {
		case <-c.ended:
			return true
		default:
		}
		var err error
		text, err = os.ReadFile(file)
		return err == nil && len(text) > 0
	}, patience, 5*time.Millisecond, "waiting for %s of crisp %s", filepath.Base(file), c.name)
	require.NotEmpty(c.t, text, "crisp %s has ended: %s", c.name, c.stderr())
	return strings.TrimSpace(string(text))
}
