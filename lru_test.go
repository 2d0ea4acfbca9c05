package crisp

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLRUKeepsTheLatest(t *testing.T) {
	l := newLRU[string, int](2)
	l.put("a", 1)
	l.put("b", 2)
	l.put("a", 3) // replaced, and the latest now
	l.put("c", 4)
	assert.Equal(t, map[string]int{"a": 3, "c": 4}, maps.Collect(l.all))
	_, ok := l.get("b")
	assert.False(t, ok)
	v, ok := l.get("a")
	assert.True(t, ok)
	assert.Equal(t, 3, v)

	l.remove("a")
	l.remove("nothing")
	l.put("d", 5)
	assert.Equal(t, map[string]int{"c": 4, "d": 5}, maps.Collect(l.all))
	assert.Equal(t, 2, l.order.Len())
}
