package profile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/profile"
)

// Whoever changes the profiles at the same time loses nothing of each other.
func TestChangesWaitForEachOther(t *testing.T) {
	const writers = 20
	folder := filepath.Join(t.TempDir(), "crisp")
	store := profile.OpenStore(profile.StoreFile, folder)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			name := fmt.Sprint("shop", i)
			assert.NoError(t, profile.Change(folder, func(config *profile.Config) error {
				if err := store.Set(name, profile.Secrets{Key: "key of " + name}); err != nil {
					return err
				}
				return config.Put(name, &profile.Profile{Tier: crisp.TierPlugin, Identifier: name, Store: profile.StoreFile})
			}))
		})
	}
	wg.Wait()
	config, err := profile.Read(folder)
	require.NoError(t, err)
	assert.Len(t, config.Profiles, writers)
	for _, name := range config.Names() {
		kept, err := store.Get(name)
		require.NoError(t, err)
		assert.Equal(t, "key of "+name, kept.Key)
	}
	files, err := filepath.Glob(filepath.Join(folder, ".*-*"))
	require.NoError(t, err)
	assert.Empty(t, files, "nothing half written is left over")
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	folder := t.TempDir()
	refused := profile.Change(folder, func(config *profile.Config) error {
		config.Current = "nobody"
		return os.ErrInvalid
	})
	require.ErrorIs(t, refused, os.ErrInvalid)
	config, err := profile.Read(folder)
	require.NoError(t, err)
	assert.Empty(t, config.Current)
	require.NoError(t, profile.Change(folder, func(*profile.Config) error { return nil }), "nobody holds the lock")
}
