package crisp_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
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

// memoryPosition is a store that outlives its clients.
type memoryPosition struct {
	saved log[crisp.Position]
	err   error
}

func (m *memoryPosition) Load(context.Context) (crisp.Position, error) {
	all := m.saved.list()
	if m.err != nil || len(all) == 0 {
		return crisp.Position{}, m.err
	}
	return all[len(all)-1], nil
}

func (m *memoryPosition) Save(_ context.Context, p crisp.Position) error {
	m.saved.add(p)
	return nil
}

func (m *memoryPosition) last() time.Time {
	p, _ := m.Load(context.Background())
	return p.Time
}

func TestPositionMakesARestartAGap(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, got := texts()
		rtm := run(t, srv, router, crisp.WithPosition(store))
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		pass(time.Minute)
		require.NoError(t, rtm.Shutdown(t.Context()))
		ended := time.Now()
		assert.WithinDuration(t, ended, store.last(), 25*time.Second, "heartbeats move the position")

		pass(time.Hour)
		var gaps log[crisp.Gap]
		run(t, srv, router, crisp.WithPosition(store), crisp.WithHooks(crisp.Hooks{Gap: gaps.add}))
		authenticated(t, srv)
		emit(srv, "session_a", 1, 2)
		synctest.Wait()
		require.Len(t, gaps.list(), 1)
		gap := gaps.list()[0]
		assert.Equal(t, crisp.GapRestarted, gap.Reason)
		assert.True(t, gap.From.Equal(store.last()) || gap.From.Before(ended))
		assert.WithinDuration(t, ended.Add(time.Hour), gap.To, time.Second)
		assert.Equal(t, numbers(0, 2), got.list())
	})
}

func TestPositionWaitsForHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store := new(memoryPosition)
		router, _, release := blockable()
		rtm := run(t, srv, router, crisp.WithPosition(store), crisp.WithConcurrency(4))
		authenticated(t, srv)
		pass(time.Minute)
		emit(srv, "session_a", 0, 1)
		received := time.Now()
		pass(time.Minute)
		emit(srv, "session_b", 0, 1)
		pass(time.Minute)
		assert.False(t, store.last().After(received.Add(clockStep)), "not past what is in its handler")

		require.NoError(t, rtm.Close())
		close(release)
		pass(time.Minute)
		assert.False(t, store.last().After(received.Add(clockStep)), "nor past what was dropped at the end")
	})
}

func TestPositionThatCanNotBeLoaded(t *testing.T) {
	t.Run("damaged", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			var errs log[error]
			router, _ := texts(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.add(err) }))
			run(t, srv, router, crisp.WithPosition(&memoryPosition{err: crisp.ErrPosition}))
			authenticated(t, srv)
			require.Len(t, errs.list(), 1)
			assert.ErrorIs(t, errs.list()[0], crisp.ErrPosition)
		})
	})
	t.Run("out of reach", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			down := errors.New("database down")
			router, _ := texts()
			rtm := run(t, srv, router, crisp.WithPosition(&memoryPosition{err: down}))
			assert.ErrorIs(t, <-rtm.err, down, "a program that would not know its gap does not start")
			assert.Empty(t, srv.Requests())
		})
	})
}
