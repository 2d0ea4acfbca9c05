package payload

// Slice reads an array whose elements decode reads; an empty one reads as nil.
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

// Wrapping reads a value that may stand bare or as a member of an object:
//
//	for w := d.Wrapped("offset"); w.Next(); {
//		v.Offset = d.Int(wire.Optional)
//	}
type Wrapping struct {
	d      *Decoder
	member string
	object bool
	done   bool
}

// Wrapped tells bare and wrapped apart; the bare value is no object.
func (d *Decoder) Wrapped(member string) Wrapping {
	object := d.char() == '{' && d.Object(Required)
	return Wrapping{d: d, member: member, object: object}
}

// Next moves to the value, once if it is bare.
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
