package profile

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lock locks a folder against other processes that call lock, and waits for those that
// have it locked.
func lock(folder string) (unlock func(), err error) {
	opened, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	_ = windows.LockFileEx(windows.Handle(opened.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped)) // as in lock_unix.go
	return func() { _ = opened.Close() }, nil
}
