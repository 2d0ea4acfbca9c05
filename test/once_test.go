package test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// One router on both transports, as docs/scaling.md has it: each message is handled
// once, also those that a backfill finds again.
func TestOnceAmongTransports(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var sources testkit.Log[crisp.Source]
		router, got := crisp.NewRouter(), new(testkit.Log[string])
		router.Use(crisp.Once(crisp.NewMemoryClaims(0)))
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			time.Sleep(time.Second)
			text, _ := ev.Content.(crisp.TextContent)
			got.Add(string(text))
			sources.Add(ev.Source)
			return nil
		})
		hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		srv.AddPluginHook(srv.Serve(hooks), "message:send")
		run(t, srv, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)

		visitor := srv.Visitor()
		for _, text := range numbers(0, 5) {
			visitor.Say(text)
		}
		pass(10 * time.Second)
		assert.ElementsMatch(t, numbers(0, 5), got.List())

		srv.TakeDown() // of RTM: what comes by web hook goes on
		pass(time.Second)
		for _, text := range numbers(5, 10) {
			visitor.Say(text)
		}
		pass(time.Minute)
		assert.ElementsMatch(t, numbers(0, 10), got.List())
		srv.BringUp()
		authenticated(t, srv)
		pass(time.Minute)
		assert.ElementsMatch(t, numbers(0, 10), got.List(), "the backfill brings nothing twice")
		assert.Contains(t, sources.List(), crisp.SourceWebhook)
	})
}

// busyElsewhere is a store of which everything can be claimed by another process.
type busyElsewhere struct {
	crisp.ClaimStore
	busy atomic.Bool
}

func (s *busyElsewhere) Claim(ctx context.Context, id, owner string, lease time.Duration) (crisp.ClaimState, error) {
	if s.busy.Load() {
		return crisp.ClaimRunning, nil
	}
	return s.ClaimStore.Claim(ctx, id, owner, lease)
}

// What waits for handlers elsewhere holds the stored position: if they come to
// nothing, the message is not lost with the process that waited.
func TestOncePositionStaysBeforeWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		store, position := &busyElsewhere{ClaimStore: crisp.NewMemoryClaims(0)}, new(memoryPosition)
		router, got := crisp.NewRouter(), new(testkit.Log[string])
		router.Use(crisp.Once(store))
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			text, _ := ev.Content.(crisp.TextContent)
			got.Add(string(text))
			return nil
		})
		rtm := run(t, srv, router, crisp.WithPosition(position), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		pass(time.Minute)
		store.busy.Store(true)
		sent := time.Now()
		srv.Visitor().Say("Hello")
		pass(time.Minute)
		assert.Empty(t, got.List())
		assert.False(t, position.last().After(sent.Add(clockStep)))

		require.NoError(t, rtm.Close())
		require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
		store.busy.Store(false)
		run(t, srv, router, crisp.WithPosition(position), crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		pass(time.Minute)
		assert.Equal(t, []string{"Hello"}, got.List())
	})
}
