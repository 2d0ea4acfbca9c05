package crisptest

import (
	"context"
	"fmt"

	"github.com/crisp-go/crisp"
)

// Handled is an event that the program under test has handled.
type Handled struct {
	Event crisp.Event
	Err   error // that the handlers returned
}

// String describes the event and the error, for failure messages.
func (h Handled) String() string {
	if h.Err != nil {
		return fmt.Sprintf("%s, failed: %v", h.Event.EventName(), h.Err)
	}
	return h.Event.EventName()
}

// Watch is middleware for the router of the program under test. It records which
// events were handled, for [Server.WaitHandled]:
//
//	router.Use(srv.Watch)
func (s *Server) Watch(next crisp.Handler) crisp.Handler {
	return func(ctx context.Context, ev crisp.Event) error {
		err := next(ctx, ev)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.handled.add(&Handled{Event: ev, Err: err}, 0)
		s.changes.announce()
		return err
	}
}

// Handled returns the latest events ([WithHistory]) that went through
// [Server.Watch], in the order in which their handlers returned.
func (s *Server) Handled() []Handled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.handled)
}
