//go:build unix

package natsembed

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process that is being started has all files of the one that starts it, for a moment.
func TestALockThatIsOverIsFreeWhoeverHasItsFile(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockFolder(dir)
	require.NoError(t, err)
	_, err = lockFolder(dir)
	require.ErrorIs(t, err, ErrInUse)

	copied, err := syscall.Dup(int(lock.file.Fd()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, syscall.Close(copied)) }()
	require.NoError(t, lock.unlock())

	lock, err = lockFolder(dir)
	require.NoError(t, err)
	require.NoError(t, lock.unlock())
	require.NoError(t, lock.unlock(), "again")
}
