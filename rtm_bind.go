package crisp

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/socketio"
)

// Filter narrows what an RTM client receives. The server applies it: what it
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
	return rtmOption(func(c *rtmConfig) error {
		c.filter = f
		return nil
	})
}

// bindInterval is how often a connection may be bound anew at most: the pace of
// the official Node SDK.
const bindInterval = 2500 * time.Millisecond

// bindTimeout is how long a new connection's first bind may take to be written.
const bindTimeout = 10 * time.Second

// eventBind is the Socket.IO event that changes a subscription.
const eventBind = "socket:bind"

// bindRequest is the argument of socket:bind. What is not listed is removed.
type bindRequest struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms,omitempty"`
	Inboxes []string `json:"inboxes,omitempty"`
}

// Bind replaces the subscription's filter, on the connection (socket:bind) and
// on all later ones. Empty Events mean those of the router again. Crisp does not
// answer: nobody learns of what is refused. A filter that is larger than the
// server accepts is [ErrTooLarge], and the one before it stays.
//
// Without a connection it takes effect on the next. Binds are 2.5 s apart at
// least; a call that comes sooner waits, until ctx ends.
func (t *RTM) Bind(ctx context.Context, f Filter) error {
	complete, err := subscriptionFor(t.router, f, t.client.token().Tier)
	if err != nil {
		return err
	}
	warnOfNames(t.client.logger, t.router, complete.Events)
	warnOfFilter(t.client.logger, t.router, complete.Events)
	before := t.subscription.current()
	t.subscription.replace(complete)
	err = t.subscription.bind(ctx, t.stopped, bindFilter)
	if errors.Is(err, ErrTooLarge) {
		t.subscription.restore(complete, before) // no connection could be made with it
	}
	return err
}

// Rebind has Crisp look up again which websites the token sees (socket:bind with
// an empty object), after a website has installed or removed the plugin. It
// takes part in the pace of [RTM.Bind], and does nothing without a connection: a
// new one sees the new list by itself.
func (t *RTM) Rebind(ctx context.Context) error {
	return t.subscription.bind(ctx, t.stopped, bindWebsites)
}

// subscription is what the server is to send, and what it has yet to be told.
type subscription struct {
	turn chan struct{} // capacity 1: one bind at a time

	mu      sync.Mutex // guards what follows
	filter  Filter
	conn    *socketio.Conn // that is to be bound; nil = none
	boundAt time.Time      // last bind
	// missed are the binds that came while there was no connection. A connection may
	// be in the making that has named its subscription already.
	missed [bindKinds]bool
}

// bindKind is what a bind asks of the server.
type bindKind int

const (
	bindFilter   bindKind = iota // the current filter
	bindWebsites                 // to look up the websites
	bindKinds
)

func newSubscription(f Filter) *subscription {
	return &subscription{filter: f, turn: make(chan struct{}, 1)}
}

// current is the filter of now.
func (s *subscription) current() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filter
}

func (s *subscription) replace(f Filter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filter = f
}

// restore takes a filter back, unless it was replaced meanwhile.
func (s *subscription) restore(taken, before Filter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.DeepEqual(s.filter, taken) {
		s.filter = before
	}
}

// forNewConnection returns the filter for a new connection, which needs none of the
// binds up to now.
func (s *subscription) forNewConnection() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = [bindKinds]bool{}
	return s.filter
}

// opened makes a connection the one that is bound, and sends it the binds that
// came since its authentication.
func (s *subscription) opened(ctx context.Context, conn *socketio.Conn) error {
	s.mu.Lock()
	s.conn = conn
	missed := s.missed
	s.missed = [bindKinds]bool{}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, bindTimeout) // nothing is read yet, so no heartbeat would notice a dead peer
	defer cancel()
	for kind, due := range missed {
		if !due {
			continue
		}
		if err := s.emit(ctx, bindKind(kind)); err != nil {
			return err
		}
	}
	return nil
}

func (s *subscription) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
}

// bind sends a socket:bind when it is this call's turn, unless the client is
// stopped.
func (s *subscription) bind(ctx, stopped context.Context, kind bindKind) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := context.Cause(stopped); err != nil {
		return err
	}
	wait, connected := s.due(kind)
	if !connected {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(stopped, func() { cancel(context.Cause(stopped)) })()
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	if _, connected = s.due(kind); !connected { // lost meanwhile
		return nil
	}
	return s.emit(ctx, kind)
}

// due reports how long a bind has to wait, and whether there is a connection to
// bind. If there is none, the bind is left for the one that may be in the making.
func (s *subscription) due(kind bindKind) (wait time.Duration, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		s.missed[kind] = true
	}
	return bindInterval - time.Since(s.boundAt), s.conn != nil
}

// emit sends a bind. What it says is made now, so that the last of several calls
// that wait sends what is current.
func (s *subscription) emit(ctx context.Context, kind bindKind) error {
	s.mu.Lock()
	conn, filter := s.conn, s.filter
	s.boundAt = time.Now()
	s.mu.Unlock()
	if conn == nil {
		return nil
	}
	var request any = struct{}{}
	if kind == bindFilter {
		request = bindRequest(filter)
	}
	if err := subscriptionError(conn.Emit(ctx, eventBind, request)); err != nil {
		return fmt.Errorf("crisp: %s: %w", eventBind, err)
	}
	return nil
}

// subscriptionError says in this package's terms why a subscription was not sent.
func subscriptionError(err error) error {
	var oversize *socketio.OversizeError
	if !errors.As(err, &oversize) {
		return err
	}
	return fmt.Errorf("%w: the subscription takes %d bytes, but the server accepts %d: name fewer Events, Rooms or Inboxes in WithFilter or Bind: %w",
		ErrTooLarge, oversize.Size, oversize.Limit, err)
}

// subscriptionFor completes a filter with the router's events and checks it
// against the tier, so that a subscription that can't work fails before any
// network.
func subscriptionFor(r *Router, f Filter, tier Tier) (Filter, error) {
	f = Filter{Events: slices.Clone(f.Events), Rooms: slices.Clone(f.Rooms), Inboxes: slices.Clone(f.Inboxes)}
	if err := checkFilter(f); err != nil {
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

// checkFilter refuses elements that can name nothing.
func checkFilter(f Filter) error {
	for _, list := range []struct {
		name string
		of   []string
	}{{"Events", f.Events}, {"Rooms", f.Rooms}, {"Inboxes", f.Inboxes}} {
		if i := slices.Index(list.of, ""); i >= 0 {
			return fmt.Errorf("crisp: Filter.%s[%d] is empty", list.name, i)
		}
		if i := slices.IndexFunc(list.of, hasSpace); i >= 0 {
			return fmt.Errorf("crisp: Filter.%s[%d] has white space around it", list.name, i)
		}
	}
	if i := slices.IndexFunc(f.Rooms, isSessionID); i >= 0 {
		return fmt.Errorf("crisp: Filter.Rooms[%d] is a session's identifier (session_…): rooms are websites", i)
	}
	return nil
}

// receivable returns nil for events that the tier can receive, and for those
// that the catalog does not have.
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
