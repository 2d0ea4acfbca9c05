// Package plot draws figures as small SVG pictures, which can be read on light
// and on dark pages.
package plot

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

// Value is a median and the quartiles around it.
type Value struct{ Median, Low, High float64 }

const (
	width  = 760
	margin = 16
	head   = 56 // the title and what is below it
	foot   = 44 // the axis and its unit
)

//go:embed plot.svg.tmpl
var source string

var picture = template.Must(template.New("plot").Parse(source))

// drawing is what the template knows of a picture.
type drawing struct {
	Width, Height int
	Title         string
	Shapes        []shape
	Texts         []text
}

// shape is a path; its class says how it looks.
type shape struct{ Class, Path string }

// text is at a place: its start, middle or end.
type text struct {
	Class, Anchor string
	X, Y          float64
	Text          string
}

func newDrawing(title, subtitle string, height int) *drawing {
	d := &drawing{Width: width, Height: height, Title: title}
	d.write("title", "start", margin, 26, title)
	d.write("faint", "start", margin, 44, subtitle)
	return d
}

func (d *drawing) write(class, anchor string, x, y float64, words string) {
	d.Texts = append(d.Texts, text{class, anchor, x, y, words})
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.Shapes = append(d.Shapes, shape{class, fmt.Sprintf("M%.1f %.1fL%.1f %.1f", x1, y1, x2, y2)})
}

func (d *drawing) box(class string, x1, y1, x2, y2 float64) {
	d.Shapes = append(d.Shapes, shape{class, fmt.Sprintf("M%.1f %.1fH%.1fV%.1fH%.1fz", x1, y1, x2, y2, x1)})
}

// svg is the whole picture.
func (d *drawing) svg() ([]byte, error) {
	var out bytes.Buffer
	err := picture.Execute(&out, d)
	return out.Bytes(), err
}

// short is a number as people write it.
func short(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// exact has the digits that a measurement has.
func exact(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
