package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
	"github.com/crisp-go/crisp/crisptest"
)

const (
	// demoTimeout is far more than the demonstration takes.
	demoTimeout = time.Minute

	workers  = 3
	visitors = 24
	messages = 6 // of each visitor; the bot says no more than ten things a minute
	pause    = 150 * time.Millisecond
)

// demo runs a Crisp on loopback, the bridge with an engine in this process, and workers
// in processes of their own, one of which is killed.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for what may stay
	server, err := natsembed.Start(natsembed.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer server.Shutdown(context.WithoutCancel(ctx)) //nolint:errcheck // the log is removed

	running, stop := context.WithCancel(ctx)
	bridged := make(chan error, 1)
	go func() { bridged <- runBridge(running, srv, server) }()
	if err := srv.WaitAuthenticated(ctx); err != nil {
		stop()
		return errors.Join(err, <-bridged)
	}
	f := &fleet{srv: srv, url: server.URL(), tally: newTally(), out: out}
	err = f.play(ctx)
	f.stop()
	stop() // as Ctrl-C does
	return errors.Join(err, <-bridged)
}

// runBridge stores what comes over the RTM API in the log until ctx ends: crisp-bridge
// does this, and more, as a program of its own.
func runBridge(ctx context.Context, srv *crisptest.Server, server *natsembed.Server) error {
	conn, err := server.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	engine, err := natsbridge.New(conn)
	if err != nil {
		return err
	}
	if err := engine.Setup(ctx); err != nil {
		return err
	}
	router := crisp.NewRouter()
	intake := bridge.Publish(router, engine.Publisher())
	client := srv.Client()
	defer client.CloseIdleConnections()
	rtm, err := client.NewRTM(router,
		crisp.WithPosition(engine.Position("rtm")),
		crisp.WithBackfill(crisp.Backfill{}),
		crisp.WithHooks(intake.Hooks(ctx)),
		crisp.WithDrainTimeout(time.Second),
		crisp.WithConcurrency(16),
	)
	if err != nil {
		return err
	}
	if err := rtm.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// fleet are the workers.
type fleet struct {
	srv   *crisptest.Server
	url   string // of the engine
	tally *tally
	out   io.Writer

	processes []*process
}

// process is a worker.
type process struct {
	name       string
	cmd        *exec.Cmd
	stdin      io.Closer
	read       sync.WaitGroup // until all that it has written is read
	partitions chan int64     // gets how many it has, whenever that changes
}

// play has visitors talk while workers come and go.
func (f *fleet) play(ctx context.Context) error {
	for i := range workers {
		if err := f.startWorker(ctx, fmt.Sprintf("worker-%d", i+1)); err != nil {
			return err
		}
	}
	shares, err := f.shares(ctx)
	if err != nil {
		return err
	}
	f.say("%d workers share the partitions of the log: %v", workers, shares)
	began := time.Now()
	if err := f.talk(ctx); err != nil {
		return err
	}
	if err := f.await(ctx); err != nil {
		return err
	}
	f.say("all is handled, %.1f s after the first message", time.Since(began).Seconds())
	result := f.tally.summary()
	_, _ = fmt.Fprint(f.out, result)
	if !result.ok() {
		return errLost
	}
	return nil
}

func (f *fleet) say(format string, args ...any) { _, _ = fmt.Fprintf(f.out, format+"\n", args...) }

// startWorker starts this program as a worker.
func (f *fleet) startWorker(ctx context.Context, name string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "-child", "-name", name) //nolint:gosec // it is this program
	p := &process{name: name, cmd: cmd, partitions: make(chan int64, 100)}
	p.cmd.Env = append(os.Environ(), "NATS_URL="+f.url, "CRISP_BASE_URL="+f.srv.URL(),
		"CRISP_IDENTIFIER="+f.srv.Token().Identifier, "CRISP_KEY="+f.srv.Token().Key)
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.read.Go(func() { f.read(p, stdout) })
	f.processes = append(f.processes, p)
	return nil
}

// read takes what a worker writes.
func (f *fleet) read(p *process, r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var l line
		switch err := json.Unmarshal(lines.Bytes(), &l); {
		case err != nil: // it was killed while it wrote
		case l.Handled != nil:
			f.tally.handle(*l.Handled)
		case l.Partitions != nil:
			select {
			case p.partitions <- *l.Partitions:
			default: // nobody looks any more
			}
		}
	}
}

// shares waits until each worker has its share of the partitions.
func (f *fleet) shares(ctx context.Context) ([]int64, error) {
	shares := make([]int64, len(f.processes))
	for sum := int64(0); sum < partitions || slices.Contains(shares, 0); {
		for i, p := range f.processes {
			select {
			case shares[i] = <-p.partitions:
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return shares, ctx.Err()
			}
		}
		sum = 0
		for _, n := range shares {
			sum += n
		}
	}
	return shares, nil
}

// partitions is how many a log has by default.
const partitions = 16

// talk has visitors ask for their orders, and kills a worker when half is said.
func (f *fleet) talk(ctx context.Context) error {
	people := make([]*crisptest.Visitor, visitors)
	for i := range people {
		people[i] = f.srv.Visitor()
	}
	f.say("%d visitors ask for their orders, %d times each", visitors, messages)
	for i := range messages {
		for _, v := range people {
			m := v.Say(fmt.Sprintf("And where is my order %d?", []int{1234, 5678}[i%2]))
			f.tally.say(v.SessionID, m.Fingerprint)
		}
		if i == messages/2 {
			victim := f.processes[1]
			f.say("%s is killed", victim.name)
			if err := victim.cmd.Process.Kill(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// await waits until every message is handled.
func (f *fleet) await(ctx context.Context) error {
	for {
		missing, changed := f.tally.missing()
		if missing == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			_, _ = fmt.Fprint(f.out, f.tally.summary())
			return errLost
		}
	}
}

// stop has the workers end, and waits until they have.
func (f *fleet) stop() {
	for _, p := range f.processes {
		_ = p.stdin.Close()
	}
	for _, p := range f.processes {
		p.read.Wait()
		_ = p.cmd.Wait() // one was killed
	}
}
