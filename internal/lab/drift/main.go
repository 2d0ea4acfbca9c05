// Drift compares what is known of Crisp with the newest official SDK for Node: it fails
// if that has events or routes which spec/asyncapi.yaml and spec/openapi.yaml have not.
//
//	go run ./internal/lab/drift                     gets the newest crisp-api by npm
//	go run ./internal/lab/drift -version 11.3.0     gets that version
//	go run ./internal/lab/drift -package FOLDER     reads one that is there, unpacked
//
// It compares the lists that go generate has made of the documents. What only these
// have is printed, and is no failure: Crisp goes on sending what it no longer lists.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "drift:", err)
		os.Exit(1)
	}
}

var errDrift = errors.New("the SDK has what the documents have not: describe it there, as CONTRIBUTING.md says")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("drift", flag.ContinueOnError)
	folder := flags.String("package", "", "the folder of an unpacked crisp-api; without, npm gets one")
	version := flags.String("version", "latest", "the version that npm gets")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *folder == "" {
		temporary, err := os.MkdirTemp("", "crisp-drift-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary) //nolint:errcheck // it is temporary
		if *folder, err = get(ctx, temporary, *version); err != nil {
			return err
		}
	}
	theirs, err := read(*folder)
	if err != nil {
		return err
	}
	ours := documented()
	fmt.Fprintf(out, "crisp-api %s: %d events, %d routes\n", theirs.version, len(theirs.events), len(theirs.routes))
	fmt.Fprintf(out, "documented: %d events, %d routes\n", len(ours.events), len(ours.routes))
	added := tell(out, "a new event", theirs.events, ours.events) + tell(out, "a new route", theirs.routes, ours.routes)
	tell(out, "only documented", ours.events, theirs.events)
	tell(out, "only documented", ours.routes, theirs.routes)
	if added > 0 {
		return errDrift
	}
	return nil
}

// tell writes what is in a list and not in the other, and returns how much it is.
func tell(out io.Writer, what string, list, other set) (n int) {
	for _, name := range list.sorted() {
		if !other[name] {
			fmt.Fprintf(out, "%s: %s\n", what, name)
			n++
		}
	}
	return n
}
