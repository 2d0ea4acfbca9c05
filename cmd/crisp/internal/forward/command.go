package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Command runs a command line in the system's shell for each event, with the body on
// its stdin. It accepts the event by exiting with 0.
type Command struct {
	line    string
	env     []string
	timeout time.Duration
	output  func(line string)
}

// NewCommand makes a sender that runs a command line with the environment env and
// CRISP_EVENT. output is called with each line that it writes to stdout or stderr.
func NewCommand(line string, env []string, timeout time.Duration, output func(line string)) *Command {
	return &Command{line: line, env: env, timeout: timeout, output: output}
}

// Name is just "command", since the command line may hold secrets.
func (c *Command) Name() string { return "command" }

// Send runs the command.
func (c *Command) Send(ctx context.Context, a Attempt) Answer {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("it did not end within %s", c.timeout))
	defer cancel()
	began := time.Now()
	err := c.run(ctx, a)
	answer := Answer{Accepted: err == nil, Took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil:
		answer.Err = context.Cause(ctx)
	case errors.As(err, &exit):
		answer.Status = exit.ExitCode()
		answer.Err = errors.New("the command failed")
	default:
		answer.Err = err
	}
	return answer
}

func (c *Command) run(ctx context.Context, a Attempt) error {
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/C"
	}
	command := exec.CommandContext(ctx, shell, flag, c.line) //nolint:gosec // it is the user's own
	endWithChildren(command)
	command.WaitDelay = time.Second // in case children still keep its output open
	command.Env = append(c.env, "CRISP_EVENT="+record.Excerpt(a.Event, 200))
	command.Stdin = bytes.NewReader(a.Body)
	lines := &lineWriter{tell: c.output}
	defer lines.flush()
	command.Stdout, command.Stderr = lines, lines
	return command.Run()
}

// lineWriter calls a function for each line that is written.
type lineWriter struct {
	tell func(string)
	rest []byte
}

// longestLine is how much of a line is kept while its end has not come; longer ones are split.
const longestLine = 16 << 10

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found && len(w.rest) <= longestLine {
			return len(b), nil
		}
		w.tell(strings.TrimSuffix(string(line), "\r"))
		w.rest = rest
	}
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.tell(string(w.rest))
	}
}
