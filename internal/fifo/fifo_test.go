package fifo_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/fifo"
	"github.com/crisp-go/crisp/internal/testkit"
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

func TestMapForgetsTheOldestThatAreOver(t *testing.T) {
	m := fifo.New[string, int](4)
	m.DeleteOldestWhile(func(int) bool { return true }) // nothing

	m.Put("a", 1)
	m.Put("b", 2)
	m.Put("c", 9)
	m.Put("d", 1)
	m.DeleteOldestWhile(func(value int) bool { return value < 5 })
	assert.Equal(t, map[string]int{"c": 9, "d": 1}, maps.Collect(m.All()), "what is behind one that is not over stays")
	m.DeleteOldestWhile(func(int) bool { return true })
	assert.Zero(t, m.Len())
}

// FuzzMap compares maps of several limits with plain ones: each byte is a step, its low
// bits the key.
func FuzzMap(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0x40, 0x81, 1, 0xc0, 4, 5})
	many := make([]byte, 0, 256)
	for n := range byte(64) { // so many that it grows, and then shrinks
		many = append(many, n)
	}
	for range 60 {
		many = append(many, 0xc0)
	}
	f.Add(append(many, many...))
	f.Fuzz(func(t *testing.T, steps []byte) {
		for _, limit := range []int{1, 4, 50} {
			compare(t, limit, steps)
		}
	})
}

func compare(t *testing.T, limit int, steps []byte) {
	m := fifo.New[byte, int](limit)
	var want []byte // oldest first
	values := make(map[byte]int)
	for i, step := range steps {
		key := step & 63
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
		require.Equal(t, len(want), m.Len())
		var got []byte
		for k, v := range m.All() {
			got = append(got, k)
			require.Equal(t, values[k], v)
		}
		slices.Reverse(got)
		require.Equal(t, string(want), string(got), "after step %d", i)
		for key := range byte(64) {
			_, ok := m.Get(key)
			require.Equal(t, slices.Contains(want, key), ok)
		}
		oldest, _, ok := m.Oldest()
		require.Equal(t, len(want) > 0, ok)
		if ok {
			require.Equal(t, want[0], oldest)
		}
	}
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

func TestAnEntryCostsLittle(t *testing.T) {
	const limit, beside = 1 << 17, 16 + 8 // the links, and the table of hashes
	before := testkit.Heap()
	m := fifo.New[[32]byte, int64](limit)
	fill := func(n int) {
		for i := range n {
			m.Put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, 0)
		}
	}
	perEntry := func() float64 { return float64(testkit.Heap()-before) / float64(m.Len()) }
	fill(limit)
	assert.LessOrEqual(t, perEntry(), 32+8+beside+0.5, "when it is full")
	for _, n := range []int{1000, 50_000, 100_000} {
		m = fifo.New[[32]byte, int64](limit)
		fill(n)
		assert.LessOrEqual(t, perEntry(), 1.125*(32+8+16)+8+4+8192/float64(n), "of %d, and what a map itself takes", n)
	}
	runtime.KeepAlive(m)
}

func TestWhatIsForgottenGivesItsMemoryBack(t *testing.T) {
	before := testkit.Heap()
	m := fifo.New[int, int](1 << 16)
	for i := range 1 << 16 {
		m.Put(i, i)
	}
	for range 1<<16 - 100 {
		m.DeleteOldest()
	}
	assert.Equal(t, 100, m.Len())
	assert.Less(t, testkit.Heap()-before, int64(100_000))
	for i := range 1 << 16 {
		v, ok := m.Get(i)
		require.Equal(t, i >= 1<<16-100, ok)
		require.True(t, !ok || v == i)
	}
}

func BenchmarkMap(b *testing.B) {
	b.Run("uint64", func(b *testing.B) { benchmark(b, func(n int) uint64 { return uint64(n) * 0x9e3779b97f4a7c15 }) })
	b.Run("32 bytes", func(b *testing.B) {
		benchmark(b, func(n int) [32]byte { return [32]byte{byte(n), byte(n >> 8), byte(n >> 16)} })
	})
	b.Run("string", func(b *testing.B) { benchmark(b, func(n int) string { return names[n%len(names)] }) })
}

func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		m := fifo.New[[32]byte, int64](100_000)
		for n := range 100_000 {
			m.Put([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}, 0)
		}
	}
}

var names = func() (all [1 << 17]string) {
	for i := range all {
		all[i] = fmt.Sprintf("session_%036d", i)
	}
	return all
}()

// benchmark puts new entries into a map that is full, and looks each up.
func benchmark[K comparable](b *testing.B, key func(int) K) {
	m := fifo.New[K, int64](1 << 15)
	for n := range 1 << 15 {
		m.Put(key(n), 0)
	}
	n := 1 << 15
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get(key(n)); !ok {
			m.Put(key(n), 0)
		}
		n++
	}
}
