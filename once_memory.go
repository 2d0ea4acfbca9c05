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
	epoch time.Time // times are kept as durations since then: a clock that is set doesn't move them

	mu      sync.Mutex // guards what follows
	running map[claimKey]memoryClaim
	done    *fifo.Map[claimKey, time.Duration] // until when
	swept   time.Duration                      // when running was last rid of what is over
}

// claimKey stands for an ID in 32 bytes, whatever its length and whatever shares its
// memory. It is a SHA-256, so that no two IDs are known that have the same.
type claimKey [sha256.Size]byte

// claimKeyOf takes the ID of an event for the SHA-256 that it is.
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

// NewMemoryClaims makes a store that remembers so many events that are done at
// most; a number below 1 stands for the default, 100,000. When it is full, the one
// that was done first is forgotten. When full, it takes 60 bytes per event. Those that
// are being handled count apart, and have no limit.
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

// sweep forgets, at most once a minute, the claims that nobody has given back: there
// are none unless somebody calls the methods otherwise than Once does.
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
