package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// RTM receives events over Crisp's RTM API and dispatches them to a router. It
// keeps one connection, and makes a new one when that is lost. Make it with
// [Client.NewRTM], run it with [RTM.Run], once.
//
// Events of one session reach their handlers in the order they were sent. Up
// to [WithConcurrency] sessions are handled at a time.
//
// All methods may be called from any goroutine.
type RTM struct {
	client *Client
	router *Router
	cfg    rtmConfig
	hooks  *notifier

	// stopped ends when nothing more shall be received; handling ends when
	// handlers shall stop too. Their causes say why.
	stopped    context.Context
	stop       context.CancelCauseFunc
	handling   context.Context
	abandon    context.CancelCauseFunc
	runEnded   chan struct{}
	bindTurn   chan struct{} // capacity 1: one bind at a time
	lastEvent  atomic.Int64  // UNIX ns; 0 = none yet
	received   atomic.Uint64
	dropped    atomic.Uint64
	reconnects atomic.Uint64

	mu      sync.Mutex
	state   State
	running bool
	filter  Filter
	conn    *socketio.Conn // of the live session
	boundAt time.Time      // last socket:bind
	// missedBinds are those that came while no session was live.
	missedBinds []func() any
	lastLive    time.Time // up to when the sessions before were complete
	delivery    *delivery
	fill        *fill // the latest; nil if there was none

	gaps     openGaps
	resuming sync.Mutex // taken by resume alone
	episode  episode    // of overflow
	lag      lag
	recent   *recent // only with a backfill
}

// State is what an RTM client is doing.
type State int

// States of an RTM client.
const (
	StateNew        State = iota // Run was not called yet
	StateConnecting              // fetching the endpoint, connecting, authenticating
	StateConnected               // authenticated: events flow
	StateWaiting                 // for the next connection attempt
	StateDraining                // receiving no more, handlers finish what is queued
	StateClosed                  // Run has ended
)

// String gives the state in lower case, such as "connected".
func (s State) String() string {
	names := [...]string{"new", "connecting", "connected", "waiting", "draining", "closed"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return names[s]
}

// Stats are counters of an RTM client since it was made.
type Stats struct {
	State        State
	Received     uint64    // events that a handler is registered for
	Dropped      uint64    // of these, dropped because the queue was full
	Reconnects   uint64    // sessions after the first
	QueuedEvents int       // waiting for handlers, or being handled
	QueuedBytes  int64     // what they count towards the queue's bound
	LastEvent    time.Time // when the last event came; zero if none did
}

// RTMOption configures [Client.NewRTM].
type RTMOption func(*rtmConfig) error

type rtmConfig struct {
	filter         Filter
	concurrency    int
	queueBytes     int64
	overflow       Overflow
	backoff        Backoff
	engineIO       int
	readLimit      int64
	connectTimeout time.Duration
	hooks          Hooks
	position       PositionStore
	backfill       *Backfill
}

const (
	defaultReadLimit      = 16 << 20
	defaultConnectTimeout = 20 * time.Second
)

// WithConcurrency sets how many sessions (conversations) are handled at a
// time; default 1. Each session's events stay in order whatever n is. Events
// without a session are kept in order by website. Sessions take turns, so that
// slow ones, as long as they are fewer than n, hold up no other.
func WithConcurrency(n int) RTMOption {
	return func(c *rtmConfig) error {
		if n < 1 {
			return fmt.Errorf("crisp: WithConcurrency(%d): at least 1", n)
		}
		c.concurrency = n
		return nil
	}
}

// WithQueue bounds the events between the connection and the handlers, in
// bytes of payload plus a fixed overhead for each event (default 64 MiB), and
// says what happens when they are that many (default [OverflowBlock]).
func WithQueue(maxBytes int, full Overflow) RTMOption {
	return func(c *rtmConfig) error {
		if maxBytes < 1 {
			return fmt.Errorf("crisp: WithQueue: a bound of %d bytes: at least 1", maxBytes)
		}
		if full != OverflowBlock && full != OverflowDrop {
			return fmt.Errorf("crisp: WithQueue: unknown overflow %d: OverflowBlock or OverflowDrop", full)
		}
		c.queueBytes, c.overflow = int64(maxBytes), full
		return nil
	}
}

// WithBackoff sets the waits between connection attempts; default
// [ExponentialBackoff]. A longer wait that the server asks for (Retry-After)
// wins.
func WithBackoff(b Backoff) RTMOption {
	return func(c *rtmConfig) error {
		if b == nil {
			return errors.New("crisp: WithBackoff(nil)")
		}
		c.backoff = b
		return nil
	}
}

// WithEngineIO sets the Engine.IO protocol: 4 (the default) or 3.
func WithEngineIO(version int) RTMOption {
	return func(c *rtmConfig) error {
		if version != 3 && version != 4 {
			return fmt.Errorf("crisp: WithEngineIO(%d): 3 or 4", version)
		}
		c.engineIO = version
		return nil
	}
}

// WithReadLimit bounds a frame from the server, in bytes; default 16 MiB. A
// larger one ends the connection with [ErrTooLarge], is reported as a gap, and
// the client reconnects.
func WithReadLimit(bytes int64) RTMOption {
	return func(c *rtmConfig) error {
		if bytes < 1024 {
			return fmt.Errorf("crisp: WithReadLimit(%d): at least 1024 bytes", bytes)
		}
		c.readLimit = bytes
		return nil
	}
}

// WithConnectTimeout bounds a connection attempt up to its authentication,
// which has 10 s of its own: fetching the endpoint, then for each endpoint the
// WebSocket and Socket.IO handshakes; default 20 s each.
func WithConnectTimeout(d time.Duration) RTMOption {
	return func(c *rtmConfig) error {
		if d <= 0 {
			return fmt.Errorf("crisp: WithConnectTimeout(%s): more than 0", d)
		}
		c.connectTimeout = d
		return nil
	}
}

// WithHooks sets who is told of connections, gaps and losses.
func WithHooks(h Hooks) RTMOption {
	return func(c *rtmConfig) error {
		c.hooks = h
		return nil
	}
}

// NewRTM makes an RTM client that dispatches to r, without connecting yet. It
// subscribes to the events that r has handlers for, or to those of
// [WithFilter]; that none is left, or that the token's tier can't receive one of
// them, is an error. The router's registration is frozen from here on.
func (c *Client) NewRTM(r *Router, opts ...RTMOption) (*RTM, error) {
	if r == nil {
		return nil, errors.New("crisp: NewRTM needs a router")
	}
	cfg := rtmConfig{
		concurrency:    1,
		queueBytes:     defaultQueueBytes,
		backoff:        ExponentialBackoff{},
		engineIO:       4,
		readLimit:      defaultReadLimit,
		connectTimeout: defaultConnectTimeout,
	}
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return nil, err
		}
	}
	filter, err := subscription(r, cfg.filter, c.token().Tier)
	if err != nil {
		return nil, err
	}
	if cfg.backfill != nil {
		if err := checkBackfill(filter, c.token().Tier); err != nil {
			return nil, err
		}
	}
	r.freeze()
	t := &RTM{
		client:   c,
		router:   r,
		cfg:      cfg,
		filter:   filter,
		runEnded: make(chan struct{}),
		bindTurn: make(chan struct{}, 1),
	}
	if cfg.backfill != nil {
		t.recent = newRecent()
	}
	t.hooks = &notifier{report: t.report}
	t.stopped, t.stop = context.WithCancelCause(context.Background())
	t.handling, t.abandon = context.WithCancelCause(context.Background())
	return t, nil
}

// Run connects, authenticates, dispatches events, and reconnects when the
// connection is lost, until one of:
//
//   - ctx ends: Run returns its cause. Handlers' contexts end too, and what is
//     queued is dropped; use [RTM.Shutdown] to handle it first.
//   - [RTM.Close] or [RTM.Shutdown]: Run returns [ErrClosed], after the drain.
//   - an error that trying again can't mend: refused credentials
//     ([ErrUnauthorized]), an endpoint without TLS ([ErrInsecure]), a server of
//     another Engine.IO version, or a REST refusal of the first attempt that is
//     no rate limit. Run returns it once handlers are done with what is queued.
//
// Everything else (network, TLS and HTTP failures, a silent server) is retried
// for ever, by the [Backoff]; Hooks.Retrying and the logger tell of it.
//
// Where Run returns without having drained the queue, a hook, or a handler that
// ignores its context, may still be running.
func (t *RTM) Run(ctx context.Context) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	// Both contexts end with ctx; values of ctx reach the handlers.
	unlink := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		t.stop(cause)
		t.abandon(cause)
	})
	defer unlink()
	stopKeeping := func() {}
	gap, err := t.loadPosition()
	if err == nil {
		stopKeeping = t.keepPosition()
		err = t.supervise(gap)
	}
	t.stop(err)
	t.drain()
	stopKeeping()
	t.end()
	return err
}

// start lays out what a run needs, once.
func (t *RTM) start(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running {
		return ErrRunning
	}
	t.running = true
	if t.stopped.Err() != nil { // closed before it ran
		t.state = StateClosed
		close(t.runEnded)
		return context.Cause(t.stopped)
	}
	t.state = StateConnecting
	handlers := valuesOf{Context: t.handling, values: ctx}
	t.delivery = newDelivery(handlers, t.cfg.concurrency, t.cfg.queueBytes, t.handle, t.report)
	return nil
}

// valuesOf is one context's end with another's values.
type valuesOf struct {
	context.Context
	values context.Context
}

func (c valuesOf) Value(key any) any {
	// The own context first: the context package looks up what ends it here.
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// supervise keeps a session up until it must not or can't be any more. The gap
// is what was missed since the last session, of another run at first; its From
// is zero if there was none.
func (t *RTM) supervise(gap Gap) error {
	tries, connected := retries{attempt: 1}, false
	for {
		t.setState(StateConnecting)
		began := time.Now()
		s, err := t.connect(t.stopped)
		if err == nil {
			connected = true
			gap.To = s.since
			t.live(s, Connected{Endpoint: s.host, Attempt: tries.attempt, Took: time.Since(began)}, gap)
			err = t.receive(s)
			gap = Gap{From: s.lastLive, Reason: gapReason(err)}
			tries.ended(time.Since(s.since))
		} else if t.stopped.Err() == nil {
			tries.failed()
		}
		if t.stopped.Err() != nil {
			return context.Cause(t.stopped)
		}
		if fatal(err, connected) {
			t.client.logger.Error("crisp: RTM ended", slog.Any("error", err))
			return err
		}
		if err := t.pause(&tries, err); err != nil {
			return err
		}
	}
}

// pause waits for the next attempt.
func (t *RTM) pause(tries *retries, cause error) error {
	t.setState(StateWaiting)
	delay := tries.delay(t.cfg.backoff, cause)
	t.client.logger.Warn("crisp: RTM reconnects",
		slog.Any("error", cause), slog.Int("attempt", tries.attempt), slog.Duration("delay", delay))
	notify(t.hooks, t.cfg.hooks.Retrying, Retrying{Attempt: tries.attempt, Delay: delay, Err: cause})
	return sleep(t.stopped, delay)
}

// live makes a session the current one. What it receives waits until the hooks
// have told of it.
func (t *RTM) live(s *session, info Connected, gap Gap) {
	from := gap.From
	if from.IsZero() {
		from = s.since
	}
	open := t.gaps.add(from) // before the session counts for the stored position
	t.mu.Lock()
	t.conn = s.conn
	t.state = StateConnected
	t.mu.Unlock()
	t.client.logger.Info("crisp: RTM connected", slog.String("endpoint", info.Endpoint), slog.Int("attempt", info.Attempt))

	t.emitMissedBinds()
	if gap.From.IsZero() {
		t.resume(open, nil, func() { notify(t.hooks, t.cfg.hooks.Connected, info) })
		return
	}
	if gap.Reason != GapRestarted {
		t.reconnects.Add(1)
	}
	t.resume(open, &gap, func() {
		notify(t.hooks, t.cfg.hooks.Connected, info)
		notify(t.hooks, t.cfg.hooks.Gap, gap)
	})
}

// receive reads a session's events until it ends, and says why it did.
func (t *RTM) receive(s *session) error {
	// Closing the connection is what ends a read.
	unlink := context.AfterFunc(t.stopped, func() { _ = s.conn.Close() })
	defer unlink()
	stopBeats := t.heartbeats(s)
	defer stopBeats()

	err := t.read(s)
	s.lastLive = t.lag.bound(s.lastLive, s.conn)
	_ = s.conn.Close()

	t.mu.Lock()
	t.conn, t.lastLive = nil, s.lastLive
	t.mu.Unlock()
	t.lag.end()
	if cause := context.Cause(t.stopped); cause != nil {
		err = cause
	}
	lived := time.Since(s.since)
	t.client.logger.Info("crisp: RTM disconnected", slog.Any("error", err), slog.Duration("lived", lived))
	notify(t.hooks, t.cfg.hooks.Disconnected, Disconnected{Err: err, Lived: lived})
	return err
}

// read hands events to the delivery. It is the only place that reads the
// connection and must never wait for user code, except when the queue is full.
func (t *RTM) read(s *session) error {
	defer t.delivery.flush()
	for t.stopped.Err() == nil { // what was read ahead is not received yet
		ev, err := s.conn.Next()
		s.lastLive = s.conn.PassedOn()
		if err != nil {
			return t.sessionError(err)
		}
		if err := controlEvent(ev); err != nil {
			return err
		}
		name, wanted := t.router.wants(ev.Name)
		if !wanted || name == eventAuthenticated {
			continue
		}
		received := s.lastLive.UnixNano()
		t.received.Add(1)
		t.lastEvent.Store(received)
		it := item{name: name, payload: payloadOf(ev), received: received}
		if t.admit(&it) {
			t.delivery.enqueue(it)
		}
	}
	return context.Cause(t.stopped)
}

// payloadOf copies an event's payload out of the read buffer. An event without
// any argument has none: it reaches its handler as one whose payload is null.
func payloadOf(ev socketio.Event) []byte {
	if arg := ev.Arg(); len(arg) > 0 {
		return slices.Clone(arg)
	}
	return []byte("null")
}

// handle decodes an event and dispatches it.
func (t *RTM) handle(ctx context.Context, it *item) {
	ev, err := it.decode()
	if err != nil {
		t.router.onError(ctx, err)
		return
	}
	if t.recent != nil && t.handledAlready(ev, it.recovery) {
		return
	}
	if it.recovery != nil {
		it.recovery.count()
	}
	t.dispatch(ctx, ev)
}

// dispatch runs the handlers. A message whose handlers gave up because the
// client was closed is not remembered: it shall come again after a restart.
func (t *RTM) dispatch(ctx context.Context, ev Event) {
	interrupted := false
	defer func() { // also if a handler ends the goroutine
		if t.recent != nil && !interrupted {
			t.remember(ev)
		}
	}()
	err := t.router.Dispatch(ctx, ev) // the router has told its error handler
	interrupted = err != nil && ctx.Err() != nil
}

// sessionError says in this package's terms why a connection ended.
func (t *RTM) sessionError(err error) error {
	if errors.Is(err, socketio.ErrTooLarge) {
		return fmt.Errorf("%w: a frame of more than %d bytes (WithReadLimit)", ErrTooLarge, t.cfg.readLimit)
	}
	return fmt.Errorf("crisp: %w", err)
}

// report tells the router's error handler of what has no event.
func (t *RTM) report(err error) { t.router.onError(t.handling, err) }

// heartbeats calls the hook once per ping interval, while the session is live.
func (t *RTM) heartbeats(s *session) (stop func()) {
	if t.cfg.hooks.Heartbeat == nil {
		return func() {}
	}
	ticker := time.NewTicker(s.conn.Handshake().PingInterval)
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case now := <-ticker.C:
				event := s.since
				if ns := t.lastEvent.Load(); ns > event.UnixNano() {
					event = time.Unix(0, ns)
				}
				notifySome(t.hooks, t.cfg.hooks.Heartbeat, Heartbeat{SinceEvent: now.Sub(event), SinceFrame: now.Sub(s.conn.LastHeard())})
			case <-quit:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
	}
}

// drain lets handlers finish what is queued, unless they are to stop.
func (t *RTM) drain() {
	t.setState(StateDraining)
	t.endEpisode()
	t.awaitFills()
	t.delivery.finish()
	select {
	case <-t.delivery.done():
	case <-t.handling.Done():
	}
	t.hooks.flush(t.handling)
	if n := t.delivery.queued(); n > 0 {
		cause := context.Cause(t.handling)
		t.client.logger.Warn("crisp: RTM closed with events queued", slog.Int64("dropped", n))
		notify(t.hooks, t.cfg.hooks.Dropped, Dropped{Count: int(n), Err: cause})
	}
}

// end tells those who wait for the end of the run, and what is left of it.
func (t *RTM) end() {
	t.abandon(ErrClosed)
	t.setState(StateClosed)
	close(t.runEnded)
}

// Shutdown stops receiving, waits until handlers are done with what was
// received, and ends [RTM.Run] with [ErrClosed]. If ctx ends first, what is
// left is dropped (Hooks.Dropped tells how many events), and Shutdown returns
// ctx's cause. A handler or hook must not wait for Shutdown, which waits for
// the handler or hook; it can call [RTM.Close].
func (t *RTM) Shutdown(ctx context.Context) error {
	t.stop(ErrClosed)
	if !t.isRunning() {
		return nil
	}
	select {
	case <-t.runEnded:
		return nil
	case <-ctx.Done():
		t.abandon(ErrClosed)
		return context.Cause(ctx)
	}
}

// Close ends [RTM.Run] at once and drops what is queued (Hooks.Dropped tells
// how many events). It does not wait for anything and may be called inside a
// handler, again, or before Run. It returns nil.
func (t *RTM) Close() error {
	t.stop(ErrClosed)
	t.abandon(ErrClosed)
	return nil
}

func (t *RTM) isRunning() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running
}

// State tells what the client is doing.
func (t *RTM) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

func (t *RTM) setState(s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s
}

// Stats gives the counters.
func (t *RTM) Stats() Stats {
	t.mu.Lock()
	state, delivery := t.state, t.delivery
	t.mu.Unlock()
	s := Stats{
		State:      state,
		Received:   t.received.Load(),
		Dropped:    t.dropped.Load(),
		Reconnects: t.reconnects.Load(),
	}
	if delivery != nil {
		s.QueuedEvents, s.QueuedBytes = int(delivery.queued()), delivery.used()
	}
	if ns := t.lastEvent.Load(); ns != 0 {
		s.LastEvent = time.Unix(0, ns)
	}
	return s
}
