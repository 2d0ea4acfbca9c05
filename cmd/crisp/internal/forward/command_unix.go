//go:build unix

package forward

import (
	"os/exec"
	"syscall"
)

// endWithChildren has a command that takes too long end with all that it has started: a
// shell that is killed leaves what it has run alive.
func endWithChildren(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
