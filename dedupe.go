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

// DeliveryKey identifies an event in all its deliveries by web hook. Crisp gives these no
// identifier, so it is the SHA-256 of the body, which holds the event, the website, the payload
// and the time of the event. A redelivery is assumed to have the same body byte for byte; if it
// doesn't, the handlers run again.
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
	epoch time.Time // times are kept as durations since then: setting the clock doesn't move them

	mu   sync.Mutex                            // guards done
	done *fifo.Map[DeliveryKey, time.Duration] // when each was marked, since the epoch
}

// NewMemoryDedupe makes a store that remembers at most so many deliveries, each for at most so
// long. Numbers below 1 stand for the defaults, 100,000 and 24 hours. When it is full, it takes
// 60 bytes per delivery, and forgets the oldest for each new one.
func NewMemoryDedupe(entries int, ttl time.Duration) *MemoryDedupe {
	if entries < 1 {
		entries = defaultDedupeEntries
	}
	if ttl < 1 {
		ttl = defaultDedupeTTL
	}
	return &MemoryDedupe{ttl: ttl, epoch: time.Now(), done: fifo.New[DeliveryKey, time.Duration](entries)}
}

// made reports whether NewMemoryDedupe has made the store. A nil or zero one is treated like a
// user's store, whose panic is reported.
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

// has is Done with s.mu held.
func (s *MemoryDedupe) has(key DeliveryKey) bool {
	s.forgetExpired()
	_, marked := s.done.Get(key)
	return marked
}

// add marks a delivery as done; s.mu is held.
func (s *MemoryDedupe) add(key DeliveryKey) {
	if _, marked := s.done.Get(key); !marked {
		s.done.Put(key, time.Since(s.epoch))
	}
}

// forgetExpired forgets the deliveries that were marked ttl ago; s.mu is held.
func (s *MemoryDedupe) forgetExpired() {
	now := time.Since(s.epoch)
	s.done.DeleteOldestWhile(func(marked time.Duration) bool { return now-marked >= s.ttl })
}

// deduper has each event handled once: deliveries that come at the same time wait for the first,
// those that come later find that it is done.
type deduper struct {
	store   DedupeStore   // the user's; nil if memory is the store
	memory  *MemoryDedupe // nil if store is
	onError func(ctx context.Context, err error)

	// mu guards running, and is the memory's own if there is one, so that one lock does for
	// both. It is not held while handlers run or the store is called.
	mu      *sync.Mutex
	running map[DeliveryKey]*run
}

// run is an event whose handlers are running; nil until somebody waits for it.
type run struct {
	over      chan struct{} // closed when the handlers have returned
	succeeded bool          // to be read once over is closed
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

// join returns the run of an event that another goroutine handles, or whether the memory has it as
// done. If neither, this goroutine has to handle it (lead).
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

// lead handles an event, for all deliveries that wait for it, unless the user's store has it as
// done.
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

// end ends the run of an event: those that wait go on, and the memory notes a success.
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

// storeHas reports whether the user's store, if there is one, has an event as done. A failure of
// the store is reported, and means no.
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

// tellStore marks an event as done in the user's store, if there is one.
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
