package crisp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestFilePosition(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	store := crisp.FilePosition(path)
	p, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.True(t, p.Time.IsZero(), "none yet")

	first := crisp.Position{Time: time.Date(2026, 11, 22, 6, 0, 0, 123456789, time.UTC), Handled: []uint64{1, 1<<64 - 1}}
	require.NoError(t, store.Save(t.Context(), first))
	second := crisp.Position{Time: first.Time.Add(time.Second)}
	require.NoError(t, store.Save(t.Context(), second))

	p, err = crisp.FilePosition(path).Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, second, p)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary files stay")
}

// A crash in the middle of a save must find the old content whole: the file has
// another name here, under which it shows what became of it.
func TestFilePositionReplacesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	store := crisp.FilePosition(path)
	require.NoError(t, store.Save(t.Context(), crisp.Position{Time: time.Unix(1, 0)}))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Link(path, path+".before"))
	require.NoError(t, store.Save(t.Context(), crisp.Position{Time: time.Unix(2, 0)}))
	kept, err := os.ReadFile(path + ".before")
	require.NoError(t, err)
	assert.Equal(t, string(before), string(kept))
}

func TestFilePositionSurvivesTornFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	store := crisp.FilePosition(path)
	first := crisp.Position{Time: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), Handled: []uint64{7}}
	second := crisp.Position{Time: first.Time.Add(time.Minute)}
	require.NoError(t, store.Save(t.Context(), first))
	require.NoError(t, store.Save(t.Context(), second))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for n := range whole {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		p, err := crisp.FilePosition(path).Load(t.Context())
		if err != nil {
			require.ErrorIs(t, err, crisp.ErrPosition)
			continue
		}
		assert.Contains(t, []crisp.Position{first, second}, p, "torn after %d bytes: one of the two, or none", n)
	}
	for n := range whole {
		if whole[n] == '\n' {
			continue // what parts the records: without it, there is one that fits no checksum
		}
		flipped := append([]byte(nil), whole...)
		flipped[n] ^= 0x10
		require.NoError(t, os.WriteFile(path, flipped, 0o600))
		p, err := crisp.FilePosition(path).Load(t.Context())
		require.NoError(t, err, "byte %d: the other record is whole", n)
		assert.Contains(t, []crisp.Position{first, second}, p)
	}
}

func TestFilePositionReportsWhereItCanNotSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "position")
	err := crisp.FilePosition(path).Save(t.Context(), crisp.Position{Time: time.Now()})
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "missing")
}
