package crisp

import (
	"context"
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
	running map[string]memoryClaim
	done    *fifo.Map[string, time.Duration] // until when
	swept   time.Duration                    // when running was last rid of what is over
}

type memoryClaim struct {
	owner string
	until time.Duration // since the epoch
}

// NewMemoryClaims makes a store that remembers so many events that are done at
// most; a number below 1 stands for the default, 100,000. When it is full, the one
// that was done first is forgotten. It takes about 200 bytes per event. Those that
// are being handled count apart, and have no limit.
func NewMemoryClaims(events int) *MemoryClaims {
	if events < 1 {
		events = defaultClaims
	}
	return &MemoryClaims{
		epoch:   time.Now(),
		running: make(map[string]memoryClaim),
		done:    fifo.New[string, time.Duration](events),
	}
}

// Claim is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Claim(_ context.Context, id, owner string, lease time.Duration) (ClaimState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.epoch)
	if until, ok := s.done.Get(id); ok && now < until {
		return ClaimDone, nil
	}
	if c, ok := s.running[id]; ok && c.owner != owner && now < c.until {
		return ClaimRunning, nil
	}
	s.sweep(now)
	s.running[id] = memoryClaim{owner, now + lease}
	return ClaimOwned, nil
}

// Done is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Done(_ context.Context, id string, keep time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
	s.done.Delete(id) // which also makes it the newest
	s.done.Put(id, time.Since(s.epoch)+keep)
	return nil
}

// Release is as [ClaimStore] says. It never fails.
func (s *MemoryClaims) Release(_ context.Context, id, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id].owner == owner {
		delete(s.running, id)
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
	for id, c := range s.running {
		if now >= c.until {
			delete(s.running, id)
		}
	}
	for _, until, ok := s.done.Oldest(); ok && now >= until; _, until, ok = s.done.Oldest() {
		s.done.DeleteOldest()
	}
}
