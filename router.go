package crisp

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
)

// Handler handles one event. An error is reported to the router's error
// handler; over web hooks it also makes Crisp deliver the event again. Over the RTM
// API nothing does: see [Retry].
type Handler = func(ctx context.Context, ev Event) error

// Router holds the handlers of events and runs them. One router serves any
// number of RTM clients and web hooks at a time: the handlers can't tell, and
// need not know, how an event came.
//
// Register with [On], [Router.OnAny], [Router.OnName] and [Router.Use] first.
// Registration freezes when the router is first used: by [Client.NewRTM],
// [Router.Dispatch], or the first authentic web hook. Registering later panics,
// because a handler that comes too late would miss events in silence.
//
// An event runs, one after the other, its typed handlers, those registered for
// its name, and those for any event, each kind in the order of registration.
// All of them run, even if one fails.
type Router struct {
	onError func(ctx context.Context, err error)

	mu         sync.Mutex // guards registration; never held while user code runs
	frozen     bool
	typed      map[string][]Handler // by the type's name in the catalog
	named      map[string][]Handler // by the name on the wire
	unknown    []Handler
	any        []Handler
	middleware []func(Handler) Handler
	watchers   map[string][]watcher // by the name in the catalog
	arrivals   arrivals

	// freeze is compile, once. What follows is set by it, and read without the lock from
	// then on.
	freeze func()
	chains map[string]*chain // for each name that is registered or known
	others *chain            // for all other names
	run    Handler           // watchers, then middleware, then the event's chain; nil if there are only chains
}

// RouterOption configures [NewRouter].
type RouterOption func(*Router)

// WithErrorHandler sets a function for errors that have no caller to be returned to:
// [*HandlerError] (a handler failed or panicked), [*DriftError] (a payload's
// field had an unexpected type), and what the transports report. It may be
// called from several goroutines at once. If it panics, the panic and the error are
// logged by [slog.Default]. So are all errors by default, the same of the same event at most
// once a minute: the attribute "suppressed" then says how often it happened meanwhile.
func WithErrorHandler(fn func(ctx context.Context, err error)) RouterOption {
	return func(r *Router) { r.onError = fn }
}

// NewRouter makes a router without handlers.
func NewRouter(opts ...RouterOption) *Router {
	r := &Router{
		typed:    make(map[string][]Handler),
		named:    make(map[string][]Handler),
		watchers: make(map[string][]watcher),
		arrivals: newArrivals(),
	}
	r.freeze = sync.OnceFunc(r.compile) // if it panics, it does so each time: no event may pass without its middleware
	for _, opt := range opts {
		opt(r)
	}
	if r.onError == nil {
		r.onError = errorLog{newSparing()}.log
	}
	r.onError = withoutPanics(r.onError)
	return r
}

// On registers a handler for one type of event, which Go infers from the
// callback, and panics if that is nil or the router is in use:
//
//	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error { … })
//
// On [UnknownEvent] it gets the events that the catalog does not have; those
// can't be subscribed to by type: see [Router.OnName].
func On[T any, E interface {
	*T
	Event
}](r *Router, fn func(ctx context.Context, ev E) error) {
	if fn == nil {
		panic("crisp: On(nil): needs a handler")
	}
	h := func(ctx context.Context, ev Event) error {
		if typed, ok := ev.(E); ok {
			return fn(ctx, typed)
		}
		return nil // an UnknownEvent that somebody has given a name of the catalog
	}
	var zero Event = E(new(T))
	if _, ok := zero.(*UnknownEvent); ok {
		r.register(func() { r.unknown = append(r.unknown, h) })
		return
	}
	name := zero.EventName()
	r.register(func() { r.typed[name] = append(r.typed[name], h) })
}

// OnAny registers a handler for every event, unknown ones too. A router that
// has such a handler subscribes an RTM client to all events that its token's tier
// may see. OnAny(nil) panics.
func (r *Router) OnAny(fn func(ctx context.Context, ev Event) error) {
	if fn == nil {
		panic("crisp: OnAny(nil): needs a handler")
	}
	r.register(func() { r.any = append(r.any, fn) })
}

// OnName registers a handler by the event's name on the wire, such as
// "message:send", and subscribes to it, whether the catalog has it or not: of a name
// that it doesn't have, the logger is warned. It panics if either is missing.
func (r *Router) OnName(name string, fn func(ctx context.Context, ev Event) error) {
	if name == "" || fn == nil {
		panic("crisp: OnName: needs the event's name on the wire and a handler")
	}
	r.register(func() { r.named[name] = append(r.named[name], fn) })
}

// Use adds middleware around the handlers of each event: the first added is
// the outermost. A middleware that does not call the next handler keeps the
// event from all handlers. Events that no handler wants are not decoded and
// pass no middleware. Use panics if one is nil, or returns nil when the router is
// first used.
func (r *Router) Use(mw ...func(Handler) Handler) {
	for _, m := range mw {
		if m == nil {
			panic("crisp: Use(nil): needs middleware")
		}
	}
	r.register(func() { r.middleware = append(r.middleware, mw...) })
}

// OnMessage registers a handler for the messages of both sides: message:send, which
// visitors send, and message:received, which operators do. It panics if the callback
// is nil or the router is in use.
func OnMessage(r *Router, fn func(ctx context.Context, ev MessageEvent) error) {
	if fn == nil {
		panic("crisp: OnMessage(nil): needs a handler")
	}
	On(r, func(ctx context.Context, ev *MessageSend) error { return fn(ctx, ev) })
	On(r, func(ctx context.Context, ev *MessageReceived) error { return fn(ctx, ev) })
}

// watcher sees events, but can't stop them or fail.
type watcher func(ctx context.Context, ev Event)

// watch registers a watcher for the events of a name. It sees them before any middleware can hold
// them back. They are subscribed to as if they had a handler.
func (r *Router) watch(name string, w watcher) {
	r.register(func() { r.watchers[name] = append(r.watchers[name], w) })
}

func (r *Router) register(add func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen {
		panic("crisp: the router is in use already: register all handlers before Client.NewRTM and the first event")
	}
	add()
}

// EventNames lists, sorted, the names on the wire that handlers were registered
// for: what an RTM client subscribes to. With an OnAny handler it is the whole
// catalog besides; [Client.NewRTM] cuts that down to what the token's tier may
// see.
func (r *Router) EventNames() []string {
	names := r.registeredNames()
	if r.wantsAny() {
		for _, info := range Events() {
			names = append(names, info.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// HookNames lists, sorted, the events to be ticked for web hooks where Crisp asks
// for them: those of EventNames that can come by web hook.
func (r *Router) HookNames() []string {
	var names []string
	for _, name := range r.EventNames() {
		info, ok := infoOf(name)
		switch {
		case !ok:
			names = append(names, name)
		case !info.RTMOnly:
			names = append(names, info.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Scopes lists, sorted, the scopes that a token needs to receive the events of
// EventNames, such as "website:conversation:messages read": those to be asked for
// where a plugin's token is made. The REST calls of handlers may need more, to send
// messages for example. Some events need none, or none is documented.
func (r *Router) Scopes() []string {
	var scopes []string
	for _, name := range r.EventNames() {
		if info, ok := infoOf(name); ok && info.Scope != "" {
			scopes = append(scopes, info.Scope)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// registeredNames returns, sorted, the names that handlers, watchers or callbacks for arrivals
// were registered for.
func (r *Router) registeredNames() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := slices.AppendSeq(slices.Collect(maps.Keys(r.typed)), maps.Keys(r.named))
	names = slices.AppendSeq(names, maps.Keys(r.watchers))
	names = slices.AppendSeq(names, maps.Keys(r.arrivals.byName))
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *Router) wantsAny() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.any) > 0
}

// wantsSomething reports whether there is any handler or watcher.
func (r *Router) wantsSomething() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.typed)+len(r.named)+len(r.unknown)+len(r.any)+len(r.watchers) > 0
}

// compile ends registration and computes what runs for each name, so that an event costs one
// look-up, however many handlers there are.
func (r *Router) compile() {
	r.mu.Lock()
	r.frozen = true
	r.mu.Unlock()

	r.chains = make(map[string]*chain)
	r.others = newChain("", slices.Concat(r.unknown, r.any))
	for name := range r.named {
		r.addChain(name)
	}
	for _, info := range Events() {
		r.addChain(info.Name)
		for _, alias := range aliasesOf(info.Name) {
			r.addChain(alias)
		}
	}
	if len(r.middleware)+len(r.watchers) > 0 {
		r.surroundChains()
	}
}

// surroundChains puts the middleware and the watchers around the chains. Each middleware is
// applied once, for all events. It may pass on another event than it got: so the chain is looked
// up behind it.
func (r *Router) surroundChains() {
	run := func(ctx context.Context, ev Event) error {
		before, _ := ctx.Value(succeededKey{}).(*succeeded)
		return runAll(ctx, ev, r.chainOf(ev.EventName()).handlers, before)
	}
	for _, mw := range slices.Backward(r.middleware) {
		if run = mw(run); run == nil {
			panic("crisp: a middleware returned no handler, but nil")
		}
	}
	r.run = r.watched(run)
}

// watched runs the watchers of an event's name before the next handler.
func (r *Router) watched(next Handler) Handler {
	return func(ctx context.Context, ev Event) error {
		for _, w := range r.watchers[canonicalName(ev.EventName())] {
			w(ctx, ev)
		}
		return next(ctx, ev)
	}
}

// chain is the handlers for the events of a name.
type chain struct {
	name     string
	wanted   bool // by a handler, a watcher, or a callback for arrivals
	handlers []Handler
}

func newChain(name string, handlers []Handler) *chain {
	return &chain{name, len(handlers) > 0, handlers}
}

func (r *Router) addChain(name string) {
	typed := r.typed[canonicalName(name)]
	if !known(name) {
		typed = r.unknown
	}
	c := newChain(name, slices.Concat(typed, r.named[name], r.any))
	c.wanted = c.wanted || len(r.watchers[canonicalName(name)]) > 0 || r.hearsOf(name)
	r.chains[name] = c
}

// chainOf returns the chain for events of a name. The router is frozen.
func (r *Router) chainOf(name string) *chain {
	if c, ok := r.chains[name]; ok {
		return c
	}
	return r.others
}

// wants reports whether anything would run for a name, before anything of the
// event is copied or decoded, and returns the name as a string that is not
// allocated for each event. The router is frozen.
func (r *Router) wants(name []byte) (string, bool) {
	if c, ok := r.chains[string(name)]; ok {
		return c.name, c.wanted
	}
	if !r.others.wanted {
		return "", false
	}
	return string(name), true
}

// Dispatch runs the handlers of an event and returns their errors joined, each
// a [*HandlerError]; the error handler hears of each too. A panic in a handler
// is recovered and becomes such an error, and so does whatever else a middleware
// returns. The transports deliver by it, and tests can call handlers by it.
func (r *Router) Dispatch(ctx context.Context, ev Event) error {
	r.freeze()
	r.arrived(ev)
	return r.dispatch(ctx, ev)
}

// dispatch is Dispatch for an event whose arrival was announced: see arrived.
func (r *Router) dispatch(ctx context.Context, ev Event) error {
	c := r.chainOf(ev.EventName())
	if !c.wanted {
		return nil
	}
	if problems := ev.EventMeta().Problems; len(problems) > 0 {
		r.onError(ctx, &DriftError{Event: ev, Problems: problems})
	}
	err := r.runChain(ctx, ev, c)
	if err != nil {
		r.report(ctx, err)
	}
	return err
}

// runChain runs the handlers of an event, and whatever is around them.
func (r *Router) runChain(ctx context.Context, ev Event, c *chain) error {
	if r.run == nil { // nothing is around the handlers
		return runAll(ctx, ev, c.handlers, nil)
	}
	return runHandler(ctx, ev, r.run)
}

// runAll runs handlers one after the other, all of them even if one fails, except those that have
// succeeded before.
func runAll(ctx context.Context, ev Event, handlers []Handler, before *succeeded) error {
	if len(handlers) == 1 && before == nil {
		return runHandler(ctx, ev, handlers[0])
	}
	var errs []error
	for i := range handlers {
		this := handlingBy{ev, &handlers[i]}
		if before.has(this) {
			continue
		}
		if err := runHandler(ctx, ev, handlers[i]); err != nil {
			errs = append(errs, err)
		} else {
			before.add(this)
		}
	}
	return errors.Join(errs...)
}

// handlingBy is the handling of an event by one of its handlers.
type handlingBy struct {
	event   Event
	handler *Handler // its place in the chain, since functions can't be compared
}

// succeeded remembers which handlers need not run again when middleware such as Retry runs those
// of an event several times. Nil remembers none.
type succeeded struct {
	mu  sync.Mutex // guards all
	all map[handlingBy]bool
}

// succeededKey is the key of a *succeeded in a context.
type succeededKey struct{}

// withSucceeded returns a context in which a handler that has succeeded with an
// event does not run with it again.
func withSucceeded(ctx context.Context) context.Context {
	if ctx.Value(succeededKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, succeededKey{}, &succeeded{all: make(map[handlingBy]bool)})
}

func (s *succeeded) has(h handlingBy) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[h]
}

func (s *succeeded) add(h handlingBy) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[h] = true
}

// runHandler runs a handler and turns its error or panic into a HandlerError.
func runHandler(ctx context.Context, ev Event, h Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &HandlerError{Event: ev, Err: panicError(v), Stack: debug.Stack()}
		}
	}()
	if err = h(ctx, ev); err == nil {
		return nil
	}
	if attributed(ev, err) {
		return err
	}
	return &HandlerError{Event: ev, Err: err}
}

// attributed reports whether an error, or each of several that are joined, is a
// HandlerError of this event already.
func attributed(ev Event, err error) bool {
	switch err := err.(type) { //nolint:errorlint // an error that wraps such a one is another, of which no HandlerError was made
	case *HandlerError:
		return err.Event == ev
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(err.Unwrap(), func(e error) bool { return !attributed(ev, e) })
	}
	return false
}

// report hands the error handler each of the joined errors by itself. It
// happens here, not in runHandler, so that a middleware that retries or forgives
// decides what counts as a failure.
func (r *Router) report(ctx context.Context, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			r.report(ctx, e)
		}
		return
	}
	r.onError(ctx, err)
}
