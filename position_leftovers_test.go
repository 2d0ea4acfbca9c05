package crisp_test

import (
	"bufio"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// positionToSave is where TestFilePositionIsKilledWhileItSaves has its child save.
const positionToSave = "CRISP_TEST_POSITION"

func TestFilePositionIsKilledWhileItSaves(t *testing.T) {
	if path := os.Getenv(positionToSave); path != "" {
		saveForever(path)
	}
	path := filepath.Join(t.TempDir(), "position")
	for kill := 0; len(namesIn(t, path)) < 2; kill++ { // until a new file is left
		require.Less(t, kill, 200, "no save was interrupted")
		killASave(t, path)
	}
	foreign := []string{"position.123456", "position.tmp", "position.crisp-.tmp", "position2.crisp-0123456789abcdef.tmp",
		"position.crisp-0123456789abcdef.tmp.old", "position.crisp-0123456789abcdeg.tmp", "position.2.crisp-0123456789abcdef.tmp"}
	for _, name := range foreign {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), name), nil, 0o600))
	}
	_, err := crisp.FilePosition(path).Load(t.Context())
	require.NoError(t, err)
	assert.ElementsMatch(t, append(foreign, "position"), namesIn(t, path), "its own files are gone, no other")
}

// saveForever is the child.
func saveForever(path string) {
	store := crisp.FilePosition(path)
	for n := int64(1); ; n++ {
		if err := store.Save(context.Background(), crisp.Position{Time: time.Unix(n, 0), Handled: make([]uint64, 10_000)}); err != nil {
			panic(err)
		}
		if n == 1 {
			_, _ = os.Stdout.WriteString("saved\n")
		}
	}
}

// killASave kills a child that saves.
func killASave(t *testing.T, path string) {
	child := exec.Command(os.Args[0], "-test.run=^TestFilePositionIsKilledWhileItSaves$")
	child.Env = append(os.Environ(), positionToSave+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	assert.NoError(t, err)
	<-time.After(rand.N(30 * time.Millisecond)) // else it is always at the same of what a save does
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
}

func namesIn(t *testing.T, path string) (names []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A process that starts while another one saves, with the same file or one beside
// it, costs it no position.
func TestFilePositionSavesThoughAnotherProcessStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	store := crisp.FilePosition(path)
	for n := range int64(300) {
		var starting sync.WaitGroup
		for _, other := range []string{path, path + ".crisp-", filepath.Join(filepath.Dir(path), "pos")} {
			starting.Go(func() {
				for range n % 20 { // at another moment each time
					runtime.Gosched()
				}
				_, err := crisp.FilePosition(other).Load(t.Context())
				assert.NoError(t, err)
			})
		}
		require.NoError(t, store.Save(t.Context(), crisp.Position{Time: time.Unix(n, 0)}))
		starting.Wait()
		p, err := store.Load(t.Context())
		require.NoError(t, err)
		require.Equal(t, n, p.Time.Unix())
	}
}
