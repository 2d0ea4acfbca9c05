// Package fifo has a map with a limit, which forgets its oldest entries: the library's one way
// to remember things within a bound.
package fifo

import (
	"hash/maphash"
	"iter"
)

// Map remembers the entries that were put last, up to a limit: a new one beyond it takes the
// place of the oldest. Looking up an entry does not make it younger. A Map has no lock.
//
// Entries are kept in one slice, and their order in another: an entry costs no allocation of its
// own, and the garbage collector has no list to walk. Besides its key and value, an entry takes
// 16 bytes, and 4 to 8 in the table of hashes. While the map grows, there is room for up to an
// eighth more entries than there are; after deletions, for up to four times as many.
type Map[K comparable, V any] struct {
	limit   int
	seed    maphash.Seed
	ring    *ring
	entries []entry[K, V] // by their numbers in the ring
}

type entry[K comparable, V any] struct {
	value V // not last, where one of size 0 would be padded
	key   K
}

// New makes a map of at most limit entries, which must be at least 1.
func New[K comparable, V any](limit int) *Map[K, V] {
	m := &Map[K, V]{limit: limit, seed: maphash.MakeSeed(), ring: new(ring)}
	m.makeRoom(minRoom)
	return m
}

// Len returns how many entries there are.
func (m *Map[K, V]) Len() int { return m.ring.len }

// Get returns the value of a key.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	i := m.find(key, m.hash(key))
	if i == 0 {
		return value, false
	}
	return m.entries[i].value, true
}

// Put adds an entry as the newest, and removes the one that the key had before.
func (m *Map[K, V]) Put(key K, value V) {
	hash := m.hash(key)
	if i := m.find(key, hash); i != 0 {
		m.remove(i)
	} else if m.ring.len >= m.limit {
		m.remove(m.ring.oldest())
	}
	if m.ring.full() {
		m.makeRoom(m.ring.larger(m.limit))
	}
	m.entries[m.ring.add(hash)] = entry[K, V]{value, key}
}

// Delete forgets an entry, if there is one of that key.
func (m *Map[K, V]) Delete(key K) { m.forget(m.find(key, m.hash(key))) }

// Oldest returns the oldest entry; ok is false if there is none.
func (m *Map[K, V]) Oldest() (key K, value V, ok bool) {
	e := &m.entries[m.ring.oldest()]
	return e.key, e.value, m.ring.len > 0
}

// DeleteOldest forgets the oldest entry, if there is any.
func (m *Map[K, V]) DeleteOldest() { m.forget(m.ring.oldest()) }

// DeleteOldestWhile forgets the oldest entries until it meets one that is not over.
func (m *Map[K, V]) DeleteOldestWhile(over func(value V) bool) {
	for m.ring.len > 0 && over(m.entries[m.ring.oldest()].value) {
		m.DeleteOldest()
	}
}

// All iterates over the entries, the newest first. The map must not change
// meanwhile.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := m.ring.newest(); i != 0; i = m.ring.nodes[i].older {
			if !yield(m.entries[i].key, m.entries[i].value) {
				return
			}
		}
	}
}

func (m *Map[K, V]) hash(key K) uint32 { return uint32(maphash.Comparable(m.seed, key)) }

// find returns the number of a key's entry, 0 if there is none.
func (m *Map[K, V]) find(key K, hash uint32) int32 {
	i := m.ring.first(hash)
	for i != 0 && m.entries[i].key != key {
		i = m.ring.next(i)
	}
	return i
}

func (m *Map[K, V]) remove(i int32) {
	m.ring.remove(i)
	m.entries[i] = entry[K, V]{} // nothing of it stays in memory
}

// forget removes an entry, unless its number is 0, and gives memory back after many.
func (m *Map[K, V]) forget(i int32) {
	if i == 0 {
		return
	}
	m.remove(i)
	if m.ring.sparse() {
		m.makeRoom(max(2*m.ring.len, minRoom))
	}
}

// makeRoom moves the entries to where there is room for so many.
func (m *Map[K, V]) makeRoom(room int) {
	before := m.entries
	m.entries = make([]entry[K, V], room+1)
	for to, from := range m.ring.resize(room) {
		m.entries[to] = before[from]
	}
}
