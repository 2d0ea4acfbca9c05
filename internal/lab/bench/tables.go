package main

import (
	"context"
	"fmt"
	"io"
)

// bench is what all tables are made with.
type bench struct {
	options
	server string   // its URL
	work   string   // a folder for what is built
	record *figures // what has been measured so far
}

// table is a part of the output.
type table struct {
	name  string
	print func(b bench, ctx context.Context, w io.Writer) error
}

func tables() []table {
	return []table{
		{name: "readers", print: bench.readers},
		{name: "sizes", print: bench.sizes},
		{name: "registered", print: bench.registered},
		{name: "concurrency", print: bench.concurrency},
		{name: "latency", print: bench.latency},
		{name: "footprint", print: bench.footprint},
		{name: "hooks", print: hooks("hooks", 1)},
		{name: "hooks16", print: hooks("hooks16", 16)},
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
	return b.contest(ctx, w, "readers", "Client", append(clients, b.peers(ctx, load)...))
}

// sizes shows how cost grows with the payload: a message that is one long
// text, and pages that are many small values. Each size has a floor of its own,
// which is no row.
func (b bench) sizes(ctx context.Context, w io.Writer) error {
	var all []result
	for _, event := range []string{"message:send", "session:sync:pages"} {
		for _, size := range []int{200, 600, 4 << 10, 32 << 10, 256 << 10, 1 << 20} {
			load := workload{Event: event, Size: size, Events: b.events / max(1, size/2048)}
			results, err := b.compete(ctx, []contestant{
				floor(load),
				library(fmt.Sprintf("%s, %s", event, sizeName(size)), load, setup{}),
			})
			if err != nil {
				return err
			}
			all = append(all, results[1:]...)
		}
	}
	return b.publish(w, "sizes", "Payload", all)
}

func sizeName(size int) string {
	switch {
	case size >= 1<<20:
		return fmt.Sprintf("%d MiB", size>>20)
	case size >= 1<<10:
		return fmt.Sprintf("%d KiB", size>>10)
	default:
		return fmt.Sprintf("%d B", size)
	}
}

// registered shows that it does not matter how many events have handlers.
func (b bench) registered(ctx context.Context, w io.Writer) error {
	load := b.messages()
	clients := []contestant{floor(load)}
	for _, n := range []int{2, 10, 40, 81} {
		clients = append(clients, library(fmt.Sprintf("%d events registered", n), load, setup{Registered: n}))
	}
	return b.contest(ctx, w, "registered", "Router", clients)
}

// concurrency shows what handling conversations at the same time costs.
func (b bench) concurrency(ctx context.Context, w io.Writer) error {
	load := b.messages()
	clients := []contestant{floor(load)}
	for _, n := range []int{1, 4, 16, 64} {
		clients = append(clients, library(fmt.Sprintf("%d at a time", n), load, setup{Concurrency: n}))
	}
	return b.contest(ctx, w, "concurrency", "Concurrency", clients)
}

// contest publishes a contest whose floor is a row of the table.
func (b bench) contest(ctx context.Context, w io.Writer, table, title string, clients []contestant) error {
	results, err := b.compete(ctx, clients)
	if err != nil {
		return err
	}
	return b.publish(w, table, title, results)
}
