// Outage measures how long it takes from a server's return to the first event,
// for this library and for the official Node SDK at the same outages, and
// prints a table in Markdown. The server is killed, REST and RTM, and comes back
// at the same address after a while; in between, connections are refused. It
// needs Node and npm for the SDK, and does without it otherwise.
//
//	go run ./internal/lab/outage [-rounds 10] [-down 3s]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(args) == 2 && args[0] == "client" {
		return client(ctx, args[1])
	}
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	rounds := flags.Int("rounds", 10, "how many outages")
	down := flags.Duration("down", 3*time.Second, "how long the server is away")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return compare(ctx, *rounds, *down, os.Stdout)
}

// settled is how long clients are left in peace between two outages, so that
// none of them takes the next for the same one.
const settled = 10 * time.Second

// patience is how long a client may take to come back.
const patience = 2 * time.Minute

func compare(ctx context.Context, rounds int, down time.Duration, w io.Writer) error {
	server, err := startServer()
	if err != nil {
		return err
	}
	defer server.close()
	clients, err := startClients(ctx, server)
	if err != nil {
		return err
	}
	defer func() {
		for _, c := range clients {
			c.stop()
		}
	}()
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "outage %d of %d\n", round+1, rounds)
		if err := outage(ctx, server, clients, down); err != nil {
			return err
		}
	}
	return report(w, clients, down)
}

// outage kills the server once, and measures who is back when.
func outage(ctx context.Context, server *server, clients []*contestant, down time.Duration) error {
	for _, c := range clients {
		if _, err := c.firstSince(ctx, time.Now()); err != nil {
			return err
		}
	}
	if err := wait(ctx, settled); err != nil {
		return err
	}
	server.kill()
	if err := wait(ctx, down); err != nil {
		return err
	}
	back := time.Now()
	if err := server.restart(); err != nil {
		return err
	}
	for _, c := range clients {
		at, err := c.firstSince(ctx, back)
		if err != nil {
			return err
		}
		c.took = append(c.took, at.Sub(back))
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func report(w io.Writer, clients []*contestant, down time.Duration) error {
	_, err := fmt.Fprintf(w, "| server away for %s, until the first event | least | median | most | mean |\n|---|--:|--:|--:|--:|\n", down)
	for _, c := range clients {
		slices.Sort(c.took)
		var sum time.Duration
		for _, d := range c.took {
			sum += d
		}
		_, printErr := fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", c.name,
			seconds(c.took[0]), seconds(c.took[len(c.took)/2]), seconds(c.took[len(c.took)-1]), seconds(sum/time.Duration(len(c.took))))
		err = errors.Join(err, printErr)
	}
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// task is what a client is told.
type task struct {
	REST, RTM       string // URLs
	Identifier, Key string
}

func (t task) encode() string {
	encoded, err := json.Marshal(t)
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(encoded)
}
