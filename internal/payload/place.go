package payload

import "encoding/json"

// Place is a value that the cursor has passed without reading it, because how
// to read it depends on what comes later.
type Place struct {
	Raw   json.RawMessage // the value as it stands
	text  string
	pos   int
	depth int
	at    step
}

// Found tells whether there is a value at the place; at the zero Place there
// is none.
func (p Place) Found() bool { return p.Raw != nil }

// Text is the value, if it is a string.
func (p Place) Text() (text string, ok bool) {
	return p.text, p.Found() && p.Raw[0] == '"'
}

// Later skips the value at the cursor, to be read by Revisit.
func (d *Decoder) Later() Place {
	p := Place{pos: d.pos, depth: d.depth, at: d.at}
	if d.char() != '"' {
		p.Raw = d.Skip()
		return p
	}
	p.text = d.text() // what it is good for, comes later or not: it is read once
	if d.err == nil {
		p.Raw = d.data[p.pos:d.pos:d.pos]
	}
	return p
}

// Revisit reads the value at a place of the object that was read last, and
// brings the cursor back to where it is now.
func (d *Decoder) Revisit(p Place, read func(d *Decoder)) {
	if d.err != nil {
		return
	}
	pos, depth, at := d.pos, d.depth, d.at
	d.outer = append(d.outer, at)
	d.pos, d.depth, d.at = p.pos, p.depth, p.at
	read(d)
	d.outer = d.outer[:len(d.outer)-1]
	if d.err == nil {
		d.pos, d.depth, d.at = pos, depth, at
	}
}
