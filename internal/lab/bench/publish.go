package main

import (
	"fmt"
	"io"
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
	_, err := fmt.Fprintf(w, "\n| %s | CPU µs/event | × floor | events/s | × floor | allocs/event | bytes/event |\n"+
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
		return fmt.Sprintf("| %s | takes no part: %s | | | | | |", r.name, r.trouble)
	}
	name := r.name
	if r.disordered.median > 0 {
		name += fmt.Sprintf(", %.0f %% of the events out of order", r.disordered.median*100)
	}
	return fmt.Sprintf("| %s | %s ± %.0f%% | %.2f | %.0f | %.2f | %s | %s |", name,
		significant(r.cpu.median*1e6), r.cpu.spread()*100, r.ratio.median, r.rate.median, r.speed.median,
		r.perEvent(r.allocs), r.perEvent(r.bytes))
}

// perEvent is a figure that only clients in Go tell.
func (r result) perEvent(f figure) string {
	if len(r.samples) > 0 && r.samples[0].Allocs == 0 {
		return "–"
	}
	return significant(f.median)
}

// significant shows as many digits as a measurement has.
func significant(value float64) string {
	switch {
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.0f", value)
	}
}
