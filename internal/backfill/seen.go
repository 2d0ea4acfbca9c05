package backfill

import (
	"slices"
	"sync"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/fifo"
)

// remembered is how many messages are remembered: more than twice the default overlap has at
// 100 messages a second.
const remembered = 1 << 15

// Seen remembers the last messages that were handled, and whether they were recovered, so that
// a message that comes both live and recovered is handled once. One that Crisp sends live twice
// is handled twice.
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

// Repeats reports whether a message was handled before, and one of the two, that one or this,
// was recovered.
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

// Added returns how many messages were added so far: it shows whether there is anything new.
func (s *Seen) Added() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added
}

// Since returns the keys of the messages that were handled at a moment or later, the oldest
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

// Restore adds the keys of a stored position.
func (s *Seen) Restore(keys []uint64) {
	for _, key := range keys {
		s.Add(key, true) // so that it repeats whichever way it comes
	}
}
