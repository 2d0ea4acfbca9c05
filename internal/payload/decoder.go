package payload

import "encoding/json"

// maxDepth is encoding/json's limit of nesting.
const maxDepth = 10_000

// Decoder is a cursor over one JSON value. The methods named after types read
// the value at the cursor and move past it:
//
//	if d.Object(payload.Required) {
//		for key, ok := d.Next(); ok; key, ok = d.Next() {
//			switch key {
//			case "email":
//				v.Email = d.String(payload.Optional)
//			default:
//				d.Skip()
//			}
//		}
//	}
//
// A value of another type reads as zero and is noted, see [Decoder.Problems];
// null reads as if it were absent. A list or an object is cut off, which is
// noted, when all lists and objects together would take more than 8 bytes of
// memory for each byte of the data, plus 256 KiB: only hostile data come near that,
// which can be made to cost a hundred times their size.
// The first syntax error ends all loops and makes all further reads return
// zero; [Decoder.End] returns it.
//
// Strings, keys and raw values share the memory of the data, which must not
// change for as long as they are in use.
type Decoder struct {
	data  []byte
	pos   int
	depth int // how many containers the cursor is in

	// The path to the cursor, through the containers entered by Object and Array.
	step  step   // in the innermost container
	outer []step // to that container
	first bool   // nothing of that container has been read yet

	budget   int // bytes that lists and objects may still take
	problems []mismatch
	notes    int // problems that were noted
	dropped  int // problems beyond maxProblems or maxNotes
	err      *SyntaxError
}

// NewDecoder returns a decoder of one JSON value.
func NewDecoder(data []byte) *Decoder {
	d := new(Decoder)
	d.Reset(data)
	return d
}

// Reset makes the decoder start over with other data. It forgets everything: a
// decoder kept for reuse holds on to no data after Reset(nil).
func (d *Decoder) Reset(data []byte) {
	d.data = data
	d.pos, d.depth = 0, 0
	d.step, d.outer = step{}, d.outer[:0]
	d.first = false
	d.budget = budgetAtLeast + budgetPerByte*len(data)
	if d.notes > 0 || d.err != nil {
		d.problems, d.notes, d.dropped, d.err = nil, 0, 0, nil
	}
	d.peek()
}

// End returns a [*SyntaxError] unless the data as a whole are valid JSON: the
// value that was read, followed by nothing but white space.
func (d *Decoder) End() error {
	d.peek()
	if d.pos < len(d.data) {
		d.fail("the end of the data")
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

// Kind returns the JSON type of the value at the cursor, "" if there is none.
func (d *Decoder) Kind() string {
	switch c := d.char(); c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Boolean
	case 'n':
		return Null
	default:
		if startsNumber(c) {
			return Number
		}
		return ""
	}
}

// Object enters the object at the cursor and reports whether there is one. Its
// members are read by Next.
func (d *Decoder) Object(p Presence) bool {
	if d.char() != '{' {
		d.mismatch(Object, p)
		return false
	}
	return d.enter(step{index: noIndex})
}

// Array enters the array at the cursor and reports whether there is one. Its
// elements are read by More.
func (d *Decoder) Array(p Presence) bool {
	if d.char() != '[' {
		d.mismatch(Array, p)
		return false
	}
	return d.enter(step{pos: d.pos, index: -1})
}

func (d *Decoder) enter(first step) bool {
	if !d.open() {
		return false
	}
	first.problems = len(d.problems)
	d.outer = append(d.outer, d.step)
	d.step = first
	d.first = true
	return true
}

func (d *Decoder) leave() {
	last := len(d.outer) - 1
	d.step = d.outer[last]
	d.outer = d.outer[:last]
	d.first = false
}

// Next moves to the value of the next member of the object that was entered
// last, or out of the object if there is none. The value has to be read or
// skipped before the next call.
//
// Most members of most objects are without white space, escapes or non-ASCII
// letters, and have no problem noted before: for these there is a short way.
func (d *Decoder) Next() (key string, ok bool) {
	data, start := d.data, d.pos
	if !d.first {
		start++
	}
	if start >= len(data) || data[start] != '"' || !d.first && data[start-1] != ',' || len(d.problems) > d.step.problems {
		return d.unusualKey()
	}
	end := indexUnusual(data, start+1)
	value := end + len(`":`)
	if value >= len(data) || data[end] != '"' || data[end+1] != ':' || data[value] <= ' ' {
		return d.unusualKey()
	}
	d.first = false
	d.step.pos = start
	d.pos = value
	return alias(data[start+1 : end]), true
}

func (d *Decoder) unusualKey() (key string, ok bool) {
	if !d.another('}', d.first) {
		d.leave()
		return "", false
	}
	d.first = false
	d.step.pos = d.pos
	key = d.key()
	if len(d.problems) > d.step.problems {
		d.forgetProblems(key)
	}
	return key, d.err == nil
}

// More moves to the next element of the array that was entered last, or out of
// the array if there is none. The element has to be read or skipped before the
// next call.
func (d *Decoder) More() bool {
	if !d.another(']', d.first) {
		d.leave()
		return false
	}
	d.first = false
	d.step.index++
	return true
}

// Bool reads true or false.
func (d *Decoder) Bool(p Presence) bool {
	switch d.char() {
	case 't':
		d.literal("true")
		return d.err == nil
	case 'f':
		d.literal("false")
	default:
		d.mismatch(Boolean, p)
	}
	return false
}

// Raw returns a value of any type as its JSON text; null reads as nil.
func (d *Decoder) Raw() json.RawMessage {
	if d.char() == 'n' {
		d.literal("null")
		return nil
	}
	return d.Skip()
}

// RawObject returns an object as its JSON text.
func (d *Decoder) RawObject(p Presence) json.RawMessage {
	if d.char() != '{' {
		d.mismatch(Object, p)
		return nil
	}
	return d.Skip()
}

// Skip moves past the value at the cursor and returns its JSON text.
func (d *Decoder) Skip() json.RawMessage {
	start := d.pos
	d.skip()
	if d.err != nil {
		return nil
	}
	return d.data[start:d.pos:d.pos]
}

func (d *Decoder) skip() {
	switch c := d.char(); c {
	case '"':
		d.quoted()
	case '{':
		if !d.open() {
			return
		}
		for first := true; d.skipName(first); first = false {
			d.skip()
		}
	case '[':
		if !d.open() {
			return
		}
		for first := true; d.another(']', first); first = false {
			d.skip()
		}
	case 't':
		d.literal("true")
	case 'f':
		d.literal("false")
	case 'n':
		d.literal("null")
	default:
		if !startsNumber(c) {
			d.fail("a value")
			return
		}
		if _, ok := d.natural(); !ok {
			d.number()
		}
	}
}

// skipName moves to the value of the next member of an object, or past the object at
// its end, and reports which. It has the same short way as Next.
func (d *Decoder) skipName(first bool) bool {
	data, start := d.data, d.pos
	if !first {
		start++
	}
	if start < len(data) && data[start] == '"' && (first || data[start-1] == ',') {
		end := indexUnusual(data, start+1)
		value := end + len(`":`)
		if value < len(data) && data[end] == '"' && data[end+1] == ':' && data[value] > ' ' {
			d.pos = value
			return true
		}
	}
	if !d.another('}', first) {
		return false
	}
	d.rawKey()
	return true
}

// char returns the byte at the cursor, 0 at the end of the data. A zero byte in
// the data needs no case of its own: it is a syntax error wherever it stands.
func (d *Decoder) char() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// peek skips white space and returns the byte after it, 0 at the end.
func (d *Decoder) peek() byte {
	if c := d.char(); c > ' ' {
		return c
	}
	return d.skipSpace()
}

func (d *Decoder) skipSpace() byte {
	for ; d.pos < len(d.data); d.pos++ {
		switch c := d.data[d.pos]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c
		}
	}
	return 0
}

// open moves into the container at the cursor.
func (d *Decoder) open() bool {
	if d.depth == maxDepth {
		d.fail("at most 10000 levels of nesting")
		return false
	}
	d.depth++
	d.pos++
	return true
}

// another moves to the next member or element of a container, or past the
// container at its end, and reports which.
func (d *Decoder) another(end byte, first bool) bool {
	c := d.peek()
	if c == end {
		d.pos++
		d.depth--
		return false
	}
	if !first {
		if c != ',' {
			d.fail("a comma or the end of the " + containerOf(end))
			return false
		}
		d.pos++
		c = d.peek()
	}
	if c == 0 {
		d.fail("more of the " + containerOf(end))
		return false
	}
	return true
}

func containerOf(end byte) string {
	if end == '}' {
		return Object
	}
	return Array
}

// key returns a member's name and moves to its value.
func (d *Decoder) key() string {
	if d.char() != '"' {
		d.fail("a member's name in quotes")
		return ""
	}
	key := d.text()
	d.colon()
	return key
}

// rawKey is key without resolving escapes.
func (d *Decoder) rawKey() []byte {
	if d.char() != '"' {
		d.fail("a member's name in quotes")
		return nil
	}
	raw := d.quoted()
	d.colon()
	return raw
}

func (d *Decoder) colon() {
	if d.peek() != ':' {
		d.fail("a colon")
		return
	}
	d.pos++
	d.peek()
}

// literal moves past true, false or null.
func (d *Decoder) literal(word string) {
	end := d.pos + len(word)
	if end > len(d.data) || string(d.data[d.pos:end]) != word {
		d.fail(word)
		return
	}
	d.pos = end
}
