package payload

// Slice reads an array, each element by decode; an empty one reads as nil.
func Slice[T any](d *Decoder, p Presence, decode func(*T, *Decoder, Presence)) []T {
	if !d.Array(p) {
		return nil
	}
	var all []T
	for d.More() {
		all = append(all, *new(T))
		decode(&all[len(all)-1], d, Required)
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
