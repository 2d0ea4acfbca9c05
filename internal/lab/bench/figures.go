package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// figures is all that a run has measured, for later ones to be compared with.
type figures struct {
	Go     string
	CPUs   int
	Rounds int
	Events int
	Rows   []row
}

// row is a row of a table: a client that was measured.
type row struct {
	Table   string
	Name    string
	Trouble string            `json:",omitempty"` // why there are no values
	Values  map[string]figure `json:",omitempty"`
	Samples []usage           `json:",omitempty"` // a round each
}

func newFigures(opt options) *figures {
	return &figures{Go: runtime.Version(), CPUs: runtime.NumCPU(), Rounds: opt.rounds, Events: opt.events}
}

func (f *figures) add(table, name string, r row) {
	r.Table, r.Name = table, name
	f.Rows = append(f.Rows, r)
}

// Names of values, each per event.
const (
	cpuRatio  = "cpu_ratio" // to the floor
	allocs    = "allocs"
	allocated = "bytes"
)

// figures are what is kept of a result.
func (r result) figures() row {
	if r.trouble != "" {
		return row{Trouble: r.trouble}
	}
	return row{Samples: r.samples, Values: map[string]figure{
		"cpu_seconds":        r.cpu,
		cpuRatio:             r.ratio,
		"events_per_second":  r.rate,
		"events_ratio":       r.speed,
		allocs:               r.allocs,
		allocated:            r.bytes,
		"out_of_order_share": r.disordered,
	}}
}

// MarshalJSON writes the median with the quartiles around it.
func (f figure) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]float64{"q1": f.low, "median": f.median, "q3": f.high})
}

// UnmarshalJSON reads that.
func (f *figure) UnmarshalJSON(text []byte) error {
	var v struct{ Q1, Median, Q3 float64 }
	err := json.Unmarshal(text, &v)
	*f = figure{v.Median, v.Q1, v.Q3}
	return err
}

// write writes the figures to a file; an empty name = none.
func (f *figures) write(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// compare prints how the values of two runs differ: those of clients that both
// have measured.
func compare(w io.Writer, before, after string) error {
	old, err := readFigures(before)
	if err != nil {
		return err
	}
	recent, err := readFigures(after)
	if err != nil {
		return err
	}
	known := make(map[[2]string]row)
	for _, r := range old.Rows {
		known[[2]string{r.Table, r.Name}] = r
	}
	fmt.Fprint(w, "| table | client | CPU × floor, before | after | allocs | after | bytes | after |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range recent.Rows {
		was, ok := known[[2]string{r.Table, r.Name}]
		if !ok || len(was.Samples) == 0 || len(r.Samples) == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %s |", r.Table, r.Name)
		for _, value := range []string{cpuRatio, allocs, allocated} {
			fmt.Fprintf(w, " %s | %s |", significant(was.Values[value].median), significant(r.Values[value].median))
		}
		fmt.Fprintln(w)
	}
	return nil
}

func readFigures(file string) (figures, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return figures{}, err
	}
	var f figures
	if err := json.Unmarshal(text, &f); err != nil {
		return figures{}, errors.Join(fmt.Errorf("%s has no figures", file), err)
	}
	return f, nil
}
