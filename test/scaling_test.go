package test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// standby is one of two processes of which one has an RTM client at a time, as
// docs/scaling.md has it.
type standby struct {
	store *reachable
	stop  context.CancelFunc
	ended chan error
}

// reachable is a store that a process can be cut off from.
type reachable struct {
	crisp.ClaimStore
	cut chan struct{} // closed when it is
}

func (s *reachable) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	select {
	case <-s.cut:
		return 0, errors.New("no route to the store")
	default:
		return s.ClaimStore.Claim(ctx, id, owner, lease)
	}
}

func newStandby(t *testing.T, srv *crisptest.Server, claims crisp.ClaimStore, position crisp.PositionStore, got *testkit.Log[string]) *standby {
	s := &standby{store: &reachable{claims, make(chan struct{})}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() {
		s.ended <- crisp.Lead(ctx, crisp.NewLease(s.store, "rtm"), 0, func(ctx context.Context) error {
			router := crisp.NewRouter()
			crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
				text, _ := ev.Content.(crisp.TextContent)
				got.Add(string(text))
				return nil
			})
			rtm, err := srv.Client().NewRTM(router, crisp.WithPosition(position), crisp.WithBackfill(crisp.Backfill{}))
			if err != nil {
				return err
			}
			return rtm.Run(ctx)
		})
	}()
	t.Cleanup(cancel)
	return s
}

// Whether the active one ends as it should, or is cut off, the other one takes over
// from its position, and what came in between is not lost.
func TestStandbyTakesOver(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(active *standby)
		most time.Duration // until the other takes over
	}{
		"stopped": {func(s *standby) { s.stop() }, 4 * time.Second},
		"cut off": {func(s *standby) { close(s.store.cut) }, 14 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				claims, position, got := crisp.NewMemoryClaims(0), new(memoryPosition), new(testkit.Log[string])
				active := newStandby(t, srv, claims, position, got)
				pass(time.Second)
				other := newStandby(t, srv, claims, position, got)
				pass(time.Minute)
				require.Len(t, srv.Sessions(), 1, "one connection at a time")
				visitor := srv.Visitor()
				visitor.Say("before")
				pass(time.Minute)
				assert.Equal(t, []string{"before"}, got.List())

				c.end(active)
				for n := range 20 {
					visitor.Say(fmt.Sprint("message ", n))
					pass(c.most / 20)
					assert.LessOrEqual(t, len(srv.Sessions()), 1)
				}
				visitor.Say("after")
				require.NotEmpty(t, srv.Sessions(), "the other has taken over")
				pass(time.Minute)
				want := []string{"before"}
				for n := range 20 {
					want = append(want, fmt.Sprint("message ", n))
				}
				assert.Equal(t, append(want, "after"), got.List(), "in order, nothing missing, nothing twice")
				for _, s := range []*standby{active, other} {
					s.stop()
					require.ErrorIs(t, <-s.ended, context.Canceled)
				}
			})
		})
	}
}
