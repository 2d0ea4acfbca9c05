// Release prepares the modules of this repository for their users, who can't do with
// what a checkout has: in it, modules find each other by replace directives, with which
// a command can't be installed.
//
//	go run -C internal/lab/release . list              the modules that are published, in the order of their release
//	go run -C internal/lab/release . rehearse          releases them into a folder, and uses them from there as users do
//	go run -C internal/lab/release . api               tells what breaks programs that use the last release
//	go run -C internal/lab/release . vulnerabilities   tells of calls of what is known to be vulnerable
//	go run -C internal/lab/release . tag v0.2.0        makes the commit and the tags of a release, and pushes nothing
//	go run -C internal/lab/release . licenses          writes docs/licenses.md to stdout
//	go run -C internal/lab/release . binaries FOLDER   builds the commands, with checksums and what they are made of
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	root := flags.String("root", "../../..", "the folder of the repository")
	keep := flags.String("proxy", "", "the folder to release into when rehearsing, which is kept; without, a temporary one")
	database := flags.String("db", "https://vuln.go.dev", "the database of vulnerabilities")
	if err := flags.Parse(args); err != nil {
		return err
	}
	modules, err := findModules(*root)
	if err != nil {
		return err
	}
	switch args := flags.Args(); {
	case len(args) == 1 && args[0] == "list":
		for _, m := range modules.published() {
			fmt.Println(m.path)
		}
		return nil
	case len(args) == 1 && args[0] == "rehearse":
		return rehearse(ctx, *root, modules, *keep)
	case len(args) == 1 && args[0] == "api":
		return compareAPI(ctx, os.Stdout, *root, modules)
	case len(args) == 1 && args[0] == "vulnerabilities":
		return checkVulnerabilities(ctx, os.Stdout, *root, modules, *database)
	case len(args) == 1 && args[0] == "licenses":
		return writeLicenses(ctx, os.Stdout, *root, modules)
	case len(args) == 2 && args[0] == "binaries":
		return binaries(ctx, *root, modules, platforms, args[1])
	case len(args) == 2 && args[0] == "tag":
		return tag(ctx, *root, modules, args[1])
	default:
		return errors.New("one of list, rehearse, api, vulnerabilities, licenses, binaries FOLDER and tag VERSION is needed")
	}
}
