package crispotel

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxMeasured bounds how many sets of attributes are kept.
const maxMeasured = 4096

// measured keeps the attributes of measurements, which would have to be sorted each time.
type measured[K comparable] struct {
	make func(K) []attribute.KeyValue

	mu   sync.RWMutex // guards sets
	sets map[K]attributeSet
}

// attributeSet are the same attributes for counters and for histograms.
type attributeSet struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newMeasured[K comparable](attributes func(K) []attribute.KeyValue) *measured[K] {
	return &measured[K]{make: attributes, sets: make(map[K]attributeSet)}
}

func (m *measured[K]) of(key K) attributeSet {
	m.mu.RLock()
	set, ok := m.sets[key]
	m.mu.RUnlock()
	if ok {
		return set
	}
	option := metric.WithAttributeSet(attribute.NewSet(m.make(key)...))
	set = attributeSet{add: []metric.AddOption{option}, record: []metric.RecordOption{option}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.sets) < maxMeasured {
		m.sets[key] = set
	}
	return set
}
