//go:build unix && !solaris && !aix

package profile

import (
	"os"
	"syscall"
)

// lock waits until no other process changes what is in a folder, and keeps others from
// it until unlock.
func lock(folder string) (unlock func(), err error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	_ = syscall.Flock(int(opened.Fd()), syscall.LOCK_EX) // some file systems have no locks: it goes on without
	return func() { _ = opened.Close() }, nil
}
