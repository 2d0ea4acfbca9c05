package delivery

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
)

// What Holders have must not take the room of items that could go on. So it counts apart, up to
// 1/apartShare of the queue's bound, of which a single key may have 1/keyShare. What exceeds
// that counts as queued, or is not put at all (see Queue.Crowded).
const (
	apartShare = 2
	keyShare   = 4
)

// held counts what Holders have, in bytes. The sequencer's goroutine alone changes it.
type held struct {
	limit int64        // of what counts apart
	apart atomic.Int64 // what counts apart now

	mu       sync.Mutex        // guards byKey
	released sync.Cond         // nothing of some key is held any more
	byKey    map[string]*int64 // pointers: assigning by a key would store that key, which is a part of a payload
}

func newHeld(limit int64) *held {
	h := &held{limit: limit, byKey: make(map[string]*int64)}
	h.released.L = &h.mu
	return h
}

// fits reports whether there is room for an item to count apart.
func (h *held) fits(it *Item) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	cost := it.Cost()
	return h.apart.Load()+cost <= h.limit && h.of(it.Key)+cost <= h.limit/keyShare
}

// crowded reports whether no more of a key should be put.
func (h *held) crowded(key string) bool {
	if h.apart.Load() == 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	has := h.of(key)
	return has >= h.limit/keyShare || has > 0 && h.apart.Load() >= h.limit*3/4
}

func (h *held) add(key string, cost int64, apart bool) {
	if apart {
		h.apart.Add(cost)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.byKey[key]
	if of == nil {
		of = new(int64)
		h.byKey[strings.Clone(key)] = of // the key alone, not the payload that it is a part of
	}
	*of += cost
}

// of returns how much of a key is held; h.mu is held.
func (h *held) of(key string) int64 {
	if of := h.byKey[key]; of != nil {
		return *of
	}
	return 0
}

func (h *held) remove(key string, cost int64, apart bool) {
	if apart {
		h.apart.Add(-cost)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.byKey[key]
	if *of -= cost; *of == 0 {
		delete(h.byKey, key)
		h.released.Broadcast()
	}
}

// await returns when nothing of a key is held, or the context's cause when that ends.
func (h *held) await(ctx context.Context, key string) error {
	defer context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.released.Broadcast()
	})()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.of(key) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.released.Wait()
	}
	return nil
}
