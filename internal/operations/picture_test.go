//go:build !race

package operations

import (
	"encoding/xml"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/pictures.sh draws the picture of docs/operations.md with it.
var pictureFile = flag.String("picture", "", "file to draw the dashboard into, as SVG")

const (
	cellWidth, cellHeight = 50, 24 // of Grafana's grid, in pixels
	pictureTop            = 40
)

var colours = []string{"#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0"}

// TestPicture draws the dashboard by its own queries over an evening. Where no file is asked for, it only looks whether the picture
// can be read.
func TestPicture(t *testing.T) {
	picture := draw(t)
	require.NoError(t, xml.Unmarshal([]byte(picture), new(struct{})))
	assert.Greater(t, strings.Count(picture, "<polyline"), 30)
	if *pictureFile != "" {
		require.NoError(t, os.WriteFile(*pictureFile, []byte(picture), 0o644))
	}
}

func draw(t *testing.T) string {
	t.Helper()
	_, panels := readDashboard(t)
	h, engine := evening()(t), newEngine()
	defer func() { assert.NoError(t, engine.Close()) }()
	from, to := h.samples[0].at, h.samples[len(h.samples)-1].at
	var b strings.Builder
	height := 0
	for _, p := range panels {
		height = max(height, (p.GridPos.Y+p.GridPos.H)*cellHeight)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", 24*cellWidth, height+pictureTop+8)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#111217"/>`+"\n")
	fmt.Fprintf(&b, `<text x="12" y="25" fill="#ccccdc" font-size="16">Crisp</text><text x="70" y="25" fill="#8e8e99">an evening with faults, %s, drawn from the queries of dashboard.json</text>`+"\n",
		to.Sub(from).Round(time.Minute))
	for _, p := range panels {
		drawPanel(t, &b, p, func(expr string) promql.Matrix { return series(t, engine, h, expr) }, from, to)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// line is a time series in a panel.
type line struct {
	legend string
	points []promql.FPoint
}

func drawPanel(t *testing.T, b *strings.Builder, p panel, run func(string) promql.Matrix, from, to time.Time) {
	t.Helper()
	x, y := p.GridPos.X*cellWidth, p.GridPos.Y*cellHeight+pictureTop
	if p.Type == "row" {
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#ccccdc" font-size="13">⌄ %s</text>`+"\n", x+12, y+16, escaped(p.Title))
		return
	}
	w, height := p.GridPos.W*cellWidth-8, p.GridPos.H*cellHeight-8
	fmt.Fprintf(b, `<g transform="translate(%d %d)"><rect width="%d" height="%d" rx="3" fill="#181b1f" stroke="#2c2f36"/><text x="8" y="17" fill="#ccccdc">%s</text>`+"\n",
		x+4, y+4, w, height, escaped(p.Title))
	var lines []line
	for _, q := range p.queries(t) {
		for _, s := range run(q.Expr) {
			lines = append(lines, line{legendOf(q.LegendFormat, s.Metric), s.Floats})
		}
	}
	if p.Type == "stat" {
		drawStat(b, lines, w, height)
	} else {
		drawLines(b, lines, p.FieldConfig.Defaults.Unit, w, height, from, to)
	}
	b.WriteString("</g>\n")
}

func legendOf(format string, metric labels.Labels) string {
	return inBraces.ReplaceAllStringFunc(format, func(name string) string { return metric.Get(strings.Trim(name, "{}")) })
}

func drawStat(b *strings.Builder, lines []line, w, height int) {
	value, colour := "no", "#c4162a"
	if points := lines[0].points; points[len(points)-1].F == 1 {
		value, colour = "yes", "#37872d"
	}
	fmt.Fprintf(b, `<rect x="8" y="28" width="%d" height="%d" rx="3" fill="%s"/><text x="%d" y="%d" fill="#fff" font-size="32" text-anchor="middle">%s</text>`+"\n",
		w-16, height-36, colour, w/2, height/2+20, value)
}

// drawLines draws lines with a scale from 0 to the highest value.
func drawLines(b *strings.Builder, lines []line, unit string, w, height int, from, to time.Time) {
	const left, top, bottom, perLegend = 48, 30, 34, 12
	most := 0.0
	for _, l := range lines {
		for _, p := range l.points {
			if !math.IsNaN(p.F) {
				most = max(most, p.F)
			}
		}
	}
	shown := min(len(lines), 4)
	plotW, plotH := float64(w-left-10), float64(height-top-bottom-shown*perLegend)
	for i := range 3 {
		y := float64(top) + plotH*float64(i)/2
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#2c2f36"/><text x="%d" y="%.1f" fill="#8e8e99" font-size="9" text-anchor="end">%s</text>`+"\n",
			left, w-10, y, y, left-4, y+3, inUnit(most*float64(2-i)/2, unit))
	}
	for i, anchor := range []string{"start", "middle", "end"} {
		at := float64(i) / 2
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="#8e8e99" font-size="9" text-anchor="%s">%.0f min</text>`+"\n",
			float64(left)+plotW*at, float64(top)+plotH+12, anchor, to.Sub(from).Minutes()*at)
	}
	for i, l := range lines {
		colour := colours[i%len(colours)]
		for _, points := range unbroken(l.points) {
			var path []string
			for _, p := range points {
				px := float64(left) + plotW*float64(p.T-from.UnixMilli())/float64(to.UnixMilli()-from.UnixMilli())
				py := float64(top) + plotH*(1-p.F/max(most, 1e-9))
				path = append(path, fmt.Sprintf("%.1f,%.1f", px, py))
			}
			fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.2"/>`+"\n", strings.Join(path, " "), colour)
		}
		if i < shown {
			fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s" font-size="9">— %s</text>`+"\n", left, height-shown*perLegend-2+i*perLegend, colour, escaped(cut(l.legend, w/6)))
		}
	}
}

// unbroken are the parts of a line without a missing point.
func unbroken(points []promql.FPoint) (parts [][]promql.FPoint) {
	var part []promql.FPoint
	for _, p := range points {
		broken := len(part) > 0 && p.T-part[len(part)-1].T > interval.Milliseconds()
		if (broken || math.IsNaN(p.F)) && len(part) > 0 {
			parts, part = append(parts, part), nil
		}
		if !math.IsNaN(p.F) {
			part = append(part, p)
		}
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

func inUnit(v float64, unit string) string {
	suffix := map[string]string{"s": " s", "reqps": "/s", "ops": "/s"}[unit]
	if unit == "bytes" {
		v, suffix = v/1024, " KiB"
	}
	return fmt.Sprintf("%.3g%s", v, suffix)
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most-1] + "…"
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // which never fails
	return b.String()
}
