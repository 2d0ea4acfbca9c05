package crisptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// patience is how long a waiter waits whose context has no deadline.
const patience = 30 * time.Second

// broadcast wakes all who wait for a change.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next change; nil while nobody waits
}

// changed is closed at the next change. Ask before looking at what may change.
func (b *broadcast) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// waiting is a wait for something of a kind to be there.
type waiting[T fmt.Stringer] struct {
	what  string       // that is waited for, in the error
	among func() []T   // where it will turn up
	match func(T) bool // what it is known by
	seen  func() []T   // what the error tells of; among if nil
}

// on looks after every change, outside any lock, and gives the first match.
func (w waiting[T]) on(ctx context.Context, s *Server) (found T, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for {
		changed := s.changes.changed()
		there := w.among()
		if i := slices.IndexFunc(there, w.match); i >= 0 {
			return there[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return found, w.failure(context.Cause(ctx))
		case <-s.ctx.Done():
			return found, w.failure(errClosed)
		}
	}
}

var errClosed = errors.New("the server was closed")

// failure says what was there instead.
func (w waiting[T]) failure(cause error) error {
	if w.seen == nil {
		w.seen = w.among
	}
	var list strings.Builder
	for _, one := range w.seen() {
		list.WriteString("\n\t" + one.String())
	}
	if list.Len() == 0 {
		list.WriteString(" nothing")
	}
	return fmt.Errorf("crisptest: waited for %s: %w; seen instead:%s", w.what, cause, list.String())
}

// WaitAuthenticated waits until an RTM session is open and authenticated. If
// none is when ctx ends, or after 30 s if it has no deadline, the error says
// what sessions there were instead.
func (s *Server) WaitAuthenticated(ctx context.Context) error {
	_, err := s.waitSession(ctx, "an authenticated RTM session", func(session Session) bool {
		return session.Authenticated
	})
	return err
}

// WaitSession waits for an open RTM session that matches. How long it waits,
// and its error, are as in [Server.WaitAuthenticated].
func (s *Server) WaitSession(ctx context.Context, match func(Session) bool) (Session, error) {
	return s.waitSession(ctx, "a matching RTM session", match)
}

func (s *Server) waitSession(ctx context.Context, what string, match func(Session) bool) (Session, error) {
	return waiting[Session]{
		what:  what,
		among: s.Sessions,
		match: func(session Session) bool { return session.told == session.Authenticated && match(session) },
		seen:  func() []Session { return append(s.PastSessions(), s.Sessions()...) },
	}.on(ctx, s)
}

// WaitBind waits for a change of filters that matches. How long it waits is as
// in [Server.WaitAuthenticated]; the error lists the changes there were.
func (s *Server) WaitBind(ctx context.Context, match func(Bind) bool) (Bind, error) {
	return waiting[Bind]{what: "a matching change of filters", among: s.Binds, match: match}.on(ctx, s)
}

// WaitRequest waits for a REST request that matches, answered or not. How long
// it waits is as in [Server.WaitAuthenticated]; the error lists the requests
// there were.
func (s *Server) WaitRequest(ctx context.Context, match func(Request) bool) (Request, error) {
	return waiting[Request]{what: "a matching REST request", among: s.Requests, match: match}.on(ctx, s)
}

// WaitSent waits for a message that REST has accepted and that matches: for
// what the program under test says. How long it waits is as in
// [Server.WaitAuthenticated]; the error lists what was sent instead.
func (s *Server) WaitSent(ctx context.Context, match func(Message) bool) (Message, error) {
	return waiting[Message]{what: "a matching message to be sent", among: s.Sent, match: match}.on(ctx, s)
}

// WaitDelivery waits for an answered or failed delivery of a web hook that
// matches. How long it waits is as in [Server.WaitAuthenticated]; the error
// lists the deliveries there were.
func (s *Server) WaitDelivery(ctx context.Context, match func(Delivery) bool) (Delivery, error) {
	return waiting[Delivery]{what: "a matching delivery of a web hook", among: s.Deliveries, match: match}.on(ctx, s)
}

// WaitHandled waits for an event that matches to be handled by the program
// under test, whose router must use [Server.Watch]. How long it waits is as in
// [Server.WaitAuthenticated]; the error lists what was handled instead.
func (s *Server) WaitHandled(ctx context.Context, match func(Handled) bool) (Handled, error) {
	return waiting[Handled]{what: "a matching event to be handled (by a router that uses Server.Watch)", among: s.Handled, match: match}.on(ctx, s)
}
