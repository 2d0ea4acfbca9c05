package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// publish prints a table, draws it, and keeps its figures.
func (b bench) publish(w io.Writer, table, title string, results []result) error {
	for _, r := range results {
		b.record.add(table, r.name, r.figures())
	}
	if err := b.draw(table, results); err != nil {
		return err
	}
	return printResults(w, title, results)
}

// printResults prints a table. The title is that of its first column.
func printResults(w io.Writer, title string, results []result) error {
	_, err := fmt.Fprintf(w, "\n| %s | CPU µs/event | × floor (quartiles) | events/s | × floor | allocs/event | bytes/event |\n"+
		"|---|--:|--:|--:|--:|--:|--:|\n", title)
	for _, r := range results {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, r.row())
	}
	return err
}

func (r result) row() string {
	if r.trouble != "" {
		return fmt.Sprintf("| %s | out: %s | | | | | |", r.name, strings.ReplaceAll(r.trouble, "|", `\|`))
	}
	name := r.name
	if r.disordered.median > 0 {
		name += fmt.Sprintf(", %.0f %% of the events not right behind the one sent before", r.disordered.median*100)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %.2f | %s | %s |", name,
		significant(r.cpu.median*1e6), r.ratio.withQuartiles(), significant(r.rate.median), r.speed.median,
		r.perEvent(r.allocs), r.perEvent(r.bytes))
}

// withQuartiles shows the quartiles where they differ.
func (f figure) withQuartiles() string {
	text := fmt.Sprintf("%.2f", f.median)
	low, high := fmt.Sprintf("%.2f", f.low), fmt.Sprintf("%.2f", f.high)
	if low == high {
		return text
	}
	return fmt.Sprintf("%s (%s – %s)", text, low, high)
}

// perEvent is a figure that only clients in Go tell.
func (r result) perEvent(f figure) string {
	if len(r.samples) > 0 && r.samples[0].Allocs == 0 {
		return "–"
	}
	return significant(f.median)
}

// significant shows about as many digits as a measurement has.
func significant(value float64) string {
	switch {
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	case value < 10_000:
		return grouped(int64(math.Round(value)))
	default:
		unit := math.Pow(10, math.Floor(math.Log10(value))-2)
		return grouped(int64(math.Round(value/unit) * unit))
	}
}

// grouped writes a number with a comma before each three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
