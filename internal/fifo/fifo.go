// Package fifo is the library's one way to remember things within a bound.
package fifo

import "iter"

// Map remembers the entries that were put last, up to a limit: a new one beyond
// it takes the place of the oldest. Looking an entry up does not make it
// younger. It has no lock.
//
// Entries are kept in one slice, linked by index: remembering costs no
// allocation of its own, and the garbage collector has no list to walk.
type Map[K comparable, V any] struct {
	limit   int
	index   map[K]int32
	entries []entry[K, V] // the first is the ring's end, from the oldest to the newest
	free    int32         // the first of the entries that are not in use, linked by next; 0 = none
}

type entry[K comparable, V any] struct {
	older, newer int32
	key          K
	value        V
}

// New makes a map of at most limit entries, which must be at least 1.
func New[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{limit: limit, index: make(map[K]int32), entries: make([]entry[K, V], 1)}
}

// Len is how many entries there are.
func (m *Map[K, V]) Len() int { return len(m.index) }

// Get returns the value of a key.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	i, ok := m.index[key]
	if !ok {
		return value, false
	}
	return m.entries[i].value, true
}

// Put adds an entry, or replaces the one of that key, as the newest.
func (m *Map[K, V]) Put(key K, value V) {
	m.Delete(key)
	if len(m.index) >= m.limit {
		m.DeleteOldest()
	}
	i := m.take()
	newest := m.entries[0].older
	m.entries[i] = entry[K, V]{older: newest, newer: 0, key: key, value: value}
	m.entries[newest].newer, m.entries[0].older = i, i
	m.index[key] = i
}

// take finds room for an entry.
func (m *Map[K, V]) take() int32 {
	if i := m.free; i != 0 {
		m.free = m.entries[i].newer
		return i
	}
	m.entries = append(m.entries, entry[K, V]{})
	return int32(len(m.entries) - 1)
}

// Delete forgets an entry, if there is one of that key.
func (m *Map[K, V]) Delete(key K) {
	i, ok := m.index[key]
	if !ok {
		return
	}
	delete(m.index, key)
	e := &m.entries[i]
	m.entries[e.older].newer, m.entries[e.newer].older = e.newer, e.older
	*e = entry[K, V]{newer: m.free} // nothing of it stays in memory
	m.free = i
}

// Oldest returns the entry that was put first.
func (m *Map[K, V]) Oldest() (key K, value V, ok bool) {
	e := &m.entries[m.entries[0].newer]
	return e.key, e.value, m.Len() > 0
}

// DeleteOldest forgets the entry that was put first, if there is any.
func (m *Map[K, V]) DeleteOldest() {
	if key, _, ok := m.Oldest(); ok {
		m.Delete(key)
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
