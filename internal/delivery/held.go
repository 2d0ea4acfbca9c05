package delivery

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
)

// What Holders have does not take the room of what could go on: it counts apart, up to
// 1/apartShare of the queue's bound, of which a single key may have 1/keyShare. What
// is beyond counts as queued, or does not come at all (see Queue.Crowded).
const (
	apartShare = 2
	keyShare   = 4
)

// held is what Holders have, in bytes. The sequencer's goroutine alone changes it.
type held struct {
	limit int64        // of what counts apart
	apart atomic.Int64 // what does

	mu       sync.Mutex        // guards byKey
	released sync.Cond         // of a key, nothing is held any more
	byKey    map[string]*int64 // pointers, since to assign by a key would keep that key
}

func newHeld(limit int64) *held {
	h := &held{limit: limit, byKey: make(map[string]*int64)}
	h.released.L = &h.mu
	return h
}

// fits reports whether an item would count apart.
func (h *held) fits(it *Item) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	cost := it.Cost()
	return h.apart.Load()+cost <= h.limit && h.of(it.Key)+cost <= h.limit/keyShare
}

// crowded reports whether no more of a key should come.
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
		h.byKey[strings.Clone(key)] = of // a key may be a part of a payload, which is not kept for its sake
	}
	*of += cost
}

// of is what is held of a key; h.mu is held.
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

// await returns when nothing of a key is held, or the context ends.
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
