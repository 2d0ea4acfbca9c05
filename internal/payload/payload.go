// Package payload reads and writes JSON payloads in one pass, without
// reflection.
//
// [Decoder] is exactly as strict about JSON as encoding/json, but tolerant about
// types: a value of another type than the one asked for is skipped and noted as
// a [Problem]. [Encoder] writes what the Decoder reads.
package payload

// Presence says how a field is written if it has its zero value. When a field is read, null means
// absent, whatever the Presence. The value as a whole can't be absent: for it, null is a problem
// unless it is Nullable or Optional.
type Presence uint8

const (
	// Required fields are always written.
	Required Presence = iota
	// Nullable fields are always written, as null if they are zero.
	Nullable
	// Optional fields are written unless they are zero.
	Optional
)

// The JSON types as a [Problem] names them.
const (
	Null    = "null"
	Boolean = "boolean"
	Number  = "number"
	Integer = "integer" // only as Wanted: Got is never more exact than Number
	String  = "string"
	Array   = "array"
	Object  = "object"
)

// outOfRange is Problem.Got for a number that the Go type can't hold.
const outOfRange = "number out of range"

// Problem.Wanted and Problem.Got for a list or an object that was cut off because reading all of
// it would have cost too much memory: see [Decoder].
const (
	lessData = "less data"
	tooMuch  = "too much"
)
