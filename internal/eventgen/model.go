package main

import "slices"

// model is what the spec says of the events, validated and resolved.
type model struct {
	events  []*event
	structs []*structType // the objects within payloads, in the spec's order
	enums   []*enumType   // in the spec's order
	schemas value         // as the spec has them
}

// event is a message that has x-crisp-tiers.
type event struct {
	payload     *structType // has the event's Go name
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
	home   string // the package with a dot, where it is not that of the output
	doc    string // continues "<name> is "
	fields []*field
	// mayBeZero means that a field of this type is null or absent when zero.
	mayBeZero bool
}

// field is one property.
type field struct {
	wire     string // the name on the wire
	name     string // the name in Go
	doc      string
	presence presence
	typ      goType
	wrapKey  string // the value may be in an object under this key
	wrap     bool   // the value is written in such an object
	member   string // the value is an object, of which this member is all that is read
	readOnly bool   // of a route: bodies don't have it
	secret   bool   // not to be printed
}

func (s *structType) field(wire string) *field {
	for _, f := range s.fields {
		if f.wire == wire {
			return f
		}
	}
	return nil
}

// secretive reports whether a struct has a secret, or a part that has one.
func (s *structType) secretive() bool {
	return slices.ContainsFunc(s.fields, func(f *field) bool {
		part := f.typ.structOf()
		return f.secret || part != nil && part != s && part.secretive()
	})
}

// comparable reports whether Go's == can compare values of the type.
func (s *structType) comparable() bool {
	for _, f := range s.fields {
		switch f.typ.kind {
		case kindSlice, kindMap, kindStructMap, kindRaw, kindRawObject:
			return false
		case kindStruct:
			if !f.typ.ref.comparable() {
				return false
			}
		default: // comparable
		}
	}
	return true
}

// plain reports whether encoding/json alone reads and writes the type's JSON. Such a type
// gets no methods for that, since a struct that embeds it would inherit them.
func (s *structType) plain() bool {
	for _, f := range s.fields {
		if f.presence == nullable || f.wrapKey != "" || f.wrap {
			return false
		}
		switch f.typ.kind {
		case kindString, kindEnum, kindBool, kindInt, kindInt64, kindFloat:
		case kindSlice, kindMap, kindRaw, kindRawObject: // required, an empty one would be null
			if f.presence != optional || f.typ.elem != nil && f.typ.elem.ref != nil && !f.typ.elem.ref.plain() {
				return false
			}
		case kindStruct:
			if !f.typ.ref.plain() {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// presence is a payload.Presence, as Go source.
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
	elem *goType     // kindSlice, kindStructMap
	unit string      // kindDuration: its Go source
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
	kindStructMap
	kindDate // of a route: text in the form of RFC 3339
)

// enumType is a string type with constants.
type enumType struct {
	name   string
	home   string // as of a structType
	doc    string
	values []string
}
