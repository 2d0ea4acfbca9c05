package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

const style = `<style>
  text { font: 11px Helvetica, Arial, sans-serif; fill: #4a5361; }
  .title { font-size: 13px; font-weight: bold; fill: #1b2430; }
  .box { fill: #ffffff; stroke: #44546a; stroke-width: 1.2; }
  .outside { fill: #eceff3; stroke: #8a94a3; stroke-width: 1.2; stroke-dasharray: 5 3; }
  .frame { stroke-width: 1.2; }
  .framed { font-weight: bold; }
  .arrow { fill: none; stroke: #44546a; stroke-width: 1.4; }
  .label { font-style: italic; }
</style>
<defs>
  <marker id="tip" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
    <path d="M0 1 10 5 0 9z" fill="#44546a"/>
  </marker>
</defs>
`

// tints are the colours of frames, which take turns: the area, the edge, the
// label.
var tints = [...][3]string{
	{"#eef4fd", "#8fb4e3", "#2f5d99"},
	{"#eef8ef", "#8cc79a", "#2f7040"},
	{"#fdf5e6", "#e0b96a", "#855a0c"},
	{"#f6f0fc", "#bba0dd", "#664299"},
}

// svg draws a diagram on a ground of its own, since the page that shows it may
// be dark.
func (d *diagram) svg() string {
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", d.width, d.height)
	if d.title != "" {
		fmt.Fprintf(&s, "<title>%s</title>\n", escape(d.title))
	}
	s.WriteString(style)
	fmt.Fprintf(&s, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="12" fill="#ffffff" stroke="#d5dae1"/>`+"\n", d.width-1, d.height-1)
	for i, f := range d.frames {
		tint := tints[i%len(tints)]
		s.WriteString(f.svg(fmt.Sprintf(`class="frame" rx="10" fill="%s" stroke="%s"`, tint[0], tint[1])))
		s.WriteString(f.label.svg(fmt.Sprintf(`class="framed" style="fill: %s"`, tint[2])))
	}
	for _, a := range d.arrows {
		s.WriteString(a.svg())
	}
	for _, b := range d.boxes {
		s.WriteString(b.svg())
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (r rect) svg(attributes string) string {
	return fmt.Sprintf(`<rect x="%d" y="%d" width="%d" height="%d" %s/>`+"\n", r.left, r.top, r.right-r.left, r.bottom-r.top, attributes)
}

func (b *box) svg() string {
	class := "box"
	if b.outside {
		class = "outside"
	}
	s := b.rect.svg(fmt.Sprintf(`class="%s" rx="6"`, class))
	middle := b.centre()
	top := middle.y - (titleLine+textLine*len(b.text))/2
	s += text(middle.x, top+13, `class="title" text-anchor="middle"`, b.title)
	for i, line := range b.text {
		s += text(middle.x, top+titleLine+11+textLine*i, `text-anchor="middle"`, line)
	}
	return s
}

func (a *arrow) svg() string {
	path := ""
	for i, p := range a.points {
		path += fmt.Sprintf("%c%d %d", "ML"[min(i, 1)], p.x, p.y)
	}
	s := fmt.Sprintf(`<path class="arrow" d="%s" marker-end="url(#tip)"/>`+"\n", path)
	for _, label := range a.labels {
		s += label.svg(`class="label"`)
	}
	return s
}

// svg puts the text into the middle of its place, since fonts differ in width.
func (c caption) svg(attributes string) string {
	middle := c.centre()
	x, y := middle.x, c.top+11
	attributes += ` text-anchor="middle"`
	if c.upwards {
		x, y = c.left+11, middle.y
		attributes += fmt.Sprintf(` transform="rotate(-90 %d %d)"`, x, y)
	}
	return text(x, y, attributes, c.text)
}

func text(x, y int, attributes, content string) string {
	return fmt.Sprintf(`<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, attributes, escape(content))
}

func escape(s string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(s)) // a Builder takes all
	return escaped.String()
}
