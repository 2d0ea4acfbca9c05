package profile

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lock waits until no other process changes what is in a folder, and keeps others from
// it until unlock.
func lock(folder string) (unlock func(), err error) {
	opened, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	_ = windows.LockFileEx(windows.Handle(opened.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped)) // as in lock_unix.go
	return func() { _ = opened.Close() }, nil
}
