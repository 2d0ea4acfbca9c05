package payload

import "encoding/json"

// Place is a value that was skipped because how to read it depends on a member
// that may come later. The zero Place has no value.
type Place struct {
	Raw   json.RawMessage // the value as JSON text
	text  string
	pos   int
	depth int
	step  step
}

// Found reports whether there is a value at the place.
func (p *Place) Found() bool { return p.Raw != nil }

// Text returns the value if it is a string.
func (p *Place) Text() (text string, ok bool) {
	return p.text, p.Found() && p.Raw[0] == '"'
}

// Later skips the value at the cursor, which Revisit can then read.
func (d *Decoder) Later(p *Place) {
	p.pos, p.depth, p.step = d.pos, d.depth, d.step
	p.text, p.Raw = "", nil
	if d.char() != '"' {
		p.Raw = d.Skip()
		return
	}
	p.text = d.text() // skipping it would cost as much
	if d.err == nil {
		p.Raw = d.data[p.pos:d.pos:d.pos]
	}
}

// Revisit moves the cursor to a place in the object that was read last, calls
// read, and moves the cursor back. It does nothing after a syntax error.
func (d *Decoder) Revisit(p *Place, read func(d *Decoder)) {
	if d.err != nil {
		return
	}
	pos, depth, current := d.pos, d.depth, d.step
	d.outer = append(d.outer, current)
	d.pos, d.depth, d.step = p.pos, p.depth, p.step
	read(d)
	d.outer = d.outer[:len(d.outer)-1]
	if d.err == nil {
		d.pos, d.depth, d.step = pos, depth, current
	}
}
