// Arrows counts the structure of a module: which of its files point at which,
// and which of its packages. A file points at another one of its package if it
// uses something that is declared there: a function, a type, a constant, a
// variable, a method or a field. A knot is a set of files each of which reaches
// all others by such arrows.
//
//	go run ./internal/lab/arrows [-files] [-all] [-strict] [-except package] [folder of the module]
//
// It fails if a package of a lower layer imports one of an upper, also by way of
// others; with -strict also if a knot is more than the methods of one type, in any
// package but the excepted.
// Generated files and tests do not count.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("arrows", flag.ContinueOnError)
	files := flags.Bool("files", false, "print the arrows of each file, too")
	all := flags.Bool("all", false, "count programs, too")
	strict := flags.Bool("strict", false, "fail if a knot is more than the methods of one type")
	except := flags.String("except", "", "a package in which -strict lets knots be")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("%d arguments: at most one is needed, the folder of a module", flags.NArg())
	}
	packages, err := load(flags.Arg(0))
	if err != nil {
		return err
	}
	if !*all {
		packages = slices.DeleteFunc(packages, func(p *pkg) bool { return p.program })
	}
	printTable(w, packages)
	printImports(w, packages)
	if *files {
		printFiles(w, packages)
	}
	err = checkLayers(packages)
	if *strict {
		err = errors.Join(err, checkKnots(packages, *except))
	}
	return err
}
