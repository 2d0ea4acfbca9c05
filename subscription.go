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
	// Crisp refuses websites that have not installed the plugin: see [Hooks].RoomsRefused.
	Rooms []string
	// Inboxes are inbox identifiers. Empty = all.
	Inboxes []string
}

// bindInterval is the least time between two binds: that of the official Node SDK.
const bindInterval = 2500 * time.Millisecond

// bindTimeout is how long the binds right after a connection may take to be written.
const bindTimeout = 10 * time.Second

// eventBind is the Socket.IO event that changes a subscription.
const eventBind = "socket:bind"

// bindRequest is the argument of socket:bind. What is not listed is removed.
type bindRequest struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms,omitempty"`
	Inboxes []string `json:"inboxes,omitempty"`
}

// subscription is what the server is to send, and the binds by which it has yet to learn that.
//
// A bind is sent by one goroutine (sendWaiting), which lives while any waits. Callers who want
// the same share one bind, and its outcome. While there is no connection, binds are only noted:
// a connection names its filter when it authenticates (forNewConnection), and sends those that
// came since when it is live (opened).
type subscription struct {
	mu      sync.Mutex // guards what follows
	filter  Filter
	conn    *socketio.Conn  // the live one; nil = none
	boundAt time.Time       // when the last bind was sent
	missed  [bindKinds]bool // noted while there was no connection
	waiting [bindKinds]*waitingBind
	sending bool // sendWaiting runs

	// Changes of the token's websites are counted as they are reported, to know up to which
	// of them Crisp has looked the websites up since.
	changes   uint64
	named     uint64 // changes when the connection in the making authenticated
	lookedUp  uint64 // changes that Crisp has seen
	broadened bool   // a room that was left out is back, and the server doesn't know yet

	leftOut    map[string]time.Time // rooms of the filter that Crisp refuses, and since when
	triedAgain []string             // rooms that the connection in the making names again, though they were refused before
}

// bindKind is what a bind asks of the server.
type bindKind int

const (
	bindWebsites bindKind = iota // look up the websites: first, since a filter may name new ones
	bindFilter                   // use the current filter
	bindKinds                    // how many there are
)

// waitingBind is a bind that waits for its turn.
type waitingBind struct {
	callers int           // without any, it is not sent
	before  Filter        // the last filter that the server accepted; zero = unknown
	done    chan struct{} // closed when it was sent, or failed
	err     error         // to be read once done is closed
}

// replaces notes the filter before a bind, unless there is an earlier one.
func (w *waitingBind) replaces(before Filter) {
	if w != nil && w.before.Events == nil {
		w.before = before
	}
}

func newSubscription(f Filter) *subscription { return &subscription{filter: f} }

// current returns the current filter, without the rooms that are left out.
func (s *subscription) current() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted()
}

// forNewConnection returns the filter with which a new connection authenticates. That makes up
// for all binds that were missed up to now.
func (s *subscription) forNewConnection() Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = [bindKinds]bool{}
	s.named, s.broadened = s.changes, false
	s.tryAgain()
	return s.accepted()
}

// opened makes a connection the live one, and sends the binds that were missed since its
// authentication.
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

// bind replaces the filter, and returns once the server was sent it; at once if there is no
// connection.
func (s *subscription) bind(ctx, stopped context.Context, f Filter) error {
	s.mu.Lock()
	before := s.filter
	s.filter, s.leftOut, s.triedAgain = f, nil, nil
	w := s.wait(stopped, bindFilter)
	w.replaces(before)
	s.mu.Unlock()
	return s.await(ctx, stopped, w)
}

// rebind has Crisp look up the websites again. With the context of a handler of
// plugin:subscription:updated it does nothing if that was done since the event came.
func (s *subscription) rebind(ctx, stopped context.Context) error {
	change, inHandler := ctx.Value(changeKey{s}).(uint64)
	s.mu.Lock()
	if inHandler && change <= s.lookedUp {
		s.mu.Unlock()
		return context.Cause(stopped)
	}
	w := s.wait(stopped, bindWebsites)
	s.mu.Unlock()
	return s.await(ctx, stopped, w)
}

// changed counts a change of the token's websites, and returns its number. With lookUp it has
// them looked up, without waiting for it.
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

// wait adds a caller to a bind; s.mu is held. It returns nil if there is no connection: the
// bind is noted, for the connection that may be in the making.
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

// await returns the outcome of a bind, or the cause of ctx's end; if w is nil, why the client
// was stopped, nil if it wasn't.
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

// emit sends a bind, which says what is current by now.
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

// takeBack puts the filter before in the place of one that is too large for the server, unless
// that was replaced meanwhile.
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

// websitesLookedUp notes that Crisp was asked to look up the websites, after so many changes.
// Rooms that are back can be bound from now on.
func (s *subscription) websitesLookedUp(stopped context.Context, changes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookedUp = max(s.lookedUp, changes)
	if s.broadened {
		s.broadened = false
		s.wait(stopped, bindFilter).replaces(s.filter)
	}
}

// changeKey is the key, in a handler's context, of the number of the change that its event
// reports to the client with this subscription.
type changeKey struct{ of *subscription }

// change is a plugin:subscription:updated with its number.
type change struct {
	*PluginSubscriptionUpdated
	number uint64
}

// roomsPause is how long a room is left out unless an event reports that it is back.
const roomsPause = time.Hour

// accepted returns the filter without the rooms that are left out; s.mu is held. It never
// makes a filter without rooms, which means all, of one with rooms: Run ends before.
func (s *subscription) accepted() Filter {
	f := s.filter
	if len(s.leftOut) > 0 {
		f.Rooms = slices.DeleteFunc(slices.Clone(f.Rooms), func(room string) bool {
			_, out := s.leftOut[room]
			return out
		})
	}
	return f
}

// leaveOut leaves rooms out of the filter. It returns those that are refused for the first
// time, and how many rooms are left.
func (s *subscription) leaveOut(rooms []string) (fresh []string, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leftOut == nil {
		s.leftOut = make(map[string]time.Time, len(rooms))
	}
	for _, room := range rooms {
		s.leftOut[room] = time.Now()
		if !slices.Contains(s.triedAgain, room) {
			fresh = append(fresh, room)
		}
	}
	return fresh, len(s.accepted().Rooms)
}

// tryAgain puts back the rooms that were left out for roomsPause; s.mu is held.
func (s *subscription) tryAgain() {
	for room, since := range s.leftOut {
		if time.Since(since) >= roomsPause {
			delete(s.leftOut, room)
			s.triedAgain = append(s.triedAgain, room)
		}
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
