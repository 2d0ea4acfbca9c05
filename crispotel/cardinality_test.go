package crispotel

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/attribute"
)

// oddError is an error of a type that is not known yet.
type oddError struct{}

func (oddError) Error() string { return "" }

func TestTypesOfErrorsAreBounded(t *testing.T) {
	types := newErrorTypes()
	for i := range maxErrorTypes {
		types.known[string(rune('a'+i))] = struct{}{}
	}
	assert.Equal(t, other, types.of(oddError{}))
	assert.Len(t, types.known, maxErrorTypes)
	assert.Empty(t, types.of(nil))
	assert.Equal(t, "crispotel.oddError", newErrorTypes().of(oddError{}))
	assert.Equal(t, "timeout", newErrorTypes().of(&net.OpError{Err: os.ErrDeadlineExceeded}))
}

func TestSetsOfAttributesAreBounded(t *testing.T) {
	m := newMeasured(func(i int) []attribute.KeyValue { return []attribute.KeyValue{attribute.Int("i", i)} })
	for i := range 2 * maxMeasured {
		m.of(i)
	}
	assert.Len(t, m.sets, maxMeasured)
}

func TestIdentifiersThatLookLikeOnes(t *testing.T) {
	const uuid = "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"
	for id, ok := range map[string]bool{
		uuid: true, "F3C1A7E5-92D4-4B86-A1C0-7D2E9F4B6038": true,
		"": false, "f3c1a7e5": false, uuid + "0": false, "f3c1a7e5_92d4-4b86-a1c0-7d2e9f4b6038": false,
		"g3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038": false, "ring me at +49 30 123456 or anna@a.b": false,
	} {
		assert.Equal(t, ok, websiteOf(id) != "", id)
		assert.Equal(t, ok, conversationOf("session_"+id) != "", id)
		assert.Empty(t, conversationOf(id), id)
	}
}
