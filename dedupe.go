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
// When it is full, the oldest delivery makes room; it takes 60 bytes per
// delivery then.
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
	return s.has(key), nil
}

// MarkDone keeps a delivery. It never fails.
func (s *MemoryDedupe) MarkDone(_ context.Context, key DeliveryKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetExpired()
	s.add(key)
	return nil
}

// has is Done for whoever has the lock.
func (s *MemoryDedupe) has(key DeliveryKey) bool {
	s.forgetExpired()
	_, marked := s.done.Get(key)
	return marked
}

// add is MarkDone for whoever has the lock, and has looked for what is expired.
func (s *MemoryDedupe) add(key DeliveryKey) {
	if _, marked := s.done.Get(key); !marked {
		s.done.Put(key, time.Since(s.epoch))
	}
}

func (s *MemoryDedupe) forgetExpired() {
	now := time.Since(s.epoch)
	s.done.DeleteOldestWhile(func(marked time.Duration) bool { return now-marked >= s.ttl })
}

// deduper runs deliveries once: those that come at the same time wait for the
// first, those that come later find that it is done.
type deduper struct {
	store   DedupeStore // of users; nil if memory is the store
	memory  *MemoryDedupe
	onError func(ctx context.Context, err error)

	mu      *sync.Mutex // guards running, and is the memory's; held neither while handlers run nor around the store
	running map[DeliveryKey]*run
}

// run is a delivery whose handlers are running; nil if nobody waits for it.
type run struct {
	over      chan struct{}
	succeeded bool // to be read when it is over
}

func newDeduper(store DedupeStore, onError func(context.Context, error)) *deduper {
	d := &deduper{onError: onError, running: make(map[DeliveryKey]*run)}
	if memory, ok := store.(*MemoryDedupe); ok && memory.made() {
		d.memory, d.mu = memory, &memory.mu
	} else {
		d.store, d.mu = store, new(sync.Mutex)
	}
	return d
}

// once handles a delivery, unless it was handled with success before. It waits
// while another goroutine handles it, and shares a success; after a failure it
// is this delivery's turn. The context bounds the wait, not the handling.
func (d *deduper) once(ctx context.Context, key DeliveryKey, handle func() error) error {
	for {
		run, done := d.join(key)
		switch {
		case done:
			return nil
		case run == nil:
			return d.lead(ctx, key, handle)
		}
		select {
		case <-run.over:
			if run.succeeded {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join returns the run of a delivery that another goroutine is at, and whether the
// memory has it as done. If neither, it is this goroutine's turn.
func (d *deduper) join(key DeliveryKey) (other *run, done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other, ok := d.running[key]; ok {
		if other == nil {
			other = &run{over: make(chan struct{})}
			d.running[key] = other
		}
		return other, false
	}
	if d.memory != nil && d.memory.has(key) {
		return nil, true
	}
	d.running[key] = nil
	return nil, false
}

// lead handles a delivery for all that wait for it.
func (d *deduper) lead(ctx context.Context, key DeliveryKey, handle func() error) error {
	succeeded := false
	defer func() { d.end(key, succeeded) }() // also if a handler ends its goroutine
	if !d.storeHas(ctx, key) {
		if err := handle(); err != nil {
			return err
		}
		d.tellStore(ctx, key)
	}
	succeeded = true
	return nil
}

// end tells those that wait for a delivery, and the memory, that it is over.
func (d *deduper) end(key DeliveryKey, succeeded bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if run := d.running[key]; run != nil {
		run.succeeded = succeeded
		close(run.over)
	}
	delete(d.running, key)
	if succeeded && d.memory != nil {
		d.memory.add(key)
	}
}

// storeHas reports whether a delivery is done by the users' store, if there is one. A
// store that fails is reported, and has nothing.
func (d *deduper) storeHas(ctx context.Context, key DeliveryKey) (done bool) {
	if d.store == nil {
		return false
	}
	err := callUser("DedupeStore.Done", func() (err error) {
		done, err = d.store.Done(ctx, key)
		return err
	})
	if err != nil {
		d.report(ctx, err)
		return false
	}
	return done
}

// tellStore marks a delivery as done in the users' store, if there is one.
func (d *deduper) tellStore(ctx context.Context, key DeliveryKey) {
	if d.store == nil {
		return
	}
	markDone := func() error { return d.store.MarkDone(context.WithoutCancel(ctx), key) }
	if err := callUser("DedupeStore.MarkDone", markDone); err != nil {
		d.report(ctx, err)
	}
}

func (d *deduper) report(ctx context.Context, err error) {
	d.onError(ctx, fmt.Errorf("crisp: the store of deliveries that are done: %w", err))
}
