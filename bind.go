package crisp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Filter narrows what an RTM session receives. The server applies it: what it
// leaves out is never sent.
type Filter struct {
	// Events are names on the wire, such as "message:send". Empty = those that
	// the router has handlers for.
	Events []string
	// Rooms are website identifiers. Empty = all websites that the token sees.
	// Crisp refuses websites that are not subscribed to the plugin.
	Rooms []string
	// Inboxes are inbox identifiers. Empty = all.
	Inboxes []string
}

// WithFilter narrows the subscription from the first connection on; see also
// [RTM.Bind].
func WithFilter(f Filter) RTMOption {
	return func(c *rtmConfig) error {
		c.filter = f
		return nil
	}
}

// bindInterval is how often a session may be bound anew at most: the pace of
// the official Node SDK.
const bindInterval = 2500 * time.Millisecond

// bindTimeout is how long a new session's first bind may take to be written.
const bindTimeout = 10 * time.Second

// Names of Socket.IO events that are not Crisp events.
const (
	eventAuthentication = "authentication"
	eventAuthenticated  = "authenticated"
	eventUnauthorized   = "unauthorized"
	eventBind           = "socket:bind"
)

// bindRequest is the argument of socket:bind. What is not listed is removed.
type bindRequest struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms,omitempty"`
	Inboxes []string `json:"inboxes,omitempty"`
}

// Bind replaces the subscription's filter, on the live session (socket:bind)
// and on all later ones. Empty Events mean those of the router again. Crisp does
// not answer: what is refused is not told.
//
// Without a live session it takes effect on the next. Binds are 2.5 s apart at
// least; a call that comes sooner waits, until ctx ends.
func (t *RTM) Bind(ctx context.Context, f Filter) error {
	full, err := subscription(t.router, f, t.client.token().Tier)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.filter = full
	t.mu.Unlock()
	return t.bind(ctx, func() any {
		f := t.currentFilter()
		return bindRequest(f)
	})
}

// Rebind tells Crisp to look up again which websites the token sees (socket:bind
// with an empty object), after a website has installed or removed the plugin.
// It takes part in the pace of [RTM.Bind], and does nothing without a live
// session: a new session sees the new list by itself.
func (t *RTM) Rebind(ctx context.Context) error {
	return t.bind(ctx, func() any { return struct{}{} })
}

// bind sends a socket:bind, when it is this call's turn. The argument is made
// then, so that the last of several waiting calls sends what is current.
func (t *RTM) bind(ctx context.Context, arg func() any) error {
	select {
	case t.bindTurn <- struct{}{}:
		defer func() { <-t.bindTurn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := context.Cause(t.stopped); err != nil {
		return err
	}
	t.mu.Lock()
	wait := bindInterval - time.Since(t.boundAt)
	t.mu.Unlock()
	if !t.connected(arg) {
		return nil
	}
	if err := t.sleepUnlessStopped(ctx, wait); err != nil {
		return err
	}
	if !t.connected(arg) { // lost meanwhile
		return nil
	}
	return t.emitBind(ctx, arg())
}

// connected tells whether there is a live session to bind. If there is none, one
// may be in the making, which has sent its subscription already: the bind is
// left for it. One that begins later has no need of it.
func (t *RTM) connected(arg func() any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil && t.state == StateConnecting {
		t.missedBinds = append(t.missedBinds, arg)
	}
	return t.conn != nil
}

// subscribe gives the filter for a new session, which sees all binds up to now.
func (t *RTM) subscribe() Filter {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missedBinds = nil
	return t.filter
}

// emitMissedBinds sends the binds that came between a session's subscription
// and its being live.
func (t *RTM) emitMissedBinds() {
	t.mu.Lock()
	missed := t.missedBinds
	t.missedBinds = nil
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.stopped, bindTimeout) // nothing is read, so that no heartbeat notices a dead peer
	defer cancel()
	for _, arg := range missed {
		if err := t.emitBind(ctx, arg()); err != nil {
			t.client.logger.Warn("crisp: RTM bind", "error", err) // the session has ended: the next subscribes anew
			return
		}
	}
}

func (t *RTM) emitBind(ctx context.Context, arg any) error {
	t.mu.Lock()
	conn := t.conn
	t.boundAt = time.Now()
	t.mu.Unlock()
	if conn == nil {
		return nil
	}
	if err := conn.Emit(ctx, eventBind, arg); err != nil {
		return fmt.Errorf("crisp: %s: %w", eventBind, err)
	}
	return nil
}

// sleepUnlessStopped waits, unless ctx or the client ends.
func (t *RTM) sleepUnlessStopped(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(t.stopped, func() { cancel(context.Cause(t.stopped)) })()
	return sleep(ctx, d)
}

func (t *RTM) currentFilter() Filter {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.filter
}

// subscription completes a filter with the router's events and checks it
// against the tier, so that a subscription that can't work fails before any
// network.
func subscription(r *Router, f Filter, tier Tier) (Filter, error) {
	f = Filter{Events: slices.Clone(f.Events), Rooms: slices.Clone(f.Rooms), Inboxes: slices.Clone(f.Inboxes)}
	if err := noneEmpty(f); err != nil {
		return f, err
	}
	everything := len(f.Events) == 0 && r.wantsAny()
	if len(f.Events) == 0 {
		f.Events = r.registeredNames()
	}
	for _, name := range f.Events {
		if err := receivable(name, tier); err != nil {
			return f, err
		}
	}
	if everything {
		f.Events = append(f.Events, eventsOf(tier)...)
	}
	slices.Sort(f.Events)
	f.Events = slices.Compact(f.Events)
	if len(f.Events) == 0 {
		return f, errors.New("crisp: the router has no handlers to subscribe to events for: register some with On, OnName or OnAny before NewRTM, or give WithFilter the events")
	}
	return f, nil
}

func noneEmpty(f Filter) error {
	for _, list := range []struct {
		name string
		of   []string
	}{{"Events", f.Events}, {"Rooms", f.Rooms}, {"Inboxes", f.Inboxes}} {
		if i := slices.Index(list.of, ""); i >= 0 {
			return fmt.Errorf("crisp: Filter.%s[%d] is empty", list.name, i)
		}
	}
	return nil
}

// receivable is nil for events that the tier can receive, and for those that
// the catalog does not know of.
func receivable(name string, tier Tier) error {
	for _, info := range Events() {
		if info.Name == name && !slices.Contains(info.Tiers, tier) {
			return fmt.Errorf("crisp: a %s token can't receive %q, which needs one of %v: remove its handler, or subscribe to other events with WithFilter", tier, name, info.Tiers)
		}
	}
	return nil
}

// eventsOf lists all events that a tier may see.
func eventsOf(tier Tier) []string {
	var names []string
	for _, info := range Events() {
		if slices.Contains(info.Tiers, tier) {
			names = append(names, info.Name)
		}
	}
	return names
}
