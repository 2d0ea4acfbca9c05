//go:build unix

package cli

import (
	"context"
	"os/exec"
)

// shell returns a command that runs a command line in the system's shell.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command) //nolint:gosec // the command is the user's own
}
