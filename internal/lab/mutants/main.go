// Mutants proves that the tests notice when what docs/reliability.md promises
// is no longer so: it breaks one behaviour of the library after the other, each
// by a small change of the code, and runs the tests that are to fail then. It
// changes nothing in the tree, since the compiler gets each change by way of an
// overlay. It prints a table in Markdown, and fails if a change goes unnoticed.
//
// A row of its tables names the declaration that it breaks, not the file: when
// the declaration moves to another file, the row stays; when it moves to another
// package, one word changes. The tests may be in the declaration's package, in
// the module's folder or in ./test.
//
// Run it in the module's folder:
//
//	go run ./internal/lab/mutants [-only regexp]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("only", "", "run only the mutants whose row of the table matches this regexp")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return judge(ctx, w, matching(mutants, wanted))
}

func matching(all []mutant, wanted *regexp.Regexp) []mutant {
	var some []mutant
	for _, m := range all {
		if wanted.MatchString(m.promise + ": " + m.removed) {
			some = append(some, m)
		}
	}
	return some
}

// judge runs mutants one at a time, lest those tests that measure fail for
// another reason than the mutant.
func judge(ctx context.Context, w io.Writer, some []mutant) error {
	if len(some) == 0 {
		return errors.New("no mutant matches")
	}
	fmt.Fprintln(w, "| promise | behaviour removed | noticed by |")
	fmt.Fprintln(w, "|---|---|---|")
	code := newModule(".")
	bad := 0
	for _, m := range some {
		v, err := m.test(ctx, code)
		if err != nil {
			return fmt.Errorf("%s: %w", m.removed, err)
		}
		if v.outcome != killed {
			bad++
			fmt.Fprintf(os.Stderr, "%s: %s\n%s\n", m.removed, v, v.output)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", m.promise, m.removed, v)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not noticed by a test", bad, len(some))
	}
	return nil
}
