package main

import "math"

// All lengths are in pixels of the picture at its natural size.
const (
	maxWidth = 960
	margin   = 40 // around all boxes
	gapX     = 92
	gapY     = 56
	maxBox   = 180 // width

	textPad    = 8 // beside the text of a box
	titleSize  = 13
	textSize   = 11
	titleLine  = 18
	textLine   = 15
	boxPad     = 10 // above and below the text of a box
	frameEdge  = 12 // between a frame and its boxes
	frameTitle = 28 // the same where its label stands
	labelGap   = 8  // between an arrow and the label to its right
	// labelMiddle is how far such a label is below the upper box: between the
	// frames of both.
	labelMiddle = (frameEdge + gapY - frameTitle) / 2
)

type point struct{ x, y int }

type rect struct{ left, top, right, bottom int }

func (r rect) centre() point { return point{(r.left + r.right) / 2, (r.top + r.bottom) / 2} }

func (r rect) overlaps(s rect) bool {
	return r.left < s.right && s.left < r.right && r.top < s.bottom && s.top < r.bottom
}

func (r rect) contains(s rect) bool {
	return r.left <= s.left && s.right <= r.right && r.top <= s.top && s.bottom <= r.bottom
}

func (r rect) union(s rect) rect {
	return rect{min(r.left, s.left), min(r.top, s.top), max(r.right, s.right), max(r.bottom, s.bottom)}
}

// caption is a line of text outside of boxes.
type caption struct {
	rect
	line    int
	text    string
	upwards bool // it reads from below
}

func (d *diagram) place() {
	d.placeBoxes()
	for _, f := range d.frames {
		f.place()
	}
	for _, a := range d.arrows {
		a.place(d.frames)
	}
}

func (d *diagram) placeBoxes() {
	columns, rows := 0, 0
	for _, b := range d.boxes {
		columns, rows = max(columns, b.last), max(rows, b.row)
	}
	heights := make([]int, rows+1)
	for _, b := range d.boxes {
		heights[b.row] = max(heights[b.row], 2*boxPad+titleLine+textLine*len(b.text))
	}
	tops := make([]int, rows+2)
	tops[1] = margin
	for row := 1; row <= rows; row++ {
		tops[row+1] = tops[row] + heights[row] + gapY
	}
	column := min((maxWidth-2*margin-(columns-1)*gapX)/columns, maxBox)
	for _, b := range d.boxes {
		b.rect = rect{
			left:   margin + (b.first-1)*(column+gapX),
			right:  margin + (b.last-1)*(column+gapX) + column,
			top:    tops[b.row],
			bottom: tops[b.row] + heights[b.row],
		}
	}
	d.width = 2*margin + columns*column + (columns-1)*gapX
	d.height = tops[rows+1] - gapY + margin
}

// place has the label of a frame above its boxes, or to their left if it has
// several rows: there the arrows from above would cross it.
func (f *frame) place() {
	f.rect = f.boxes[0].rect
	upwards := false
	for _, b := range f.boxes {
		f.rect = f.union(b.rect)
		upwards = upwards || b.row != f.boxes[0].row
	}
	f.right += frameEdge
	f.bottom += frameEdge
	long, thick := width(f.label.text, textSize, true), textLine
	if upwards {
		f.left, f.top = f.left-frameTitle, f.top-frameEdge
		f.label.rect = rect{left: f.left + 7, top: f.top + frameEdge, right: f.left + 7 + thick, bottom: f.top + frameEdge + long}
		f.label.upwards = true
	} else {
		f.left, f.top = f.left-frameEdge, f.top-frameTitle
		f.label.rect = rect{left: f.left + frameEdge, top: f.top + 7, right: f.left + frameEdge + long, bottom: f.top + 7 + thick}
	}
}

func (a *arrow) place(frames []*frame) {
	from, to := a.from.centre(), a.to.centre()
	switch {
	case a.shape == acrossFirst:
		a.points = []point{{sideX(a.from, to.x), from.y}, {to.x, from.y}, {to.x, sideY(a.to, from.y)}}
	case a.shape == downFirst:
		a.points = []point{{from.x, sideY(a.from, to.y)}, {from.x, to.y}, {sideX(a.to, from.x), to.y}}
	case a.from.row == a.to.row:
		a.points = []point{{sideX(a.from, to.x), from.y}, {sideX(a.to, from.x), from.y}}
	default:
		x := (max(a.from.left, a.to.left) + min(a.from.right, a.to.right)) / 2
		a.points = []point{{x, sideY(a.from, to.y)}, {x, sideY(a.to, from.y)}}
	}
	for i, text := range a.text {
		a.labels = append(a.labels, caption{line: a.line, text: text, rect: a.labelPlace(i, width(text, textSize, false), frames)})
	}
}

// sideX is the side of a box towards x, sideY that towards y.
func sideX(b *box, x int) int {
	if x < b.left {
		return b.left
	}
	return b.right
}

func sideY(b *box, y int) int {
	if y < b.top {
		return b.top
	}
	return b.bottom
}

// labelPlace is where the i-th line of a label stands: above and below the part
// of the arrow that goes across, or to the right of one that does not, in the
// gap below the upper box.
func (a *arrow) labelPlace(i, long int, frames []*frame) rect {
	for k, p := range a.points[1:] {
		if p.y != a.points[k].y {
			continue
		}
		part := between(p, a.points[k])
		for _, f := range frames {
			part = part.outside(f.rect)
		}
		x, top := part.centre().x, p.y-3-textLine
		if i > 0 {
			top = p.y + 3
		}
		return rect{left: x - long/2, top: top, right: x - long/2 + long, bottom: top + textLine}
	}
	left := a.points[0].x + labelGap
	upper := min(a.points[0].y, a.points[1].y)
	top := upper + labelMiddle - textLine*len(a.text)/2 + textLine*i
	return rect{left: left, top: top, right: left + long, bottom: top + textLine}
}

// outside is what of a level line lies outside of a frame, if that has one of
// its ends.
func (r rect) outside(f rect) rect {
	if !r.overlaps(f) {
		return r
	}
	if f.left <= r.left && f.right < r.right {
		r.left = f.right
	} else if r.right <= f.right && r.left < f.left {
		r.right = f.left
	}
	return r
}

// width is that of a text in DejaVu Sans, which is wider than most of what
// stands for sans-serif.
func width(text string, size int, bold bool) int {
	hundredths := 0
	for _, r := range text {
		if r >= ' ' && r <= '~' {
			hundredths += advance[r-' ']
		} else {
			hundredths += 100
		}
	}
	w := float64(hundredths*size) / 100
	if bold {
		w *= 1.15
	}
	return int(math.Ceil(w))
}

// advance has the widths of the printable characters of ASCII, in hundredths of
// the size.
var advance = [...]int{
	32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34,
	64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53,
	100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79,
	60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50,
	50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61,
	63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
}
