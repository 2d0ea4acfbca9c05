// Package daemon runs the bridge: it takes Crisp's events over the RTM API and by web
// hook into the log of an engine.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/metrics"
)

// Daemon is one process of the bridge.
type Daemon struct {
	config    config.Config
	engine    engine.Engine
	publisher bridge.Publisher
	metrics   *metrics.Metrics
	logger    *slog.Logger
	hide      func(string) string // takes secrets out of a text
	probe     *probe

	hook  *crisp.Webhook // nil without web hooks
	lease *watchedLease  // nil without RTM

	clientOptions []crisp.Option // for tests

	rtm      atomic.Pointer[crisp.RTM] // nil unless this process leads
	rtmEnded atomic.Pointer[error]     // by what, while it is left alone for a while
	ending   atomic.Bool
}

// New makes a Daemon of a configuration that was read without an error.
func New(c config.Config, e engine.Engine, logger *slog.Logger, hide func(string) string) (*Daemon, error) {
	m := metrics.New()
	d := &Daemon{
		config:    c,
		engine:    e,
		publisher: m.Publisher(e.Publisher()),
		metrics:   m,
		logger:    logger,
		hide:      hide,
		probe:     &probe{ping: e.Ping},
	}
	if c.Has(config.TransportRTM) {
		d.lease = watchLease(e.Lease(c.RTM.Name), d.roleChanged)
	}
	if c.Has(config.TransportHooks) {
		hook, err := d.newHook()
		if err != nil {
			return nil, err
		}
		d.hook = hook
		m.Webhook(hook)
	}
	return d, nil
}

// Run takes events until ctx ends, and then stores what it has received. It does not
// close the engine.
func (d *Daemon) Run(ctx context.Context, listener net.Listener) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return d.serve(running, listener) })
	if d.lease != nil {
		group.Go(func() error { return d.receive(running) })
	}
	group.Go(func() error { return d.watch(running) })
	group.Go(func() error { return d.untilEngineFails(running) })
	context.AfterFunc(running, func() { d.ending.Store(true) })
	d.logger.Info("running", "http", listener.Addr().String(), "engine", d.config.Engine.Kind, "transports", d.config.Transports)

	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		return unlessAsked(ctx, err)
	case <-running.Done():
	}
	select {
	case err := <-ended:
		return unlessAsked(ctx, err)
	case <-time.After(d.config.Drain.Std()):
		return fmt.Errorf("not everything that was received could be stored within %s (drain)", d.config.Drain)
	}
}

// unlessAsked returns an error unless it says only that the end was asked for.
func unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

var errEngineFailed = errors.New("the engine can't write to its folder, and takes nothing until the next start: is its disk full?")

// untilEngineFails returns when ctx ends, or an error when the engine has to be opened
// again: to end is better than to refuse everything forever, for whoever starts this again.
func (d *Daemon) untilEngineFails(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.engine.Failed():
		return errEngineFailed
	}
}

// watchEvery is how often is looked at what nothing reports.
const watchEvery = 15 * time.Second

// watch keeps the metrics up to date of what nothing reports.
func (d *Daemon) watch(ctx context.Context) error {
	for {
		d.metrics.SetEngine(d.probe.state() == nil)
		if n, err := d.countLetters(ctx); err == nil {
			d.metrics.SetDeadLetters(n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

func (d *Daemon) countLetters(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	return d.engine.CountLetters(ctx)
}
