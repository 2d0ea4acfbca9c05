package crisp_test

import (
	"context"
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

func TestFilePositionThatCantBeSavedIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for path, says := range map[string]string{
		filepath.Join(dir, "missing", "position"): "no file can be made in the folder of",
		filepath.Join(file, "position"):           "no file can be made in the folder of",
		dir:                                       "is a folder",
	} {
		client, mock := mockedClient(t)
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
		rtm, err := client.NewRTM(router, crisp.WithPosition(crisp.FilePosition(path)))
		require.NoError(t, err)
		assert.ErrorContains(t, rtm.Run(t.Context()), says, path)
		assert.Zero(t, mock.GetTotalCallCount(), "before it connects")
		assert.Equal(t, crisp.StateClosed, rtm.State())
	}
	client, _ := mockedClient(t)
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	_, err := client.NewRTM(router, crisp.WithPosition(crisp.FilePosition("")))
	assert.EqualError(t, err, `crisp: FilePosition(""): needs the path of a file`)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "what was tried leaves nothing behind")
}

func TestFilePositionIsOneProgramsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	ours, theirs := crisp.FilePosition(path), crisp.FilePosition(path)
	at := func(n int64) crisp.Position { return crisp.Position{Time: time.Unix(n, 0).UTC()} }
	for _, store := range []crisp.PositionStore{ours, theirs} {
		_, err := store.Load(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, ours.Save(t.Context(), at(1)))
	require.NoError(t, ours.Save(t.Context(), at(2)))
	for n := range int64(3) {
		err := theirs.Save(t.Context(), at(100))
		require.ErrorIs(t, err, crisp.ErrPosition)
		assert.ErrorContains(t, err, "each needs a file of its own")
		require.NoError(t, ours.Save(t.Context(), at(3+n)), "one of them goes on")
	}
	p, err := crisp.FilePosition(path).Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, at(5), p)

	require.NoError(t, os.WriteFile(path, []byte("torn"), 0o600))
	assert.NoError(t, ours.Save(t.Context(), at(6)), "what can't be read is nobody's")
	require.NoError(t, os.Remove(path))
	assert.NoError(t, ours.Save(t.Context(), at(7)))
}
