package main

import (
	"context"
	"fmt"
	"io"
)

// bench is what all tables are made with.
type bench struct {
	server string // its URL
	options
}

// table is a part of the output.
type table struct {
	name  string
	print func(b bench, ctx context.Context, w io.Writer) error
}

func tables() []table {
	return []table{
		{"readers", bench.readers},
		{"sizes", bench.sizes},
		{"registered", bench.registered},
		{"concurrency", bench.concurrency},
		{"latency", bench.latency},
		{"footprint", bench.footprint},
		{"hooks", bench.hooks},
	}
}

// messageBytes is how large a typical message:send is.
const messageBytes = 600

func (b bench) messages() workload {
	return workload{Event: "message:send", Size: messageBytes, Events: b.events}
}

// readers compares this library with everything else.
func (b bench) readers(ctx context.Context, w io.Writer) error {
	load := b.messages()
	clients := []contestant{
		floor(load),
		{name: "bare coder/websocket, `Conn.Read`", task: task{Reader: "read", Load: load}},
		{name: "bare coder/websocket + encoding/json into a struct", task: task{Reader: "json", Load: load}},
		library("**this library**, typed handler", load, setup{}),
		library("**this library**, event without a handler", load, setup{Unhandled: true}),
	}
	if prepareNode(ctx) {
		clients = append(clients,
			contestant{name: "bare Node ws + JSON.parse", task: task{Load: load}, script: "ws.mjs"},
			contestant{name: "official Node SDK", task: task{Load: load}, script: "sdk.mjs"})
	}
	return b.printContest(ctx, w, "Client", clients)
}

// sizes shows how cost grows with the payload: a message that is one long
// text, and pages that are many small values.
func (b bench) sizes(ctx context.Context, w io.Writer) error {
	var contests [][]contestant
	for _, event := range []string{"message:send", "session:sync:pages"} {
		for _, size := range []int{200, 600, 4 << 10, 32 << 10, 256 << 10, 1 << 20} {
			load := workload{Event: event, Size: size, Events: b.events / max(1, size/2048)}
			contests = append(contests, []contestant{
				floor(load),
				library(fmt.Sprintf("%s, %d bytes", event, size), load, setup{}),
			})
		}
	}
	return b.printContests(ctx, w, "Payload", contests)
}

// registered shows that it does not matter how many events have handlers.
func (b bench) registered(ctx context.Context, w io.Writer) error {
	load := b.messages()
	clients := []contestant{floor(load)}
	for _, n := range []int{2, 10, 40, 81} {
		clients = append(clients, library(fmt.Sprintf("%d events registered", n), load, setup{Registered: n}))
	}
	return b.printContest(ctx, w, "Router", clients)
}

// concurrency shows what handling conversations at the same time costs.
func (b bench) concurrency(ctx context.Context, w io.Writer) error {
	load := b.messages()
	clients := []contestant{floor(load)}
	for _, n := range []int{1, 4, 16, 64} {
		clients = append(clients, library(fmt.Sprintf("%d at a time", n), load, setup{Concurrency: n}))
	}
	return b.printContest(ctx, w, "Concurrency", clients)
}

// printContest prints a contest whose floor is a row of the table.
func (b bench) printContest(ctx context.Context, w io.Writer, title string, clients []contestant) error {
	results, err := b.compete(ctx, clients)
	if err != nil {
		return err
	}
	return printResults(w, title, results)
}

// printContests prints contests of one client each, in a table without the
// floors.
func (b bench) printContests(ctx context.Context, w io.Writer, title string, contests [][]contestant) error {
	var all []result
	for _, clients := range contests {
		results, err := b.compete(ctx, clients)
		if err != nil {
			return err
		}
		all = append(all, results[1:]...)
	}
	return printResults(w, title, all)
}

func printResults(w io.Writer, title string, results []result) error {
	_, err := fmt.Fprintf(w, "\n| %s | CPU µs/event | × floor | events/s | × floor | allocs/event | bytes/event |\n"+
		"|---|--:|--:|--:|--:|--:|--:|\n", title)
	for _, r := range results {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "| %s | %s ± %.0f%% | %.2f | %.0f | %.2f | %s | %s |\n", r.name,
			significant(r.cpu*1e6), r.spread*100, r.ratio, r.rate, r.speed, perEvent(r.script, r.allocs), perEvent(r.script, r.bytes))
	}
	return err
}

// perEvent is a figure that Node does not tell.
func perEvent(script string, value float64) string {
	if script != "" {
		return "–"
	}
	return significant(value)
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
