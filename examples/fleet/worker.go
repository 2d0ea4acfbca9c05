package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/examples/bot/orderbot"
)

const (
	// group is what the workers are to the log: each message is for one of them.
	group = "orderbot"

	// memberTTL is how long a worker may be silent before it counts as dead.
	memberTTL = 2 * time.Second
)

// work handles messages of the log until ctx ends, side by side with other workers. What
// it has done it writes to out, a line of JSON each.
func work(ctx context.Context, name string, out io.Writer) error {
	client, err := crisp.NewFromEnv()
	if err != nil {
		return err
	}
	conn, err := natsbridge.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return fmt.Errorf("NATS_URL: %w", err)
	}
	defer conn.Close()
	engine, err := natsbridge.New(conn, natsbridge.WithMemberTTL(memberTTL))
	if err != nil {
		return err
	}
	if err := engine.Setup(ctx); err != nil {
		return err
	}
	consumer, err := engine.Consumer(group)
	if err != nil {
		return err
	}
	memory, err := orderbot.LoadMemory("") // it is this worker's own: another that takes over begins anew
	if err != nil {
		return err
	}
	w := &writer{name: name, out: json.NewEncoder(out)}
	bot := orderbot.New(client, memory, w.handled)
	counters := new(bridge.Counters)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watch(watching, counters)
	}()
	err = bridge.Consume(ctx, consumer, bot.Router, bridge.WithCounters(counters))
	stop()
	<-watched
	return err
}

// line is what a worker writes: how many partitions it has now, or what it has handled.
type line struct {
	Partitions *int64   `json:"partitions,omitempty"`
	Handled    *handled `json:"handled,omitempty"`
}

// writer writes what a worker has done.
type writer struct {
	name string

	mu  sync.Mutex // guards out
	out *json.Encoder
}

func (w *writer) write(l line) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Encode(l)
}

// handled is middleware that writes what visitors said, once it is handled.
func (w *writer) handled(next crisp.Handler) crisp.Handler {
	return func(ctx context.Context, ev crisp.Event) error {
		err := next(ctx, ev)
		if said, ok := ev.(*crisp.MessageSend); ok && err == nil {
			err = w.write(line{Handled: &handled{w.name, said.SessionID, said.Fingerprint, time.Now()}})
		}
		return err
	}
}

// watch writes how many partitions the worker has, whenever that changes.
func (w *writer) watch(ctx context.Context, counters *bridge.Counters) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := counters.Partitions.Load(); n != last {
			last = n
			_ = w.write(line{Partitions: &n}) // of what is handled it is an error
		}
	}
}

var errLost = errors.New("messages were lost, or handled out of order")
