package payload

import "unsafe"

// Slice reads an array, each element by decode into a zero T; an empty one reads as
// nil, and null is no element.
func Slice[T any](d *Decoder, p Presence, decode func(*T, *Decoder, Presence)) []T {
	if !d.Array(p) {
		return nil
	}
	var all []T
	for element(d, &all, 1) {
		last := len(all)
		all = all[:last+1]
		decode(&all[last], d, Required)
	}
	return all
}

// Map reads an object, each member by decode into a zero T; an empty one reads as nil, and null
// is no member.
func Map[T any](d *Decoder, p Presence, decode func(*T, *Decoder, Presence)) map[string]T {
	if !d.Object(p) {
		return nil
	}
	all := make(map[string]T)
	var v T
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch {
		case d.char() == 'n':
			d.literal("null")
			delete(all, key)
		case d.spend(entryCost(len(all), int(unsafe.Sizeof(v)))):
			v = *new(T)
			decode(&v, d, Required)
			all[key] = v
		default:
			d.cutOff()
			for _, ok := d.Next(); ok; _, ok = d.Next() {
				d.skip()
			}
			return all
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Wrapping reads a value that may be bare, such as 60, or wrapped in an object,
// such as {"offset":60}:
//
//	for w := d.Wrapped("offset"); w.Next(); {
//		v.Offset = d.Int(payload.Optional)
//	}
type Wrapping struct {
	d      *Decoder
	member string
	object bool
	done   bool
}

// Wrapped begins to read a value that may be wrapped in an object, as its
// member of the given name. The bare value must not be an object itself.
func (d *Decoder) Wrapped(member string) Wrapping {
	object := d.char() == '{' && d.Object(Required)
	return Wrapping{d: d, member: member, object: object}
}

// Next moves to the value and reports whether there is one. It does so once for
// a bare value, and for each member of the name for a wrapped one.
func (w *Wrapping) Next() bool {
	if !w.object {
		first := !w.done
		w.done = true
		return first
	}
	for key, ok := w.d.Next(); ok; key, ok = w.d.Next() {
		if key == w.member {
			return true
		}
		w.d.skip()
	}
	return false
}
