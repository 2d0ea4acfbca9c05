package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

func printTable(w io.Writer, packages []*pkg) {
	fmt.Fprintln(w, "| package | hand-written files | arrows | pairs that point at each other | files in the largest knot | knots |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---|")
	for _, p := range packages {
		if len(p.files) == 0 {
			continue
		}
		all, pairs := p.arrows.size()
		largest := 0
		var told []string
		for _, knot := range p.knots() {
			largest = max(largest, len(knot))
			what := strings.Join(knot, " ")
			if owner := p.owner(knot); owner != "" {
				what = fmt.Sprintf("%d files: methods of %s", len(knot), owner)
			}
			told = append(told, what)
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %s |\n", p.name, len(p.files), all, pairs, largest, strings.Join(told, "; "))
	}
}

func printImports(w io.Writer, packages []*pkg) {
	fmt.Fprintln(w)
	for _, p := range packages {
		if len(p.imports) > 0 {
			fmt.Fprintf(w, "* %s → %s\n", p.name, strings.Join(p.imports, ", "))
		}
	}
}

func printFiles(w io.Writer, packages []*pkg) {
	const most = 5
	for _, p := range packages {
		if len(p.arrows) > 0 {
			fmt.Fprintf(w, "\n## %s\n\n", p.name)
		}
		for _, from := range slices.Sorted(maps.Keys(p.arrows)) {
			for _, to := range slices.Sorted(maps.Keys(p.arrows[from])) {
				names := p.arrows[from][to]
				if more := len(names) - most; more > 0 {
					names = append(names[:most:most], fmt.Sprintf("and %d more", more))
				}
				fmt.Fprintf(w, "* %s → %s: %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}
}

const root = "root"

// layers are in the order in which each may import those behind it.
var layers = []string{root, "internal/backfill", "internal/delivery", "internal/payload"}

func checkLayers(packages []*pkg) error {
	imports := make(map[string][]string)
	for _, p := range packages {
		imports[p.name] = p.imports
	}
	var errs []error
	for i, lower := range layers {
		for _, upper := range layers[:i] {
			if way := wayTo(upper, lower, imports); way != nil {
				errs = append(errs, fmt.Errorf("a lower layer imports an upper one: %s", strings.Join(way, " → ")))
			}
		}
	}
	return errors.Join(errs...)
}

// wayTo is a shortest way by imports, with both ends; nil if there is none. The
// go command has seen to it that they make no circle.
func wayTo(to, from string, imports map[string][]string) []string {
	if from == to {
		return []string{to}
	}
	var shortest []string
	for _, next := range imports[from] {
		if way := wayTo(to, next, imports); way != nil && (shortest == nil || len(way) < len(shortest)) {
			shortest = way
		}
	}
	if shortest == nil {
		return nil
	}
	return append([]string{from}, shortest...)
}

func checkKnots(packages []*pkg, except string) error {
	var errs []error
	for _, p := range packages {
		for _, knot := range p.knots() {
			if p.owner(knot) == "" && p.name != except {
				errs = append(errs, fmt.Errorf("%s has a knot that is more than the methods of one type: %s", p.name, strings.Join(knot, " ")))
			}
		}
	}
	return errors.Join(errs...)
}
