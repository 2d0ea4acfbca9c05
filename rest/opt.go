package rest

import (
	"encoding/json"
	"time"
)

// Opt is a value that a body may leave out. The zero Opt is left out.
type Opt[T any] struct {
	value T
	state optState
}

type optState uint8

const (
	absent optState = iota
	null
	given
)

// Set returns an Opt that sends a value, also if that is zero. A [time.Time] is sent
// in milliseconds since 1970, a [time.Duration] in minutes.
func Set[T any](value T) Opt[T] { return Opt[T]{value: value, state: given} }

// Null returns an Opt that sends null, by which Crisp clears some fields. Crisp does
// not document which.
func Null[T any]() Opt[T] { return Opt[T]{state: null} }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (value T, ok bool) { return o.value, o.state == given }

// IsZero reports whether the field is left out.
func (o Opt[T]) IsZero() bool { return o.state == absent }

// MarshalJSON writes the value in the form that Crisp takes.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.state != given {
		return []byte("null"), nil
	}
	return marshalWire(o.value)
}

// marshalWire is apart from Opt so that a program has it once, not for each type.
func marshalWire(value any) ([]byte, error) {
	switch v := value.(type) {
	case time.Time:
		return json.Marshal(v.UnixMilli())
	case time.Duration:
		return json.Marshal(int64(v / time.Minute))
	}
	return json.Marshal(value)
}
