package conformance

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what has to happen. It only matters
// for tests that fail: it is generous for the sake of machines that are busy.
const patience = time.Minute

// stream brings what happens on other goroutines to the test, in order. Adding
// to it never waits.
type stream[T any] struct {
	what string // in failure messages

	mu    sync.Mutex
	items []T
	more  chan struct{} // capacity 1
}

func newStream[T any](what string) *stream[T] {
	return &stream[T]{what: what, more: make(chan struct{}, 1)}
}

func (s *stream[T]) add(item T) {
	s.mu.Lock()
	s.items = append(s.items, item)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// next takes the next item out, and waits for it if need be.
func (s *stream[T]) next(t *testing.T) T {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		if len(s.items) > 0 {
			item := s.items[0]
			s.items = s.items[1:]
			s.mu.Unlock()
			return item
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-deadline:
			require.FailNow(t, "waited in vain", "for the next %s", s.what)
		}
	}
}

// take takes out all that is there.
func (s *stream[T]) take() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := s.items
	s.items = nil
	return items
}
