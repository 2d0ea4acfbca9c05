// Package fifo is the library's one way to remember things within a bound.
package fifo

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// Map remembers the entries that were put last, up to a limit: a new one beyond
// it takes the place of the oldest. Looking an entry up does not make it
// younger. It has no lock.
//
// Entries are kept in one slice, linked by index: remembering costs no
// allocation of its own, and the garbage collector has no list to walk. Beside its
// key and value an entry takes 16 bytes, and 4 to 8 in the table of hashes. As the map
// grows, there is room for up to an eighth more entries than there are; after deletions,
// for up to four times as many.
type Map[K comparable, V any] struct {
	limit   int
	seed    maphash.Seed
	len     int
	entries []entry[K, V] // the first is the ring's end, from the oldest to the newest
	free    int32         // the first of the entries that are not in use, linked by newer; 0 = none
	buckets []int32       // by hash: the first entry of each chain; 0 = none. Their number is a power of two
}

type entry[K comparable, V any] struct {
	older, newer int32
	chained      int32  // the next one of the same bucket; 0 = none
	hash         uint32 // of the key
	value        V      // not last, where one of size 0 would be padded
	key          K
}

// minRoom is how many entries there is room for at least.
const minRoom = 8

// New makes a map of at most limit entries, which must be at least 1.
func New[K comparable, V any](limit int) *Map[K, V] {
	m := &Map[K, V]{limit: limit, seed: maphash.MakeSeed()}
	m.makeRoom(minRoom)
	return m
}

// Len is how many entries there are.
func (m *Map[K, V]) Len() int { return m.len }

// Get returns the value of a key.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	i := *m.find(key, m.hash(key))
	if i == 0 {
		return value, false
	}
	return m.entries[i].value, true
}

// Put adds an entry, or replaces the one of that key, as the newest.
func (m *Map[K, V]) Put(key K, value V) {
	hash := m.hash(key)
	if at := m.find(key, hash); *at != 0 {
		m.remove(at)
	} else if m.len >= m.limit {
		m.removeOldest()
	}
	i := m.take()
	m.entries[i] = entry[K, V]{hash: hash, key: key, value: value}
	m.link(i)
}

// Delete forgets an entry, if there is one of that key.
func (m *Map[K, V]) Delete(key K) {
	if at := m.find(key, m.hash(key)); *at != 0 {
		m.remove(at)
		m.shrink()
	}
}

// Oldest returns the entry that was put first.
func (m *Map[K, V]) Oldest() (key K, value V, ok bool) {
	e := &m.entries[m.entries[0].newer]
	return e.key, e.value, m.len > 0
}

// DeleteOldest forgets the entry that was put first, if there is any.
func (m *Map[K, V]) DeleteOldest() {
	if m.len > 0 {
		m.removeOldest()
		m.shrink()
	}
}

// All iterates over the entries, the newest first. The map must not change
// meanwhile.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := m.entries[0].older; i != 0; i = m.entries[i].older {
			if !yield(m.entries[i].key, m.entries[i].value) {
				return
			}
		}
	}
}

func (m *Map[K, V]) hash(key K) uint32 { return uint32(maphash.Comparable(m.seed, key)) }

func (m *Map[K, V]) bucket(hash uint32) *int32 { return &m.buckets[hash&uint32(len(m.buckets)-1)] }

// find returns where the index of a key's entry is; it is 0 if there is none.
func (m *Map[K, V]) find(key K, hash uint32) *int32 {
	at := m.bucket(hash)
	for *at != 0 {
		e := &m.entries[*at]
		if e.hash == hash && e.key == key {
			break
		}
		at = &e.chained
	}
	return at
}

// link makes an entry the newest, and lets it be found.
func (m *Map[K, V]) link(i int32) {
	e, end := &m.entries[i], &m.entries[0]
	e.older, e.newer = end.older, 0
	m.entries[end.older].newer, end.older = i, i
	first := m.bucket(e.hash)
	e.chained, *first = *first, i
	m.len++
}

// remove takes an entry out, whose index is at a place that find has returned.
func (m *Map[K, V]) remove(at *int32) {
	i := *at
	e := &m.entries[i]
	*at = e.chained
	m.entries[e.older].newer, m.entries[e.newer].older = e.newer, e.older
	*e = entry[K, V]{newer: m.free} // nothing of it stays in memory
	m.free = i
	m.len--
}

func (m *Map[K, V]) removeOldest() {
	oldest := &m.entries[m.entries[0].newer]
	m.remove(m.find(oldest.key, oldest.hash))
}

// shrink gives memory back after many deletions.
func (m *Map[K, V]) shrink() {
	if room := len(m.entries) - 1; room > minRoom && m.len < room/4 {
		m.makeRoom(max(2*m.len, minRoom))
	}
}

// take finds room for an entry.
func (m *Map[K, V]) take() int32 {
	if m.free == 0 {
		m.makeRoom(min(m.len+max(m.len/8, minRoom), m.limit))
	}
	i := m.free
	m.free = m.entries[i].newer
	return i
}

// makeRoom moves the entries to where there is room for so many.
func (m *Map[K, V]) makeRoom(room int) {
	before := m.entries
	m.entries, m.buckets = make([]entry[K, V], room+1), make([]int32, powerOfTwo(room))
	m.len, m.free = 0, 0
	for i := int32(room); i > 0; i-- {
		m.entries[i].newer, m.free = m.free, i
	}
	if before == nil {
		return
	}
	for i := before[0].newer; i != 0; i = before[i].newer {
		moved := m.take()
		m.entries[moved] = before[i]
		m.link(moved)
	}
}

// powerOfTwo is the least power of two that is at least n.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }
