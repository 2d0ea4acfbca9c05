package natsembed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// ErrInUse is what errors of [Start] match for a folder that another server uses.
var ErrInUse = errors.New("natsembed: another server uses the folder")

// folderLock is a lock that ends with the process at the latest.
type folderLock struct {
	file *os.File
	once sync.Once
	err  error
}

// lockFolder locks a folder by a file in it, which stays: if it were removed, two could
// have locked files of the same name.
func lockFolder(dir string) (*folderLock, error) {
	path := filepath.Join(dir, "lock")
	file, err := openLocked(path)
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("%w %s: each needs one of its own; several programs share a NATS server", ErrInUse, dir)
	case err != nil:
		return nil, fmt.Errorf("natsembed: locking the folder for the log: %w", err)
	}
	return &folderLock{file: file}, nil
}

// errLocked is what openLocked returns for a file that somebody else has locked.
var errLocked = errors.New("locked")

func (l *folderLock) unlock() error {
	l.once.Do(func() { l.err = closeLocked(l.file) })
	return l.err
}
