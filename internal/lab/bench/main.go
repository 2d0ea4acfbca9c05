// Bench measures what events cost, from the socket to the handler, beside the
// floors and the clients of others, and prints the tables of
// docs/performance.md as Markdown.
//
//	go -C internal/lab/bench run . [flags] [table…]
//	go -C internal/lab/bench run . compare BEFORE.json AFTER.json
//
// Without arguments it makes all tables; -plots draws them, and -json keeps the
// figures of a run, two of which can be compared. Servers and clients run in processes of
// their own, and a client's CPU time is what its process has used, so that the
// server counts for nothing. Clients take turns, round by round; figures are
// medians over the rounds, ratios are medians of each round's ratio. It runs
// on UNIX.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	rounds   int
	events   int
	profiles string
	plots    string
	figures  string
	page     string
	sdk      string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 0 && args[0] == "serve":
		return serve(args[1:])
	case len(args) == 2 && args[0] == "client":
		return client(args[1])
	case len(args) == 2 && args[0] == "serve-hooks":
		return serveHooks(args[1])
	case len(args) == 3 && args[0] == "compare":
		return compare(os.Stdout, args[1], args[2])
	}
	var opt options
	flag.IntVar(&opt.rounds, "rounds", 7, "how often each client reads its stream")
	flag.IntVar(&opt.events, "events", 200_000, "how many events of about 600 bytes a stream has")
	flag.StringVar(&opt.profiles, "cpuprofiles", "", "write the CPU profile of each client in Go to this `folder`")
	flag.StringVar(&opt.plots, "plots", "", "draw the tables as SVG files in this `folder`")
	flag.StringVar(&opt.figures, "json", "", "write all figures to this `file`, for the command compare")
	flag.StringVar(&opt.page, "page", "", "put the tables that this `file` has marks for, as docs/performance.md does, in there, too")
	flag.StringVar(&opt.sdk, "go-sdk", "", "also measure the official Go SDK, of which this `folder` has a checkout; it needs port 80")
	flag.Parse()
	return printTables(os.Stdout, opt, flag.Args())
}

func printTables(w io.Writer, opt options, names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	server, stopServer, err := startServer(ctx, opt)
	if err != nil {
		return err
	}
	defer stopServer()
	b := bench{options: opt, server: server, work: work, record: newFigures(opt)}
	for _, t := range tables() {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		if err := b.printTable(ctx, w, t); err != nil {
			return err
		}
	}
	return b.record.write(opt.figures)
}

func (b bench) printTable(ctx context.Context, w io.Writer, t table) error {
	fmt.Fprintln(os.Stderr, "==", t.name)
	began := time.Now()
	var text bytes.Buffer
	if err := t.print(b, ctx, io.MultiWriter(w, &text)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s took %s\n", t.name, time.Since(began).Round(time.Second))
	if b.page == "" {
		return nil
	}
	return embedIn(b.page, t.name, text.String())
}

// startServer starts the child process that serves streams.
func startServer(ctx context.Context, opt options) (url string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "serve") //nolint:gosec // this program
	if opt.sdk != "" {
		cmd.Args = append(cmd.Args, sdkAddress)
	}
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
