package crisp

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
	"github.com/crisp-go/crisp/internal/seam"
	"github.com/crisp-go/crisp/internal/serial"
)

// How it works: the goroutine that calls Run is the reader. It makes a connection, reads
// events from it (rtm_receive.go), and makes the next connection when that one is lost. Events
// go into a queue (internal/delivery), whose sequencer decides which may pass and which have
// to wait; handlers run behind it, up to WithConcurrency conversations at a time.
//
// These have goroutines of their own: the callbacks (Hooks), which run one at a time
// (internal/serial); a backfill, which has two, and more for its REST calls
// (internal/backfill); saving the position (rtm_position.go); sending binds (subscription.go).
//
// No lock is held while user code runs, or while anything is waited for. Locks nest only in
// this order: episode.mu or missed.mu, then RTM.resuming, then that of a backfill, then any
// one other. Besides, a dispatcher's lock is taken before that of a slot, and by start with
// RTM.mu held.
//
// docs/architecture.md has a picture of all this.

// RTM receives events over Crisp's RTM API and dispatches them to a router. It
// keeps one connection, and makes a new one when that is lost. Make it with
// [Client.NewRTM], run it with [RTM.Run], once.
//
// Events of one conversation reach their handlers in the order they were sent. Up
// to [WithConcurrency] conversations are handled at a time.
//
// All methods may be called from any goroutine.
type RTM struct {
	client     *Client
	router     *Router
	cfg        rtmConfig
	dispatcher *dispatcher

	// stopped ends when nothing more is to be received, handling when handlers are to stop,
	// too. Their causes say why.
	stopped  context.Context
	stop     context.CancelCauseFunc
	handling context.Context
	abandon  context.CancelCauseFunc
	ended    chan struct{} // closed when Run is about to return

	saveNow chan struct{} // capacity 1; see saveSoon

	callbacks    *serial.Queue
	subscription *subscription
	progress     *progress
	seen         *backfill.Seen // nil without a backfill
	budget       budget         // of the backfill's REST requests
	endpoints    *Endpoints     // the last that REST named; for the reading goroutine alone

	// Set by start, before any other goroutine needs them.
	queue    *delivery.Queue
	slots    []*slot            // one for each worker of the queue, by its number
	backfill *backfill.Backfill // nil without one

	overflow episode // the queue is full
	crowded  episode // a backfill holds back too much of some conversations
	missed   missed  // events that came, but could not be read

	// resuming is held while a gap is marked, reported and given to the backfill, so that gaps
	// have the same order in all three.
	resuming sync.Mutex

	// recoveredPlace is the place in the order of arrivals that the latest recovered message
	// got: see Router.keepArrivals.
	recoveredPlace atomic.Uint64

	used *atomic.Bool // Run, Shutdown or Close was called; outlives the RTM, for the warning of one that never ran

	received, dropped, reconnects atomic.Uint64 // see Stats
	gaveUp                        atomic.Int64  // events whose handlers failed because their context had ended

	mu        sync.Mutex // guards what follows
	state     State
	since     time.Time     // of the last change of the state
	changed   chan struct{} // closed at the next change of the state
	lastError error         // of the last attempt or connection; nil if there was none
	started   bool
}

// RTMOption configures [Client.NewRTM].
type RTMOption interface{ applyRTM(*rtmConfig) error }

type rtmOption func(*rtmConfig) error

func (o rtmOption) applyRTM(c *rtmConfig) error { return o(c) }

func (o HandlerOption) applyRTM(c *rtmConfig) error { return o(&c.handling) }

type rtmConfig struct {
	handling       handlingLimits
	filter         Filter
	concurrency    int
	queueBytes     int64
	overflow       Overflow
	backoff        Backoff
	unlimited      bool // the backoff alone limits how often it reconnects: there is no allowance
	engineIO       int
	readLimit      int64
	connectTimeout time.Duration
	hooks          Hooks
	position       PositionStore
	backfill       *Backfill
	ownOverlap     bool // Backfill.Overlap was set
	autoRebind     bool
	drainTimeout   time.Duration // 0 = handlers end with Run's context
}

const (
	defaultQueueBytes     = 64 << 20
	defaultReadLimit      = 16 << 20
	defaultConnectTimeout = 20 * time.Second
)

// NewRTM makes an RTM client that dispatches to r, without connecting yet. It
// subscribes to the events that r has handlers for, or to those of
// [WithFilter]; that none is left, or that the token's tier can't receive one of
// them, is an error. The router's registration is frozen from here on.
//
// The logger is warned of names that no event is known to have, with the most
// similar one, and of handlers whose events the filter leaves out.
func (c *Client) NewRTM(r *Router, opts ...RTMOption) (*RTM, error) {
	if r == nil {
		return nil, errors.New("crisp: NewRTM(nil): needs a router")
	}
	cfg := rtmConfig{
		concurrency:    1,
		queueBytes:     defaultQueueBytes,
		backoff:        ExponentialBackoff{},
		engineIO:       4,
		readLimit:      defaultReadLimit,
		connectTimeout: defaultConnectTimeout,
		handling:       handlingLimits{slow: defaultSlowHandler},
	}
	for _, opt := range opts {
		if err := opt.applyRTM(&cfg); err != nil {
			return nil, err
		}
	}
	filter, err := cfg.subscriptionFor(r, cfg.filter, c.token().Tier)
	if err != nil {
		return nil, err
	}
	if cfg.backfill != nil {
		if err := checkBackfill(filter, c.token().Tier); err != nil {
			return nil, err
		}
	}
	r.freeze()
	warnOfNames(c.logger, r, filter.Events)
	warnOfFilter(c.logger, r, filter.Events)
	t := &RTM{
		client:       c,
		router:       r,
		cfg:          cfg,
		ended:        make(chan struct{}),
		used:         new(atomic.Bool),
		saveNow:      make(chan struct{}, 1),
		subscription: newSubscription(filter),
		progress:     newProgress(c.clock),
		since:        time.Now(),
		changed:      make(chan struct{}),
	}
	if cfg.backfill != nil {
		t.seen = backfill.NewSeen(c.clock)
	}
	t.dispatcher = newDispatcher(r.dispatch, cfg.handling, t.warnSlowHandler)
	t.callbacks = newCallbacks(t.report)
	t.stopped, t.stop = context.WithCancelCause(context.Background())
	t.handling, t.abandon = context.WithCancelCause(context.Background())
	if isDefault(c.logger) { // another may be that of a test, which must not log when it is over
		runtime.AddCleanup(t, unused{c.logger, filter.Events[0]}.warn, t.used)
	}
	return t, nil
}

// unused warns of an RTM client that was dropped without ever having run.
type unused struct {
	logger *slog.Logger
	event  string // that it subscribed to, so that the reader of the log can tell which it is
}

func (u unused) warn(used *atomic.Bool) {
	if !used.Load() {
		u.logger.Warn("crisp: an RTM was made, but RTM.Run was never called, so that no events came: call it",
			slog.String(keyThing, shown(u.event)))
	}
}

// Run connects, authenticates, dispatches events, and reconnects when the
// connection is lost, until one of:
//
//   - ctx ends: Run returns its cause. Handlers' contexts end too, and what is
//     queued is dropped; with [WithDrainTimeout] or [RTM.Shutdown] it is handled first.
//   - [RTM.Close] or [RTM.Shutdown]: Run returns [ErrClosed], after the drain.
//   - an error that trying again can't mend: refused credentials
//     ([ErrUnauthorized]), a token that may not connect ([ErrScope]), an endpoint
//     without TLS ([ErrInsecure]), a server of another Engine.IO version or without
//     WebSockets, an HTTP client that can't open one, a subscription larger than the
//     server accepts ([ErrTooLarge]), a filter whose Rooms are all refused
//     ([ErrRoom]), or a refusal of the first attempt, by Crisp's
//     REST API or Engine.IO, that is no limit. Run returns it once handlers are done
//     with what is queued.
//
// Everything else (network, TLS and HTTP failures, what a gateway answers in
// Crisp's place, a silent server) is retried forever, by the [Backoff];
// Hooks.Retrying and the logger hear of it.
//
// Where Run returns without having drained the queue, a hook, or a handler that
// ignores the end of its context for 100 ms, may still be running. Its event counts
// as dropped.
func (t *RTM) Run(ctx context.Context) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	// Both contexts end with ctx; values of ctx reach the handlers.
	unlink := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		t.stop(cause)
		_ = sleep(t.handling, t.cfg.drainTimeout)
		t.abandon(cause)
	})
	defer unlink()
	stopSaving := func() {}
	last, err := t.loadPosition()
	if err == nil {
		t.progress.begin(last.Time.IsZero())
		stopSaving = t.savePositions()
		t.saveSoon()
		err = t.supervise(last)
	}
	if t.stopped.Err() == nil { // else somebody has asked for the end
		t.client.logger.Error("crisp: RTM ended", slog.Any("error", err))
	}
	t.stop(err)
	t.drain()
	stopSaving()
	t.end()
	return err
}

// start makes what a run needs. It fails with ErrRunning the second time, and with the cause
// of the end if the client was closed before.
func (t *RTM) start(ctx context.Context) error {
	t.used.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started {
		return ErrRunning
	}
	t.started = true
	if t.stopped.Err() != nil { // closed before it ran
		t.become(StateClosed)
		close(t.ended)
		return context.Cause(t.stopped)
	}
	t.become(StateConnecting)
	for range t.cfg.concurrency {
		t.slots = append(t.slots, t.dispatcher.takeSlot())
	}
	t.queue = delivery.New(valuesOf{Context: t.handling, values: ctx}, delivery.Config{
		Workers:  t.cfg.concurrency,
		MaxBytes: t.cfg.queueBytes,
		Handle:   t.handle,
		Report:   t.report,
	})
	if t.cfg.backfill != nil {
		t.backfill = t.newBackfill()
	}
	return nil
}

// valuesOf ends with one context and has another's values.
type valuesOf struct {
	context.Context
	values context.Context
}

func (c valuesOf) Value(key any) any {
	// The embedded context first: package context looks up its own keys here, to propagate
	// the end.
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// supervise keeps a connection up until the client is stopped or meets a fatal error. last is
// the position of the run before.
func (t *RTM) supervise(last Position) error {
	tries := retries{attempt: 1}
	if !t.cfg.unlimited {
		tries.allowance = new(allowance)
	}
	var missed *span // nil before the first connection
	var idle idleCuts
	for {
		t.setState(StateConnecting)
		began := time.Now()
		c, err := t.connect(t.stopped, idle.every)
		if err == nil {
			if missed == nil {
				missed = t.missedSince(last, c)
			}
			t.connected(c, Connected{Endpoint: c.host, Attempt: tries.attempt, Took: time.Since(began)}, missed)
			t.saveSoon()
			missed, err = t.receive(c)
			idle.ended(time.Since(c.LastHeard()), err)
			tries.ended(time.Since(c.since), 1+t.budget.take())
		} else if t.stopped.Err() == nil {
			tries.failed()
		}
		if t.stopped.Err() != nil {
			return context.Cause(t.stopped)
		}
		if fatal(err, missed != nil) {
			return err
		}
		if err := t.pause(&tries, err); err != nil {
			return err
		}
	}
}

// span is what may have been missed before a connection.
type span struct {
	from   clock.Stamp
	reason GapReason // empty = nothing was missed
}

// pause waits until the next attempt is due, or returns why the client was stopped.
func (t *RTM) pause(tries *retries, cause error) error {
	t.failed(cause)
	delay := tries.delay(safeBackoff{t.cfg.backoff, t.report}, cause)
	level := slog.LevelWarn
	if tries.attempt == 1 { // servers restart, which is no trouble: warnOfGap warns if anything was missed
		level = slog.LevelInfo
	}
	t.client.logger.Log(t.stopped, level, "crisp: RTM reconnects",
		slog.Any("error", cause), slog.Int("attempt", tries.attempt), slog.Duration("delay", delay))
	notify(t.callbacks, t.cfg.hooks.Retrying, Retrying{Attempt: tries.attempt, Delay: delay, Err: cause})
	return sleep(t.stopped, delay)
}

// connected makes a connection the current one. Its events wait until the callbacks that
// announce it have returned.
func (t *RTM) connected(c *connection, info Connected, missed *span) {
	open := t.progress.openGap(missed.from) // before the connection counts for the stored position
	t.progress.connected(c.Conn)
	t.client.logger.Info("crisp: RTM connected", slog.String("endpoint", info.Endpoint), slog.Int("attempt", info.Attempt))

	if err := t.subscription.opened(t.stopped, c.Conn); err != nil {
		t.client.logger.Warn("crisp: RTM bind", "error", err) // the connection has ended: the next subscribes anew
	}
	if missed.reason != "" && missed.reason != GapRestarted {
		t.reconnects.Add(1)
	}
	t.setState(StateConnected)
	t.resume(open, missed.reason, func() { notify(t.callbacks, t.cfg.hooks.Connected, info) })
}

// resume posts the callbacks that announce a connection or a gap, and holds back what is
// received from here on until they have returned and, with a backfill, until it is known
// which conversations have missed something. Without a reason there is no gap.
func (t *RTM) resume(open *openGap, reason GapReason, post func()) {
	t.resuming.Lock()
	defer t.resuming.Unlock()
	gap := open.dated(reason)
	if reason != "" && t.cfg.hooks.gapSettles != nil {
		post = t.settling(gap, post)
	}
	t.queue.Mark()
	post()
	if reason != "" {
		notify(t.callbacks, t.cfg.hooks.Gap, gap)
		t.warnOfGap(gap)
	}
	if reason == "" || t.backfill == nil {
		t.callbacks.Post(func() { t.queue.Lift(nil, open.close) })
		return
	}
	t.recoveredPlace.Store(t.router.keepArrivals())
	told := make(chan struct{})
	t.callbacks.Post(func() { close(told) })
	t.fill(gap, open, told)
}

// settling extends post by the callback gapSettles, whose channel is closed once all that was
// received before the gap is handled, or the handlers are to stop.
func (t *RTM) settling(gap Gap, post func()) func() {
	settled := make(chan struct{})
	settle := sync.OnceFunc(func() { close(settled) })
	unlink := context.AfterFunc(t.handling, settle)
	t.queue.Settled(func() {
		unlink()
		settle()
	})
	return func() {
		post()
		notify(t.callbacks, t.cfg.hooks.gapSettles, seam.SettlingGap{Gap: gap, Settled: settled})
	}
}

// warnOfGap warns of a gap that no backfill fills and no hook reports.
func (t *RTM) warnOfGap(gap Gap) {
	if t.backfill != nil || t.cfg.hooks.Gap != nil {
		return
	}
	t.callbacks.Post(func() {
		t.client.logger.Warn("crisp: RTM events may have been missed for good: WithBackfill recovers messages, Hooks.Gap is told of the time",
			slog.String("reason", string(gap.Reason)), slog.Time("from", gap.From), slog.Time("to", gap.To))
	})
}

// drain lets handlers finish what is queued, unless they are to stop, and reports what is
// left.
func (t *RTM) drain() {
	t.setState(StateDraining)
	t.endEpisode(&t.overflow)
	t.endEpisode(&t.crowded)
	t.endMissed()
	if t.backfill != nil {
		t.backfill.Wait()
	}
	t.queue.Finish()
	handled := t.queue.Done()
	select {
	case <-handled:
	case <-t.handling.Done():
		t.awaitGivingUp(handled)
	}
	t.callbacks.Flush(t.handling)
	if n := t.queue.Len() + int(t.gaveUp.Load()); n > 0 {
		t.dropped.Add(uint64(n))
		cause := context.Cause(t.handling)
		t.client.logger.Warn("crisp: RTM closed with events queued", slog.Int("dropped", n))
		notify(t.callbacks, t.cfg.hooks.Dropped, Dropped{Count: n, Err: cause})
	}
}

// givingUp is how long handlers may take to return once their context has ended. The events
// of those that don't count as dropped.
const givingUp = 100 * time.Millisecond

func (t *RTM) awaitGivingUp(handled <-chan struct{}) {
	timer := time.NewTimer(givingUp)
	defer timer.Stop()
	select {
	case <-handled:
	case <-timer.C:
	}
}

// end ends what is left of a run, and lets Shutdown return.
func (t *RTM) end() {
	t.abandon(ErrClosed)
	t.dispatcher.stop()
	t.setState(StateClosed)
	close(t.ended)
}

// Shutdown stops receiving, waits until handlers are done with what was
// received, and ends [RTM.Run] with [ErrClosed]. If ctx ends first, what is
// left is dropped (Hooks.Dropped has the number), also what handlers return an error
// for because their context has ended, and Shutdown returns ctx's cause. A handler or
// hook must not wait for Shutdown, which waits for the handler or hook; it can call
// [RTM.Close].
func (t *RTM) Shutdown(ctx context.Context) error {
	t.used.Store(true)
	t.stop(ErrClosed)
	if !t.hasStarted() {
		return nil
	}
	select {
	case <-t.ended:
		return nil
	case <-ctx.Done():
		t.abandon(ErrClosed)
		return context.Cause(ctx)
	}
}

// Close ends [RTM.Run] at once and drops what is queued (Hooks.Dropped has the
// number). It does not wait for anything and may be called inside a
// handler, again, or before Run. It returns nil.
func (t *RTM) Close() error {
	t.used.Store(true)
	t.stop(ErrClosed)
	t.abandon(ErrClosed)
	return nil
}

func (t *RTM) hasStarted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.started
}
