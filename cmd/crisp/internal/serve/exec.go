package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// patience is how long a command may take to end after it was asked to.
const patience = 10 * time.Second

// Exec runs a command in the shell, with the environment in which it finds the server,
// until it ends or ctx does. Its output goes to w. It returns ctx's error if ctx ended,
// and nil only if the command succeeded.
func (s *Server) Exec(ctx context.Context, command string, w io.Writer) error {
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/c"
	}
	cmd := exec.CommandContext(ctx, shell, flag, command) //nolint:gosec // it is the user's own
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = os.Environ()
	for _, v := range s.Env() {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	cmd.Cancel = func() error { return stop(cmd.Process) }
	cmd.WaitDelay = patience
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the command of --exec: %w", err)
	}
	return ctx.Err()
}

// stop asks a process to end.
func stop(p *os.Process) error {
	if runtime.GOOS == "windows" {
		return p.Kill() // Windows has no SIGTERM
	}
	return p.Signal(syscall.SIGTERM)
}
