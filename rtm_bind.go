package crisp

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/delivery"
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
	return func(c *rtmConfig) error {
		c.filter = f
		return nil
	}
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
// least; a call that comes sooner waits, until ctx ends. Calls that wait become one:
// the last filter is sent, and all return its outcome.
func (t *RTM) Bind(ctx context.Context, f Filter) error {
	complete, err := t.cfg.subscriptionFor(t.router, f, t.client.token().Tier)
	if err != nil {
		return err
	}
	return t.subscription.bind(ctx, t.stopped, complete)
}

// Rebind has Crisp look up again which websites the token sees (socket:bind with
// an empty object), after a website has installed or removed the plugin. It
// takes part in the pace of [RTM.Bind], and does nothing without a connection: a
// new one sees the new list by itself. Calls that wait become one.
//
// With the context of a handler of plugin:subscription:updated, it returns at once
// if Crisp was asked since that event came. See also [WithAutoRebind].
func (t *RTM) Rebind(ctx context.Context) error {
	return t.subscription.rebind(ctx, t.stopped)
}

// WithAutoRebind calls [RTM.Rebind] whenever plugin:subscription:updated tells that a
// website has installed or removed the plugin. The client subscribes to that event,
// whatever the filter is. Handlers needn't wait for it.
func WithAutoRebind() RTMOption {
	return func(c *rtmConfig) error {
		c.autoRebind = true
		return nil
	}
}

// subscription is what the server is to send, and what it has yet to be told.
type subscription struct {
	mu      sync.Mutex // guards what follows
	filter  Filter
	conn    *socketio.Conn // that is to be bound; nil = none
	boundAt time.Time      // last bind
	// missed are the binds that came while there was no connection. A connection may
	// be in the making that has named its subscription already.
	missed  [bindKinds]bool
	waiting [bindKinds]*waitingBind
	sending bool // a goroutine sends what waits

	// Changes of the token's websites are counted as they are told of, to know which
	// of them Crisp has looked up since.
	changes   uint64
	named     uint64 // those before the connection that is in the making
	lookedUp  uint64
	broadened bool // a room is back that was left out, and the server doesn't know

	leftOut    map[string]time.Time // rooms of the filter that Crisp refuses, and when it did
	triedAgain []string             // that were left out before, for the connection in the making
}

// bindKind is what a bind asks of the server.
type bindKind int

const (
	bindWebsites bindKind = iota // to look up the websites: first, since a filter may name new ones
	bindFilter                   // the current filter
	bindKinds
)

// waitingBind is one that waits for its turn.
type waitingBind struct {
	callers int    // who wait for it: without any, it is not sent
	before  Filter // of the filters that it replaces, the one that the server accepts; zero = unknown
	done    chan struct{}
	err     error // to be read when it is done
}

// replaces notes the filter before a bind, if it is the first that the bind replaces.
func (w *waitingBind) replaces(before Filter) {
	if w != nil && w.before.Events == nil {
		w.before = before
	}
}

func newSubscription(f Filter) *subscription { return &subscription{filter: f} }

// current is the filter of now, without the rooms that are left out.
func (s *subscription) current() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted()
}

// forNewConnection returns the filter for a new connection, which needs none of the
// binds up to now.
func (s *subscription) forNewConnection() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = [bindKinds]bool{}
	s.named, s.broadened = s.changes, false
	s.tryAgain()
	return s.accepted()
}

// opened makes a connection the one that is bound, and sends it the binds that
// came since its authentication.
func (s *subscription) opened(ctx context.Context, conn *socketio.Conn) error {
	s.mu.Lock()
	s.conn = conn
	s.lookedUp, s.triedAgain = s.named, nil
	missed := s.missed
	s.missed = [bindKinds]bool{}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, bindTimeout) // nothing is read yet, so no heartbeat would notice a dead peer
	defer cancel()
	for kind, due := range missed {
		if !due {
			continue
		}
		if err := s.emit(ctx, bindKind(kind), new(waitingBind)); err != nil {
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

// bind replaces the filter, and sends it when it is its turn.
func (s *subscription) bind(ctx, stopped context.Context, f Filter) error {
	s.mu.Lock()
	before := s.filter
	s.filter, s.leftOut, s.triedAgain = f, nil, nil
	w := s.wait(stopped, bindFilter)
	w.replaces(before)
	s.mu.Unlock()
	return s.await(ctx, stopped, w)
}

// rebind has the websites looked up when it is its turn, unless they were since the
// change that a handler's context is of.
func (s *subscription) rebind(ctx, stopped context.Context) error {
	change, inHandler := ctx.Value(changeKey{}).(uint64)
	s.mu.Lock()
	if inHandler && change <= s.lookedUp {
		s.mu.Unlock()
		return context.Cause(stopped)
	}
	w := s.wait(stopped, bindWebsites)
	s.mu.Unlock()
	return s.await(ctx, stopped, w)
}

// changed counts a change of the token's websites. With lookUp, they are looked up
// when it is the time for it; nothing waits for that.
func (s *subscription) changed(stopped context.Context, ev *PluginSubscriptionUpdated, lookUp bool) (change uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if _, out := s.leftOut[ev.WebsiteID]; out && ev.Bound {
		delete(s.leftOut, ev.WebsiteID)
		s.broadened = true
	}
	if lookUp {
		s.wait(stopped, bindWebsites)
	}
	return s.changes
}

// wait adds a caller to those of a bind; s.mu is held. It returns nil if there is no
// connection to bind: the bind is left for the one that may be in the making.
func (s *subscription) wait(stopped context.Context, kind bindKind) *waitingBind {
	if s.conn == nil || stopped.Err() != nil {
		s.missed[kind] = true
		return nil
	}
	w := s.waiting[kind]
	if w == nil {
		w = &waitingBind{done: make(chan struct{})}
		s.waiting[kind] = w
	}
	w.callers++
	if !s.sending {
		s.sending = true
		go s.sendWaiting(stopped)
	}
	return w
}

// await returns the outcome of a bind.
func (s *subscription) await(ctx, stopped context.Context, w *waitingBind) error {
	if w == nil {
		return context.Cause(stopped)
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		w.callers--
		return context.Cause(ctx)
	}
}

// sendWaiting sends what waits, one bind each bindInterval, until nothing does.
func (s *subscription) sendWaiting(stopped context.Context) {
	for {
		s.mu.Lock()
		if s.waiting == [bindKinds]*waitingBind{} {
			s.sending = false
			s.mu.Unlock()
			return
		}
		pause := bindInterval - time.Since(s.boundAt)
		s.mu.Unlock()
		err := sleep(stopped, pause)
		kind, w := s.takeWaiting()
		if w == nil {
			continue
		}
		if err == nil {
			err = s.emit(stopped, kind, w)
		}
		w.err = err
		close(w.done)
	}
}

// takeWaiting returns the bind whose turn it is, or nil if nobody waits any more.
func (s *subscription) takeWaiting() (bindKind, *waitingBind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, w := range s.waiting {
		s.waiting[kind] = nil
		if w != nil && w.callers > 0 {
			return bindKind(kind), w
		}
	}
	return 0, nil
}

// emit sends a bind. What it says is made now: it is what is current.
func (s *subscription) emit(ctx context.Context, kind bindKind, w *waitingBind) error {
	s.mu.Lock()
	conn, whole, filter, changes := s.conn, s.filter, s.accepted(), s.changes
	if conn == nil {
		s.missed[kind] = true
		s.mu.Unlock()
		return nil
	}
	s.boundAt = time.Now()
	s.mu.Unlock()
	var request any = struct{}{}
	if kind == bindFilter {
		request = bindRequest(filter)
	}
	err := subscriptionError(conn.Emit(ctx, eventBind, request))
	if errors.Is(err, ErrTooLarge) {
		s.takeBack(whole, w.before)
	}
	if err != nil {
		return fmt.Errorf("crisp: %s: %w", eventBind, err)
	}
	if kind == bindWebsites {
		s.websitesLookedUp(ctx, changes)
	}
	return nil
}

// takeBack replaces a filter with which no connection could be made by the one
// before, unless it was replaced meanwhile.
func (s *subscription) takeBack(filter, before Filter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before.Events != nil && reflect.DeepEqual(s.filter, filter) {
		s.filter = before
	}
	if later := s.waiting[bindFilter]; later != nil {
		later.before = before
	}
}

// websitesLookedUp notes that the server has been asked to, after so many changes.
// Rooms that are back can be named from now on.
func (s *subscription) websitesLookedUp(stopped context.Context, changes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookedUp = max(s.lookedUp, changes)
	if s.broadened {
		s.broadened = false
		s.wait(stopped, bindFilter).replaces(s.filter)
	}
}

// changeKey is where the context of a handler has the number of the change that its
// event tells of.
type changeKey struct{}

// change is a plugin:subscription:updated with its number.
type change struct {
	*PluginSubscriptionUpdated
	number uint64
}

// noteChange takes note, on the reading goroutine, of an item that may tell of a
// change of the token's websites.
func (t *RTM) noteChange(it *delivery.Item) {
	ev, err := t.eventOf(it)
	if err != nil {
		return // which its handler will report
	}
	if ev, ok := ev.(*PluginSubscriptionUpdated); ok {
		it.Value = change{ev, t.subscription.changed(t.stopped, ev, t.cfg.autoRebind)}
	}
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

// subscriptionFor completes a filter by what the options need.
func (c *rtmConfig) subscriptionFor(r *Router, f Filter, tier Tier) (Filter, error) {
	complete, err := subscriptionFor(r, f, tier)
	if err == nil && c.autoRebind && !slices.Contains(complete.Events, nameSubscriptionUpdated) {
		complete.Events = append(complete.Events, nameSubscriptionUpdated)
		slices.Sort(complete.Events)
	}
	return complete, err
}

// nameSubscriptionUpdated tells of installs and removals. Tokens of all tiers get it.
var nameSubscriptionUpdated = (*PluginSubscriptionUpdated)(nil).EventName()

// subscriptionFor completes a filter with the router's events and checks it
// against the tier, so that a subscription that can't work fails before any
// network.
func subscriptionFor(r *Router, f Filter, tier Tier) (Filter, error) {
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
