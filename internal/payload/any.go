package payload

// Any reads a value of any type into what encoding/json decodes it to:
// float64, string, bool, nil, []any or map[string]any. A number that a float64
// can't hold reads as nil and is a problem.
func (d *Decoder) Any() any {
	c := d.char()
	if !d.spend(boxed(c)) {
		d.cutOff()
		return nil
	}
	switch c {
	case '"':
		return d.text()
	case '{':
		return d.anyMap()
	case '[':
		return d.anySlice()
	case 't', 'f':
		return d.Bool(Required)
	case 'n':
		d.literal("null")
		return nil
	default:
		if !startsNumber(c) {
			d.fail("a value")
			return nil
		}
		return d.anyNumber()
	}
}

// AnyMap reads an object; an empty one reads as nil.
func (d *Decoder) AnyMap(p Presence) map[string]any {
	if d.char() != '{' {
		d.mismatch(Object, p)
		return nil
	}
	if !d.spend(boxed('{')) {
		d.cutOff()
		return nil
	}
	if m := d.anyMap(); len(m) > 0 {
		return m
	}
	return nil
}

func (d *Decoder) anyNumber() any {
	lit, _ := d.number()
	f, ok := parseFloat(lit)
	if !ok {
		d.Note(Number, outOfRange)
		return nil
	}
	return f
}

func (d *Decoder) anyMap() map[string]any {
	if !d.open() {
		return nil
	}
	m := make(map[string]any)
	for first := true; d.another('}', first); first = false {
		key := d.key()
		if !d.spend(entryCost(len(m), anySize)) {
			d.cutOff()
			for d.another('}', false) {
				d.rawKey()
				d.skip()
			}
			break
		}
		m[key] = d.Any()
	}
	return m
}

func (d *Decoder) anySlice() []any {
	start := d.pos
	if !d.open() {
		return nil
	}
	s := make([]any, 0)
	for first := true; d.another(']', first); first = false {
		if !room(d, &s, 1, start) {
			d.cutOff()
			for d.another(']', false) {
				d.skip()
			}
			break
		}
		s = append(s, d.Any())
	}
	return s
}
