package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/crisp-go/crisp/internal/lab/bench/plot"
)

// picture is what can be drawn.
type picture interface{ SVG() ([]byte, error) }

const (
	timesFloor = "CPU time per event, × floor"
	hookSpeed  = "requests per second, × floor"
)

// draw writes the picture of a table, if it has one and a folder is given.
func (b bench) draw(table string, results []result) error {
	if b.plots == "" {
		return nil
	}
	p := pictureOf(table, results)
	if p == nil {
		return nil
	}
	svg, err := p.SVG()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.plots, table+".svg"), svg, 0o644) //nolint:gosec // everybody may see it
}

func pictureOf(table string, results []result) picture {
	switch table {
	case "readers":
		return bars("A message:send of 600 bytes, from the socket to the handler", timesFloor, results,
			func(r result) figure { return r.ratio })
	case "hooks":
		return bars("A web hook, from the request to the answer", hookSpeed, results, speedOf)
	case "hooks16":
		return bars("A web hook, from the request to the answer, over 16 connections", hookSpeed, results, speedOf)
	case "sizes":
		return sizeLines(results)
	case "concurrency":
		return concurrencyLines(results[1:]) // without the floor
	}
	return nil
}

func speedOf(r result) figure { return r.speed }

func bars(title, unit string, results []result, of func(result) figure) plot.Bars {
	picture := plot.Bars{Title: title, Unit: unit}
	for _, r := range results {
		bar := plot.Bar{Name: shortName(r.name), Own: r.ours(), Value: of(r).asValue()}
		if r.trouble != "" {
			bar = plot.Bar{Name: shortName(r.name), Note: "takes no part"}
		}
		picture.Bars = append(picture.Bars, bar)
	}
	return picture
}

// shortName is a name without the marks of Markdown.
func shortName(name string) string { return strings.NewReplacer("**", "", "`", "").Replace(name) }

func (f figure) asValue() plot.Value { return plot.Value{Median: f.median, Low: f.low, High: f.high} }

// sizeLines has a line for each kind of event, whose results come in the order
// of their sizes.
func sizeLines(results []result) plot.Lines {
	picture := plot.Lines{Title: "Payloads of 200 bytes to 1 MiB", X: "payload", Y: timesFloor}
	for _, r := range results {
		event := r.task.Load.Event
		if n := len(picture.Lines); n == 0 || picture.Lines[n-1].Name != event {
			picture.Lines = append(picture.Lines, plot.Line{Name: event})
		}
		line := &picture.Lines[len(picture.Lines)-1]
		line.Values = append(line.Values, r.ratio.asValue())
		if len(picture.Lines) == 1 {
			picture.Names = append(picture.Names, sizeName(r.task.Load.Size))
		}
	}
	return picture
}

func concurrencyLines(results []result) plot.Lines {
	picture := plot.Lines{Title: "Conversations at a time", X: "conversations at a time", Y: timesFloor}
	line := plot.Line{Name: "message:send, 600 B"}
	for _, r := range results {
		picture.Names = append(picture.Names, strings.TrimSuffix(r.name, " at a time"))
		line.Values = append(line.Values, r.ratio.asValue())
	}
	picture.Lines = []plot.Line{line}
	return picture
}
