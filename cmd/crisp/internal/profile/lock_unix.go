//go:build unix && !solaris && !aix

package profile

import (
	"os"
	"syscall"
)

// lock locks a folder against other processes that call lock, and waits for those that
// have it locked.
func lock(folder string) (unlock func(), err error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	_ = syscall.Flock(int(opened.Fd()), syscall.LOCK_EX) // best effort: some file systems have no locks
	return func() { _ = opened.Close() }, nil
}
