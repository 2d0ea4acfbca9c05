package forward

import "os/exec"

// endWithChildren does nothing: children of a command that is ended go on.
func endWithChildren(*exec.Cmd) {}
