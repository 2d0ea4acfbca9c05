package crisp

import "container/list"

// lru keeps the entries that were put last, up to a number. It has no lock.
type lru[K comparable, V any] struct {
	limit   int
	entries map[K]*list.Element
	order   *list.List // of lruEntry, the one put last at the front
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, entries: make(map[K]*list.Element), order: list.New()}
}

// put adds or replaces an entry, at the cost of the oldest if there are too
// many.
func (l *lru[K, V]) put(key K, value V) {
	l.remove(key)
	if len(l.entries) >= l.limit {
		l.remove(l.order.Back().Value.(lruEntry[K, V]).key)
	}
	l.entries[key] = l.order.PushFront(lruEntry[K, V]{key, value})
}

// get gives an entry, which does not make it younger.
func (l *lru[K, V]) get(key K) (value V, ok bool) {
	e, ok := l.entries[key]
	if !ok {
		return value, false
	}
	return e.Value.(lruEntry[K, V]).value, true
}

func (l *lru[K, V]) remove(key K) {
	if e, ok := l.entries[key]; ok {
		l.order.Remove(e)
		delete(l.entries, key)
	}
}

// all lists the keys and values, the one put last first.
func (l *lru[K, V]) all(yield func(K, V) bool) {
	for e := l.order.Front(); e != nil; e = e.Next() {
		entry := e.Value.(lruEntry[K, V])
		if !yield(entry.key, entry.value) {
			return
		}
	}
}
