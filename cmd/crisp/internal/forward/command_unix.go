//go:build unix

package forward

import (
	"os/exec"
	"syscall"
)

// endWithChildren makes the end of the command's context kill its whole process group:
// killing only the shell would leave what it started running.
func endWithChildren(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
