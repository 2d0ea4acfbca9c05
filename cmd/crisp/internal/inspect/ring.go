// Package inspect serves the page that shows what happens while a command runs: it keeps
// entries in memory, and has an HTTP API for them on loopback, and the page itself.
package inspect

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// maxBytes is the default bound of a ring.
const maxBytes = 64 << 20

// Ring keeps the newest entries, in order, in a bounded amount of memory. It is safe for
// concurrent use, and slow readers don't hold up writers.
type Ring struct {
	max int64

	mu      sync.RWMutex        // guards the fields below
	entries []*Entry            // at consecutive places
	oldest  uint64              // the place of entries[0]
	bytes   int64               // the size of entries
	index   map[string][]uint64 // places in order, by Entry.keys
	runs    []span              // in order
	changed chan struct{}       // closed when an entry is added; nil if nobody waits
}

// span is the part of a ring that one run of the command filled. Its numbers rise.
type span struct {
	run         string
	first, last uint64 // the places of its entries
	newest      uint64 // the number of its last entry
}

// mostRuns is how many runs are remembered before those without entries are forgotten.
const mostRuns = 100

// firstPlace leaves room below it for places of entries that never were in the ring.
const firstPlace = 1 << 40

// NewRing makes a ring of at most the given size; 0 means 64 MiB.
func NewRing(bytes int64) *Ring {
	return &Ring{max: cmp.Or(bytes, maxBytes), oldest: firstPlace, index: make(map[string][]uint64)}
}

// Add adds an entry, and removes the oldest ones while there is no room for it.
func (r *Ring) Add(e *Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	place := r.oldest + uint64(len(r.entries))
	r.entries = append(r.entries, e)
	r.bytes += e.size()
	for _, key := range e.keys() {
		r.index[key] = append(r.index[key], place)
	}
	r.extend(e, place)
	for r.bytes > r.max && len(r.entries) > 1 {
		r.evict()
	}
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// extend adds an entry to its run; r.mu is held.
func (r *Ring) extend(e *Entry, place uint64) {
	if n := len(r.runs); n > 0 && r.runs[n-1].run == e.Run {
		r.runs[n-1].last, r.runs[n-1].newest = place, e.N
		return
	}
	r.runs = append(r.runs, span{run: e.Run, first: place, last: place, newest: e.N})
	if len(r.runs) > mostRuns && r.runs[0].last < r.oldest {
		r.runs = slices.Delete(r.runs, 0, 1)
	}
}

// evict removes the oldest entry; r.mu is held.
func (r *Ring) evict() {
	e := r.entries[0]
	r.entries[0] = nil
	r.entries = r.entries[1:]
	r.oldest++
	r.bytes -= e.size()
	for _, key := range e.keys() {
		if rest := r.index[key][1:]; len(rest) > 0 {
			r.index[key] = rest
		} else {
			delete(r.index, key)
		}
	}
}

// Size says what a ring holds.
type Size struct {
	Oldest  string `json:"oldest"` // ID; empty if the ring is
	Latest  string `json:"latest"`
	Records int    `json:"records"`
	Bytes   int64  `json:"bytes"`
	Max     int64  `json:"max_bytes"`
}

// Size returns what the ring holds.
func (r *Ring) Size() Size {
	r.mu.RLock()
	defer r.mu.RUnlock()
	size := Size{Records: len(r.entries), Bytes: r.bytes, Max: r.max}
	if n := len(r.entries); n > 0 {
		size.Oldest, size.Latest = r.entries[0].ID(), r.entries[n-1].ID()
	}
	return size
}

// Place returns the place of the first entry after an ID. The ID's entry need not be in
// the ring, nor ever have been. known is false if the ID's run is not known: then next is
// the place of the oldest entry.
func (r *Ring) Place(after string) (next uint64, known bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	run, n, ok := parseID(after)
	i := slices.IndexFunc(r.runs, func(s span) bool { return s.run == run })
	if !ok || i < 0 {
		return r.oldest, false
	}
	of := r.runs[i]
	begin := max(of.first, r.oldest)
	switch {
	case n >= of.newest:
		return of.last + 1, true
	case of.last < r.oldest: // no entry of the run is left
		return of.last + 1 - min(of.newest-n, firstPlace/2), true
	}
	left := r.entries[begin-r.oldest : of.last-r.oldest+1]
	if missing := left[0].N - n - 1; n < left[0].N && begin == r.oldest { // a run's numbers have no holes
		return begin - min(missing, firstPlace/2), true
	}
	at, found := slices.BinarySearchFunc(left, n, func(e *Entry, n uint64) int { return cmp.Compare(e.N, n) })
	if found {
		at++
	}
	return begin + uint64(at), true
}

// Read returns at most the given number of entries from a place on, the place after
// them, and the place of the oldest entry. The entries must not be changed.
func (r *Ring) Read(from uint64, most int) (list []*Entry, next, oldest uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	from = max(from, r.oldest)
	rest := r.entries[min(from-r.oldest, uint64(len(r.entries))):]
	list = slices.Clone(rest[:min(most, len(rest))])
	return list, from + uint64(len(list)), r.oldest
}

// end returns the place after the newest entry.
func (r *Ring) end() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.oldest + uint64(len(r.entries))
}

// Changed returns a channel that is closed when an entry was added, or at once if there
// is one at the place or after it.
func (r *Ring) Changed(place uint64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.oldest+uint64(len(r.entries)) > place {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// Get returns the entry with an ID.
func (r *Ring) Get(id string) (*Entry, bool) {
	list := r.keyed(keyID + id)
	if len(list) == 0 {
		return nil, false
	}
	return list[0], true
}

// Deliveries returns the deliveries of an event, in order.
func (r *Ring) Deliveries(id string) []*Entry { return r.keyed(keyOf + id) }

// keyed returns the entries that have a key, in order.
func (r *Ring) keyed(key string) []*Entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	places := r.index[key]
	list := make([]*Entry, len(places))
	for i, place := range places {
		list[i] = r.entries[place-r.oldest]
	}
	return list
}

// from returns the entries from a place on that have a key, or all of them if it is
// empty, with their places, and the place after the newest entry.
func (r *Ring) from(place uint64, key string) (list []placed, end uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	end = r.oldest + uint64(len(r.entries))
	place = min(max(place, r.oldest), end)
	if key == "" {
		list = make([]placed, 0, end-place)
		for i, e := range r.entries[place-r.oldest:] {
			list = append(list, placed{e, place + uint64(i)})
		}
		return list, end
	}
	places := r.index[key]
	at, _ := slices.BinarySearch(places, place)
	for _, p := range places[at:] {
		list = append(list, placed{r.entries[p-r.oldest], p})
	}
	return list, end
}

// placed is an entry at its place.
type placed struct {
	*Entry
	place uint64
}

// count returns how many entries have a key.
func (r *Ring) count(key string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.index[key])
}

// since returns the entries since a time, newest first.
func (r *Ring) since(at time.Time) (list []*Entry) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range slices.Backward(r.entries) {
		if e.At.Before(at) {
			break
		}
		list = append(list, e)
	}
	return list
}

// sessions returns the latest entry of each of the most recent conversations, newest
// first.
func (r *Ring) sessions(most int) (list []*Entry) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	seen := make(map[string]bool)
	for _, e := range slices.Backward(r.entries) {
		if e.Summary.SessionID == "" || seen[e.Summary.SessionID] {
			continue
		}
		seen[e.Summary.SessionID] = true
		if list = append(list, e); len(list) == most {
			break
		}
	}
	return list
}
