package plot

import (
	"fmt"
	"strings"
)

// Lines is a picture of how values grow, along an axis whose places are as far
// apart as their names come.
type Lines struct {
	Title string
	X, Y  string // units
	Names []string
	Lines []Line
}

// Line has a value for each name of the picture.
type Line struct {
	Name   string
	Values []Value
}

// SVG draws the lines, and the quartiles at each value.
func (l Lines) SVG() ([]byte, error) {
	const height, left, right, legend = 360, 64, 40, 20
	var values []float64
	for _, line := range l.Lines {
		for _, v := range line.Values {
			values = append(values, v.Low, v.Median, v.High)
		}
	}
	const top, bottom = head + legend + 10, height - foot
	a := newAxis(values, bottom, top)
	d := newDrawing(l.Title, subtitle(a), height)
	for _, tick := range a.ticks() {
		d.line("grid", left, a.at(tick), width-right, a.at(tick))
		d.write("faint", "end", left-8, a.at(tick)+4, short(tick))
	}
	place := func(i int) float64 {
		const inset = 30
		return left + inset + float64(i)*float64(width-left-right-2*inset)/float64(max(1, len(l.Names)-1))
	}
	for i, name := range l.Names {
		d.write("faint", "middle", place(i), bottom+16, name)
	}
	d.write("faint", "middle", (left+width-right)/2, bottom+34, l.X)
	d.write("faint", "start", margin, top-8, l.Y)
	d.line("axis", left, bottom, width-right, bottom)
	for i := range l.Lines {
		l.drawLine(d, a, place, i)
	}
	return d.svg()
}

func (l Lines) drawLine(d *drawing, a axis, place func(int) float64, n int) {
	const radius, lane, above, below = 3.5, 200, -7, 15
	line := l.Lines[n]
	var path strings.Builder
	for i, v := range line.Values {
		x, y := place(i), a.at(v.Median)
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, x, y)
	}
	d.Shapes = append(d.Shapes, shape{fmt.Sprintf("line%d", n), path.String()})
	for i, v := range line.Values {
		x, y := place(i), a.at(v.Median)
		whiskers(d, func(value, across float64) (float64, float64) { return x + across, a.at(value) }, v)
		d.box(fmt.Sprintf("dot%d", n), x-radius, y-radius, x+radius, y+radius)
		if l.highest(n, i) {
			d.write("", "middle", x, a.at(v.High)+above, exact(v.Median))
		} else {
			d.write("", "middle", x, a.at(v.Low)+below, exact(v.Median))
		}
	}
	key := float64(width/2 + n*lane)
	d.line(fmt.Sprintf("line%d", n), key, head+4, key+30, head+4)
	d.write("", "start", key+38, head+8, line.Name)
}

// highest reports whether no line is above line n at value i.
func (l Lines) highest(n, i int) bool {
	for other, line := range l.Lines {
		if other != n && line.Values[i].Median > l.Lines[n].Values[i].Median {
			return false
		}
	}
	return true
}
