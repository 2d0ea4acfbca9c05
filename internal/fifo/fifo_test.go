package fifo_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/fifo"
)

func TestMapKeepsTheNewest(t *testing.T) {
	m := fifo.New[string, int](2)
	_, _, ok := m.Oldest()
	assert.False(t, ok)
	m.DeleteOldest() // nothing

	m.Put("a", 1)
	m.Put("b", 2)
	m.Put("a", 3) // replaced, and the newest now
	m.Put("c", 4)
	assert.Equal(t, map[string]int{"a": 3, "c": 4}, maps.Collect(m.All()))
	_, ok = m.Get("b")
	assert.False(t, ok)
	v, ok := m.Get("a")
	assert.True(t, ok)
	assert.Equal(t, 3, v)
	key, value, ok := m.Oldest()
	assert.Equal(t, []any{"a", 3, true}, []any{key, value, ok}, "looking an entry up makes it no younger")

	m.Delete("a")
	m.Delete("nothing")
	m.Put("d", 5)
	assert.Equal(t, map[string]int{"c": 4, "d": 5}, maps.Collect(m.All()))
	assert.Equal(t, 2, m.Len())
	m.DeleteOldest()
	assert.Equal(t, map[string]int{"d": 5}, maps.Collect(m.All()))
}

// FuzzMap compares the map with a plain one: each byte is a step, its low bits
// the key.
func FuzzMap(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0x40, 0x81, 1, 0xc0, 4, 5})
	f.Fuzz(func(t *testing.T, steps []byte) {
		const limit = 4
		m := fifo.New[byte, int](limit)
		var want []byte // oldest first
		values := make(map[byte]int)
		for i, step := range steps {
			key := step & 7
			without := slices.DeleteFunc(slices.Clone(want), func(k byte) bool { return k == key })
			switch step >> 6 {
			case 0, 1:
				m.Put(key, i)
				want = append(without, key)
				want = want[max(0, len(want)-limit):]
				values[key] = i
			case 2:
				m.Delete(key)
				want = without
			case 3:
				m.DeleteOldest()
				want = want[min(1, len(want)):]
			}
			assert.Equal(t, len(want), m.Len())
			var got []byte
			for k, v := range m.All() {
				got = append(got, k)
				assert.Equal(t, values[k], v)
			}
			slices.Reverse(got)
			assert.Equal(t, string(want), string(got), "after step %d", i)
			if oldest, _, ok := m.Oldest(); assert.Equal(t, len(want) > 0, ok) && ok {
				assert.Equal(t, want[0], oldest)
			}
		}
	})
}

func TestMapReusesItsMemory(t *testing.T) {
	m := fifo.New[int, int](1000)
	for i := range 3000 {
		m.Put(i, i)
	}
	next := 3000
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		m.Put(next, 0)
		next++
	}))
}
