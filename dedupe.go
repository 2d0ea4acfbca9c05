package crisp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// DeliveryKey stands for all deliveries of one event by web hook. Crisp gives
// deliveries no identifier, so it is the SHA-256 of the body, which holds the
// event, the website, the payload and the time of the event: a redelivery is
// taken to have the same body byte for byte. One that hasn't runs the handlers
// again.
type DeliveryKey [sha256.Size]byte

// String is the key in hex: 64 characters that are safe in any database.
func (k DeliveryKey) String() string { return hex.EncodeToString(k[:]) }

// DedupeStore records which deliveries are done: their handlers have succeeded.
// It is used by several goroutines at once. Share one between web
// hooks only if they run the same handlers, as replicas of a service do.
//
// Within one [Webhook], deliveries of the same event wait for each other.
// Among processes they don't: if Crisp delivers again while another process
// still runs the handlers, they run twice, unless [Once] keeps them from it.
//
// A store that fails costs no event: if Done fails, the handlers run, perhaps
// for the second time; if MarkDone fails, the delivery is answered as the
// success that it was. The router's error handler hears of both.
type DedupeStore interface {
	// Done reports whether a delivery is done. The context is the request's: it
	// ends when Crisp hangs up.
	Done(ctx context.Context, key DeliveryKey) (bool, error)

	// MarkDone records that a delivery is done, for as long as Crisp may
	// deliver again: hours. The context does not end when Crisp hangs up; it
	// is up to the store not to wait forever.
	MarkDone(ctx context.Context, key DeliveryKey) error
}

const (
	defaultDedupeEntries = 100_000
	defaultDedupeTTL     = 24 * time.Hour
)

// MemoryDedupe is a [DedupeStore] in the memory of the process.
type MemoryDedupe struct {
	ttl   time.Duration
	epoch time.Time // times are kept as durations since then: a clock that is set doesn't move them

	mu   sync.Mutex                            // guards done
	done *fifo.Map[DeliveryKey, time.Duration] // when each was marked, since the epoch
}

// NewMemoryDedupe makes a store of so many deliveries at most, each for so
// long at most. Numbers below 1 stand for the defaults, 100,000 and 24 hours.
// When it is full, the oldest delivery makes room. It takes about 150 bytes
// per delivery.
func NewMemoryDedupe(entries int, ttl time.Duration) *MemoryDedupe {
	if entries < 1 {
		entries = defaultDedupeEntries
	}
	if ttl < 1 {
		ttl = defaultDedupeTTL
	}
	return &MemoryDedupe{ttl: ttl, epoch: time.Now(), done: fifo.New[DeliveryKey, time.Duration](entries)}
}

// made reports whether NewMemoryDedupe has made the store: nil and a zero one panic.
func (s *MemoryDedupe) made() bool { return s != nil && s.done != nil }

// Done reports whether a delivery was marked and not forgotten since. It never
// fails.
func (s *MemoryDedupe) Done(_ context.Context, key DeliveryKey) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, done := s.done.Get(key)
	return done && time.Since(s.epoch)-at < s.ttl, nil
}

// MarkDone keeps a delivery. It never fails.
func (s *MemoryDedupe) MarkDone(_ context.Context, key DeliveryKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.epoch)
	s.forgetExpired(now)
	if _, done := s.done.Get(key); !done {
		s.done.Put(key, now)
	}
	return nil
}

func (s *MemoryDedupe) forgetExpired(now time.Duration) {
	for _, at, ok := s.done.Oldest(); ok && now-at >= s.ttl; _, at, ok = s.done.Oldest() {
		s.done.DeleteOldest()
	}
}

// deduper runs deliveries once: those that come at the same time wait for the
// first, those that come later ask the store.
type deduper struct {
	store   DedupeStore
	onError func(ctx context.Context, err error)

	mu      sync.Mutex // guards running and run.over; held neither while handlers run nor around the store
	running map[DeliveryKey]*run
}

// run is a delivery whose handlers are running.
type run struct {
	over      chan struct{} // nil = nobody waits for it
	succeeded bool          // to be read when it is over
}

func newDeduper(store DedupeStore, onError func(context.Context, error)) *deduper {
	if memory, ours := store.(*MemoryDedupe); !ours || !memory.made() {
		store = userStore{store}
	}
	return &deduper{store: store, onError: onError, running: make(map[DeliveryKey]*run)}
}

// userStore is a store that may panic, end its goroutine, or heed its context.
// What that takes costs more than all else that is done to know a delivery again.
type userStore struct{ store DedupeStore }

func (s userStore) Done(ctx context.Context, key DeliveryKey) (done bool, err error) {
	err = callUser("DedupeStore.Done", func() (err error) {
		done, err = s.store.Done(ctx, key)
		return err
	})
	return done, err
}

func (s userStore) MarkDone(ctx context.Context, key DeliveryKey) error {
	ctx = context.WithoutCancel(ctx)
	return callUser("DedupeStore.MarkDone", func() error { return s.store.MarkDone(ctx, key) })
}

// once handles a delivery, unless it was handled with success before. It waits
// while another goroutine handles it, and shares a success; after a failure it
// is this delivery's turn. The context bounds the wait, not the handling.
func (d *deduper) once(ctx context.Context, key DeliveryKey, handle func() error) error {
	for {
		run, over := d.join(key)
		if over == nil {
			return d.lead(ctx, key, run, handle)
		}
		select {
		case <-over:
			if run.succeeded {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join returns the run of a delivery, and what to wait for unless it is this
// goroutine's to do.
func (d *deduper) join(key DeliveryKey) (r *run, over <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.running[key]; ok {
		if r.over == nil {
			r.over = make(chan struct{})
		}
		return r, r.over
	}
	r = new(run)
	d.running[key] = r
	return r, nil
}

// lead handles a delivery for all that wait for it.
func (d *deduper) lead(ctx context.Context, key DeliveryKey, run *run, handle func() error) error {
	defer d.end(key, run) // also if a handler ends its goroutine
	done, err := d.store.Done(ctx, key)
	if err != nil {
		d.report(ctx, err)
	}
	if err != nil || !done {
		if err := handle(); err != nil {
			return err
		}
		if err := d.store.MarkDone(ctx, key); err != nil {
			d.report(ctx, err)
		}
	}
	run.succeeded = true
	return nil
}

func (d *deduper) end(key DeliveryKey, run *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, key)
	if run.over != nil {
		close(run.over)
	}
}

func (d *deduper) report(ctx context.Context, err error) {
	d.onError(ctx, fmt.Errorf("crisp: the store of deliveries that are done: %w", err))
}
