package crisp

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Another start may take the probe of a position's folder for a leftover.
func TestTheProbeOfAFolderMayBeRemovedByAnother(t *testing.T) {
	file := &filePosition{path: filepath.Join(t.TempDir(), "position")}
	var both sync.WaitGroup
	both.Go(func() {
		for range 2000 {
			removeLeftovers(file.path)
		}
	})
	both.Go(func() {
		for range 2000 {
			assert.NoError(t, file.prepare())
		}
	})
	both.Wait()
}
