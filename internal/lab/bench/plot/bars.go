package plot

import (
	"fmt"
	"strings"
)

// Bars is a picture with a bar for each of some values. Where they differ a lot,
// its scale is logarithmic, and the bars start at one.
type Bars struct {
	Title string
	Unit  string
	Bars  []Bar
}

// Bar is a value with its name. One without a value has a note instead.
type Bar struct {
	Name  string
	Value Value
	Own   bool // stands out
	Note  string
}

// SVG draws the bars, and a line from quartile to quartile over each.
func (b Bars) SVG() ([]byte, error) {
	const names, numbers, rowHeight, thickness = 330, 70, 28, 16
	var values []float64
	for _, bar := range b.Bars {
		values = append(values, bar.Value.Low, bar.Value.Median, bar.Value.High)
	}
	a := newAxis(values, names, width-numbers)
	bottom := float64(head + rowHeight*len(b.Bars))
	d := newDrawing(b.Title, subtitle(a), int(bottom)+foot)
	for _, tick := range a.ticks() {
		d.line("grid", a.at(tick), head, a.at(tick), bottom)
		d.write("faint", "middle", a.at(tick), bottom+16, short(tick))
	}
	d.write("faint", "middle", (a.start+a.end)/2, bottom+34, b.Unit)
	start := a.start
	if a.log {
		start = a.at(1)
	}
	for i, bar := range b.Bars {
		middle := float64(head+rowHeight*i) + rowHeight/2
		bar.draw(d, a, start, middle, thickness)
	}
	d.line("axis", start, head, start, bottom)
	return d.svg()
}

func (bar Bar) draw(d *drawing, a axis, start, middle, thickness float64) {
	const baseline, lineHeight, letters = 4, 13, 48
	class, name := "bar", ""
	if bar.Own {
		class, name = "own", "strong"
	}
	words := fold(bar.Name, letters)
	for i, line := range words {
		d.write(name, "end", a.start-10, middle+baseline+lineHeight*(float64(i)-float64(len(words)-1)/2), line)
	}
	if bar.Note != "" {
		d.write("faint", "start", start+8, middle+baseline, bar.Note)
		return
	}
	v := bar.Value
	d.box(class, start, middle-thickness/2, a.at(v.Median), middle+thickness/2)
	whiskers(d, func(value, across float64) (x, y float64) { return a.at(value), middle + across }, v)
	d.write(name, "start", max(a.at(v.High), start)+8, middle+baseline, exact(v.Median))
}

// whiskers draws the line from quartile to quartile, with its two ends.
func whiskers(d *drawing, place func(value, across float64) (x, y float64), v Value) {
	const end = 4
	path := ""
	for _, part := range [][4]float64{{v.Low, 0, v.High, 0}, {v.Low, -end, v.Low, end}, {v.High, -end, v.High, end}} {
		x1, y1 := place(part[0], part[1])
		x2, y2 := place(part[2], part[3])
		path += fmt.Sprintf("M%.1f %.1fL%.1f %.1f", x1, y1, x2, y2)
	}
	d.Shapes = append(d.Shapes, shape{"range", path})
}

func subtitle(a axis) string {
	const quartiles = "medians; the thin lines reach from quartile to quartile"
	if a.log {
		return quartiles + "; logarithmic scale"
	}
	return quartiles
}

// fold breaks words into lines of so many letters at most.
func fold(words string, letters int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(words) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= letters:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
