package crisp

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

const defaultClaims = 100_000

// MemoryClaims is a [ClaimStore] in the memory of the process: it lets a router
// that serves both the RTM API and web hooks handle each message once.
type MemoryClaims struct {
	epoch time.Time // times are kept as durations since then: setting the clock doesn't move them

	mu      sync.Mutex // guards what follows
	running map[claimKey]memoryClaim
	done    *fifo.Map[claimKey, time.Duration] // until when each is kept, since epoch
	swept   time.Duration                      // when sweep last forgot what is over, since epoch
}

// claimKey stands for an ID in 32 bytes, which pin no other memory. It is a SHA-256, of which no
// collisions are known.
type claimKey [sha256.Size]byte

// claimKeyOf decodes an ID that is a SHA-256 in hex, as those of events are, and hashes any other.
func claimKeyOf(id string) claimKey {
	if key, ok := parseHash(id); ok {
		return key
	}
	return sha256.Sum256([]byte(id))
}

// parseHash reads a hash in hex, in lower case.
func parseHash(text string) (hash [sha256.Size]byte, ok bool) {
	if len(text) != 2*len(hash) {
		return hash, false
	}
	for i := range hash {
		if hash[i], ok = hexByte(text[2*i:]); !ok {
			return hash, false
		}
	}
	return hash, true
}

type memoryClaim struct {
	owner string
	until time.Duration // since the epoch
}

// NewMemoryClaims makes a store that remembers at most so many events that are done; a number
// below 1 stands for the default, 100,000. When it is full, it takes 60 bytes per event, and
// forgets the one that was done first for each new one. Events that are being handled don't
// count, and have no limit.
func NewMemoryClaims(events int) *MemoryClaims {
	if events < 1 {
		events = defaultClaims
	}
	return &MemoryClaims{
		epoch:   time.Now(),
		running: make(map[claimKey]memoryClaim),
		done:    fifo.New[claimKey, time.Duration](events),
	}
}

// Claim is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Claim(_ context.Context, id, owner string, lease time.Duration) (ClaimState, error) {
	key := claimKeyOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.epoch)
	if until, ok := s.done.Get(key); ok && now < until {
		return ClaimDone, nil
	}
	if c, ok := s.running[key]; ok && c.owner != owner && now < c.until {
		return ClaimRunning, nil
	}
	s.sweep(now)
	s.running[key] = memoryClaim{owner, now + lease}
	return ClaimOwned, nil
}

// Done is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Done(_ context.Context, id string, keep time.Duration) error {
	key := claimKeyOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, key)
	s.done.Put(key, time.Since(s.epoch)+keep)
	return nil
}

// Release is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Release(_ context.Context, id, owner string) error {
	key := claimKeyOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[key].owner == owner {
		delete(s.running, key)
	}
	return nil
}

// sweep forgets, at most once a minute, what is over; s.mu is held. Claims that are over are left
// behind only by callers other than Once, which gives them back.
func (s *MemoryClaims) sweep(now time.Duration) {
	if now-s.swept < time.Minute {
		return
	}
	s.swept = now
	for key, c := range s.running {
		if now >= c.until {
			delete(s.running, key)
		}
	}
	s.done.DeleteOldestWhile(func(until time.Duration) bool { return now >= until })
}
