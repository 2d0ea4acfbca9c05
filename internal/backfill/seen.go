package backfill

import (
	"slices"
	"sync"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/fifo"
)

// remembered is how many messages are remembered: at 100 messages a second, more
// than the default overlap twice.
const remembered = 1 << 15

// Seen remembers the last messages that were handled, and by which way they had
// come, so that a message is handled once, whether it came live or recovered first. A
// message that Crisp sends live twice is not its business.
type Seen struct {
	clock *clock.Clock

	mu       sync.Mutex // guards what follows
	messages *fifo.Map[uint64, sighting]
	added    uint64
}

type sighting struct {
	recovered bool
	at        clock.Moment // when it was handled
}

// NewSeen makes a memory of nothing.
func NewSeen(c *clock.Clock) *Seen {
	return &Seen{clock: c, messages: fifo.New[uint64, sighting](remembered)}
}

// Repeats reports whether a message was handled already that had come by the
// other way.
func (s *Seen) Repeats(key uint64, recovered bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, seen := s.messages.Get(key)
	return seen && (recovered || before.recovered)
}

// Add remembers a message that was handled.
func (s *Seen) Add(key uint64, recovered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, seen := s.messages.Get(key); seen {
		return
	}
	s.messages.Put(key, sighting{recovered, s.clock.Now()})
	s.added++
}

// Added is how many were added so far, which tells one state from another.
func (s *Seen) Added() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added
}

// Since lists the keys of those that were handled after a time, the oldest
// first.
func (s *Seen) Since(at clock.Moment) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []uint64
	for key, m := range s.messages.All() {
		if m.at >= at {
			keys = append(keys, key)
		}
	}
	slices.Reverse(keys)
	return keys
}

// Restore remembers what a stored position lists.
func (s *Seen) Restore(keys []uint64) {
	for _, key := range keys {
		s.Add(key, true) // so that it repeats whichever way it comes
	}
}
