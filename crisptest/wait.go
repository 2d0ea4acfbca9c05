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

// defaultWait is how long to wait if the context has no deadline.
const defaultWait = 30 * time.Second

// broadcast wakes everybody who waits for a change.
type broadcast struct {
	mu   sync.Mutex    // guards next
	next chan struct{} // closed at the next change; nil while nobody waits
}

// changed returns a channel that is closed at the next change. To miss none, call
// it before looking at what may change.
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

// waiter waits until something in a list matches.
type waiter[T fmt.Stringer] struct {
	what  string       // a description for the error
	among func() []T   // the list, which may grow
	match func(T) bool // called without any lock
	seen  func() []T   // the list that the error has; among if nil
}

// wait returns the first match. It looks again after every change.
func (w waiter[T]) wait(ctx context.Context, s *Server) (found T, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultWait)
		defer cancel()
	}
	for {
		changed := s.changes.changed()
		list := w.among()
		if i := slices.IndexFunc(list, w.match); i >= 0 {
			return list[i], nil
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

// maxSeen is how many entries an error lists at most.
const maxSeen = 100

// failure returns the error of a wait, with a list of what was there instead, the
// latest of it.
func (w waiter[T]) failure(cause error) error {
	if w.seen == nil {
		w.seen = w.among
	}
	var list strings.Builder
	seen := w.seen()
	if before := len(seen) - maxSeen; before > 0 {
		fmt.Fprintf(&list, "\n\t(%d others before)", before)
		seen = seen[before:]
	}
	for _, one := range seen {
		list.WriteString("\n\t" + one.String())
	}
	if list.Len() == 0 {
		list.WriteString(" nothing")
	}
	return fmt.Errorf("crisptest: waited for %s: %w; seen instead:%s", w.what, cause, list.String())
}

// WaitAuthenticated waits until an RTM session is open and authenticated. It
// waits until ctx ends, or for 30 s if ctx has no deadline, or until the server
// is closed; the error then lists the sessions that there were instead.
func (s *Server) WaitAuthenticated(ctx context.Context) error {
	_, err := s.waitSession(ctx, "an authenticated RTM session", func(session Session) bool {
		return session.Authenticated
	})
	return err
}

// WaitSession waits for an open RTM session that matches and returns it. It waits
// as long as [Server.WaitAuthenticated] does, and has the same error.
func (s *Server) WaitSession(ctx context.Context, match func(Session) bool) (Session, error) {
	return s.waitSession(ctx, "a matching RTM session", match)
}

func (s *Server) waitSession(ctx context.Context, what string, match func(Session) bool) (Session, error) {
	return waiter[Session]{
		what:  what,
		among: s.Sessions,
		match: func(session Session) bool { return session.confirmed == session.Authenticated && match(session) },
		seen:  func() []Session { return append(s.PastSessions(), s.Sessions()...) },
	}.wait(ctx, s)
}

// WaitBind waits for one of [Server.Binds] that matches and returns it. It waits
// as long as [Server.WaitAuthenticated] does; the error lists those that there
// were instead.
func (s *Server) WaitBind(ctx context.Context, match func(Bind) bool) (Bind, error) {
	return waiter[Bind]{what: "a matching change of filters", among: s.Binds, match: match}.wait(ctx, s)
}

// WaitRequest waits for one of [Server.Requests] that matches, answered or not,
// and returns it. It waits as long as [Server.WaitAuthenticated] does; the error
// lists the requests that there were instead.
func (s *Server) WaitRequest(ctx context.Context, match func(Request) bool) (Request, error) {
	return waiter[Request]{what: "a matching REST request", among: s.Requests, match: match}.wait(ctx, s)
}

// WaitSent waits for one of [Server.Sent] that matches and returns it: a message
// of the program under test. It waits as long as [Server.WaitAuthenticated] does;
// the error lists the messages that were sent instead.
func (s *Server) WaitSent(ctx context.Context, match func(Message) bool) (Message, error) {
	return waiter[Message]{what: "a matching message to be sent", among: s.Sent, match: match}.wait(ctx, s)
}

// WaitDelivery waits for one of [Server.Deliveries] that matches and returns it.
// It waits as long as [Server.WaitAuthenticated] does; the error lists the
// deliveries that there were instead.
func (s *Server) WaitDelivery(ctx context.Context, match func(Delivery) bool) (Delivery, error) {
	return waiter[Delivery]{what: "a matching delivery of a web hook", among: s.Deliveries, match: match}.wait(ctx, s)
}

// WaitHandled waits for one of [Server.Handled] that matches and returns it; the
// router of the program under test must use [Server.Watch]. It waits as long as
// [Server.WaitAuthenticated] does; the error lists what was handled instead.
func (s *Server) WaitHandled(ctx context.Context, match func(Handled) bool) (Handled, error) {
	return waiter[Handled]{what: "a matching event to be handled (by a router that uses Server.Watch)", among: s.Handled, match: match}.wait(ctx, s)
}
