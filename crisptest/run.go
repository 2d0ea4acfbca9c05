package crisptest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/crisp-go/crisp"
)

// shutdownTimeout is how long handlers may take to finish at the end of a test.
const shutdownTimeout = 10 * time.Second

// Run runs an RTM client until the end of the test, and returns once it is
// authenticated. It fails the test if that takes more than 30 s, or if the client
// ends before. At the end of the test, the client handles what it has received,
// for at most 10 s.
func (s *Server) Run(tb TB, rtm *crisp.RTM) {
	tb.Helper()
	others := s.Sessions()
	ctx, cancel := context.WithCancelCause(s.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(fmt.Errorf("the RTM client has ended: %w", rtm.Run(context.Background())))
	}()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		_ = rtm.Shutdown(ctx) // the test may have closed it, with whatever outcome
		<-ended
	})
	_, err := s.waitSession(ctx, "the RTM client to authenticate", func(session Session) bool {
		return session.Authenticated && !slices.ContainsFunc(others, session.sameAs)
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
}
