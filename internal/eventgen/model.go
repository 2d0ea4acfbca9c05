package main

// model is what the spec says of the events, checked and resolved.
type model struct {
	events  []*event
	structs []*structType // what payloads hold, in the spec's order
	enums   []*enumType   // likewise
}

// event is one message.
type event struct {
	payload     *structType // carries the Go name
	name        string      // on the wire
	aliases     []string
	summary     string // continues a sentence that begins with the Go name
	description string
	namespace   string
	rtmOnly     bool
	tiers       []string
	scope       string
	sample      string // JSON
}

// structType is an object with known properties.
type structType struct {
	name   string
	doc    string // continues "<name> is "
	fields []*field
	// mayBeZero tells that some field of this type is left out when zero.
	mayBeZero bool
}

// field is one property.
type field struct {
	wire     string
	name     string // in Go
	doc      string
	presence presence
	typ      goType
	wrapKey  string // the value may stand in an object under this key
	wrap     bool   // and is written so
}

func (s *structType) field(wire string) *field {
	for _, f := range s.fields {
		if f.wire == wire {
			return f
		}
	}
	return nil
}

// comparable tells whether Go's == works on the type.
func (s *structType) comparable() bool {
	for _, f := range s.fields {
		switch f.typ.kind {
		case kindSlice, kindMap, kindRaw, kindRawObject:
			return false
		case kindStruct:
			if !f.typ.ref.comparable() {
				return false
			}
		default: // the others are
		}
	}
	return true
}

// presence mirrors payload.Presence; its values are the names of the constants.
type presence string

const (
	required presence = "payload.Required"
	nullable presence = "payload.Nullable"
	optional presence = "payload.Optional"
)

// goType is the Go type of a field or of a slice's elements.
type goType struct {
	kind kind
	ref  *structType // kindStruct
	enum *enumType   // kindEnum
	elem *goType     // kindSlice
	unit string      // kindDuration: the Go expression
}

type kind int

const (
	kindString kind = iota
	kindEnum
	kindBool
	kindInt
	kindInt64
	kindFloat
	kindTime
	kindDuration
	kindMap
	kindRaw
	kindRawObject
	kindReceipt
	kindContent
	kindStruct
	kindSlice
)

// enumType is a string type with named values.
type enumType struct {
	name   string
	doc    string
	values []string
}
