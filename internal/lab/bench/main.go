// Bench measures what events cost, from the socket to the handler, beside the
// floors and the official Node SDK, and prints the tables of
// docs/performance.md as Markdown.
//
//	go -C internal/lab/bench run . [flags] [table…]
//
// Without arguments it makes all tables. Servers and clients run in processes of
// their own, and a client's CPU time is what its process has used, so that the
// server counts for nothing. Clients take turns, round by round; figures are
// medians over the rounds, ratios are medians of each round's ratio. It runs
// on UNIX.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

// options are the flags.
type options struct {
	rounds   int
	events   int
	profiles string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) == 2 && args[0] == "client":
		return client(args[1])
	case len(args) == 2 && args[0] == "serve-hooks":
		return serveHooks(args[1])
	}
	var opt options
	flag.IntVar(&opt.rounds, "rounds", 7, "how often each client reads its stream")
	flag.IntVar(&opt.events, "events", 200_000, "how many events of about 600 bytes a stream has")
	flag.StringVar(&opt.profiles, "cpuprofiles", "", "write the CPU profile of each client in Go to this `folder`")
	flag.Parse()
	return printTables(os.Stdout, opt, flag.Args())
}

func printTables(w io.Writer, opt options, names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server, stopServer, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer stopServer()
	for _, t := range tables() {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "==", t.name)
		if err := t.print(bench{server, opt}, ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// startServer starts the child process that serves streams.
func startServer(ctx context.Context) (url string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "serve") //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()
	}
	url, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the server did not start: %w", err)
	}
	return strings.TrimSpace(url), stop, nil
}
