package main

import "slices"

// check finds what lies upon something else, or does not fit.
func (d *diagram) check() error {
	for _, b := range d.boxes {
		if err := b.checkText(); err != nil {
			return err
		}
	}
	for i, f := range d.frames {
		if err := d.checkFrame(f, d.frames[:i]); err != nil {
			return err
		}
	}
	for _, a := range d.arrows {
		if err := d.checkArrow(a); err != nil {
			return err
		}
	}
	return d.checkCaptions()
}

func (b *box) checkText() error {
	room := b.right - b.left - 2*textPad
	if w := width(b.title, titleSize, true); w > room {
		return at(b.line, "the title of box %s is %d pixels wide: it has room for %d", b.id, w, room)
	}
	for i, text := range b.text {
		if w := width(text, textSize, false); w > room {
			return at(b.line+1+i, "the text is %d pixels wide: box %s has room for %d", w, b.id, room)
		}
	}
	return nil
}

func (d *diagram) checkFrame(f *frame, before []*frame) error {
	for _, b := range d.boxes {
		if f.overlaps(b.rect) && !slices.Contains(f.boxes, b) {
			return at(f.line, "the frame also holds box %s", b.id)
		}
	}
	for _, other := range before {
		if f.overlaps(other.rect) {
			return at(f.line, "the frame lies upon that of line %d", other.line)
		}
	}
	if !f.contains(f.label.rect) {
		return at(f.line, "the label is longer than the frame")
	}
	return nil
}

func (d *diagram) checkArrow(a *arrow) error {
	for i := range a.points[1:] {
		part := between(a.points[i], a.points[i+1])
		for _, b := range d.boxes {
			if b != a.from && b != a.to && part.overlaps(b.rect) {
				return at(a.line, "the arrow crosses box %s", b.id)
			}
		}
		for _, c := range d.captions() {
			if part.overlaps(c.rect) {
				return at(a.line, "the arrow crosses the label of line %d", c.line)
			}
		}
	}
	return nil
}

// between is the place of a part of an arrow.
func between(p, q point) rect {
	return rect{left: min(p.x, q.x) - 1, top: min(p.y, q.y) - 1, right: max(p.x, q.x) + 1, bottom: max(p.y, q.y) + 1}
}

func (d *diagram) captions() []caption {
	var all []caption
	for _, f := range d.frames {
		all = append(all, f.label)
	}
	for _, a := range d.arrows {
		all = append(all, a.labels...)
	}
	return all
}

func (d *diagram) checkCaptions() error {
	all := d.captions()
	for i, c := range all {
		if picture := (rect{0, 0, d.width, d.height}); !picture.contains(c.rect) {
			return at(c.line, "the label does not fit into the picture")
		}
		for _, b := range d.boxes {
			if c.overlaps(b.rect) {
				return at(c.line, "the label lies upon box %s", b.id)
			}
		}
		for _, f := range d.frames {
			if c.overlaps(f.rect) && !f.contains(c.rect) {
				return at(c.line, "the label lies upon the edge of the frame of line %d", f.line)
			}
		}
		for _, other := range all[:i] {
			if c.overlaps(other.rect) {
				return at(c.line, "the label lies upon that of line %d", other.line)
			}
		}
	}
	return nil
}
