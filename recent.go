package crisp

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"
)

// recentKept is how many messages are remembered to tell live ones and
// backfilled ones apart: at 100 messages a second, more than the default
// overlap twice.
const recentKept = 1 << 15

// recent remembers the last messages that were handled, and how they came, so
// that a backfill repeats none of them, and none of the backfill comes again
// live. A message that Crisp sends live twice is not its business.
type recent struct {
	mu    sync.Mutex
	from  map[uint64]Source
	ring  []remembered // what from has, oldest at next once it is full
	next  int
	added uint64
}

type remembered struct {
	key uint64
	at  int64 // when it was handled, UNIX ns
}

func newRecent() *recent { return &recent{from: make(map[uint64]Source)} }

// messageKey identifies a message: fingerprints are unique in a session. It is
// stable between runs of a program.
func messageKey(ref SessionRef, fingerprint int64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(ref.SessionID))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(fingerprint)))
	return h.Sum64()
}

// keyOf gives the key of an event that is a message.
func keyOf(ev Event) (uint64, bool) {
	fingerprint, ok := fingerprintOf(ev)
	if !ok {
		return 0, false
	}
	return messageKey(ev.(SessionEvent).Session(), fingerprint), true
}

// fingerprintOf gives the fingerprint of an event that is a message.
func fingerprintOf(ev Event) (fingerprint int64, ok bool) {
	switch ev := ev.(type) {
	case *MessageSend:
		fingerprint = ev.Fingerprint
	case *MessageReceived:
		fingerprint = ev.Fingerprint
	}
	return fingerprint, fingerprint != 0
}

// repeats tells whether a message that comes from source was handled already
// by the other way.
func (r *recent) repeats(key uint64, source Source) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, seen := r.from[key]
	return seen && (source == SourceBackfill || before == SourceBackfill)
}

// add remembers a message that was handled.
func (r *recent) add(key uint64, source Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, seen := r.from[key]; seen {
		return
	}
	r.from[key] = source
	r.added++
	entry := remembered{key, time.Now().UnixNano()}
	if len(r.ring) < recentKept {
		r.ring = append(r.ring, entry)
		return
	}
	delete(r.from, r.ring[r.next].key)
	r.ring[r.next] = entry
	r.next = (r.next + 1) % recentKept
}

// count is how many were added so far: it tells one state from another.
func (r *recent) count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added
}

// since lists those that were handled after a time, oldest first.
func (r *recent) since(at time.Time) []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []uint64
	for i := range r.ring {
		if entry := r.ring[(r.next+i)%len(r.ring)]; entry.at >= at.UnixNano() {
			keys = append(keys, entry.key)
		}
	}
	return keys
}

// handledSince is the same, as a set. A backfill keeps it, as it may take so long
// that what was handled before its gap is forgotten meanwhile.
func (r *recent) handledSince(at time.Time) map[uint64]bool {
	keys := make(map[uint64]bool)
	for _, key := range r.since(at) {
		keys[key] = true
	}
	return keys
}

// restore remembers what a stored position lists.
func (r *recent) restore(keys []uint64) {
	for _, key := range keys {
		r.add(key, SourceBackfill) // of either way: they must not come again
	}
}
