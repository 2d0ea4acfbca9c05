package bridge_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// intake runs an RTM client that stores messages in a log, until ctx ends.
func intake(ctx context.Context, t *testing.T, srv *crisptest.Server, p bridge.Publisher, opts ...crisp.RTMOption) (*crisp.RTM, <-chan error) {
	t.Helper()
	rtm, err := newIntake(ctx, srv, p, opts...)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(ctx) }()
	t.Cleanup(func() { _ = rtm.Close() })
	return rtm, ended
}

func newIntake(ctx context.Context, srv *crisptest.Server, p bridge.Publisher, opts ...crisp.RTMOption) (*crisp.RTM, error) {
	router := quietRouter()
	in := bridge.Publish(router, p, bridge.WithErrorHandler(new(errorLog).hear))
	opts = append([]crisp.RTMOption{
		crisp.WithHooks(in.Hooks(ctx)),
		crisp.WithFilter(crisp.Filter{Events: []string{"message:send"}}),
	}, opts...)
	return srv.Client().NewRTM(router, opts...)
}

// texts are what a log has of each message, and the types of the others.
func texts(t *testing.T, log *bridgetest.Log) (all []string) {
	t.Helper()
	for _, m := range log.All() {
		ev, err := m.Event()
		if err != nil {
			all = append(all, m.Type)
			continue
		}
		all = append(all, ev.(*crisp.MessageSend).Text())
	}
	return all
}

// TestAGapIsStoredInItsPlace: after what was received before it, and before what was
// received after it.
func TestAGapIsStoredInItsPlace(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				log := bridgetest.NewLog(bridgetest.WithPartitions(1))
				rtm, _ := intake(t.Context(), t, srv, log.Publisher(), crisp.WithConcurrency(concurrency))
				require.NoError(t, rtm.Ready(t.Context()))
				log.Fail(errAway)
				visitors := []*crisptest.Visitor{srv.Visitor(), srv.Visitor(), srv.Visitor()}
				for n := range 4 {
					for _, v := range visitors {
						v.Say(fmt.Sprint("before ", n))
					}
				}
				time.Sleep(time.Minute)
				srv.DropConnections()
				time.Sleep(time.Minute)
				require.NoError(t, rtm.Ready(t.Context()))
				visitors[0].Say("after")
				time.Sleep(time.Minute)
				require.Empty(t, log.All())

				log.Fail(nil)
				time.Sleep(time.Minute)
				all := texts(t, log)
				require.Len(t, all, 14)
				assert.Equal(t, []string{bridge.TypeGap, "after"}, all[12:])
			})
		})
	}
}

// TestThePositionDoesNotPassWhatIsNotStored: what could not be stored comes again after a
// restart.
func TestThePositionDoesNotPassWhatIsNotStored(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, rtm *crisp.RTM, cancel context.CancelFunc){
		"the context ends": func(_ *testing.T, _ *crisp.RTM, cancel context.CancelFunc) { cancel() },
		"Close":            func(t *testing.T, rtm *crisp.RTM, _ context.CancelFunc) { require.NoError(t, rtm.Close()) },
		"Shutdown": func(t *testing.T, rtm *crisp.RTM, _ context.CancelFunc) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			assert.ErrorIs(t, rtm.Shutdown(ctx), context.DeadlineExceeded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				log, positions := bridgetest.NewLog(), bridgetest.NewLog()
				options := []crisp.RTMOption{
					crisp.WithPosition(positions.Join().Position("rtm")), crisp.WithBackfill(crisp.Backfill{Overlap: time.Second}), crisp.WithConcurrency(4),
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				rtm, ended := intake(ctx, t, srv, log.Publisher(), options...)
				require.NoError(t, rtm.Ready(t.Context()))
				v, other := srv.Visitor(), srv.Visitor()
				v.Say("stored")
				time.Sleep(10 * time.Minute)
				log.Fail(errAway)
				v.Say("not stored")
				time.Sleep(10 * time.Minute)
				other.Say("nor this")
				time.Sleep(10 * time.Minute)
				stop(t, rtm, cancel)
				require.Error(t, <-ended)
				log.Fail(nil)
				time.Sleep(10 * time.Minute)

				rtm, _ = intake(t.Context(), t, srv, log.Publisher(), options...)
				require.NoError(t, rtm.Ready(t.Context()))
				time.Sleep(time.Minute)
				assert.ElementsMatch(t, []string{"stored", "not stored", "nor this"}, eventTexts(texts(t, log)))
				sources := map[crisp.Source]int{}
				for _, m := range log.All() {
					if m.Type == "message:send" {
						sources[m.Source]++
					}
				}
				assert.Equal(t, map[crisp.Source]int{crisp.SourceRTM: 1, crisp.SourceBackfill: 2}, sources)
			})
		})
	}
}

func eventTexts(all []string) []string {
	var texts []string
	for _, text := range all {
		if text != bridge.TypeGap && text != bridge.TypeBackfilled && text != bridge.TypeDropped {
			texts = append(texts, text)
		}
	}
	return texts
}

// TestADrainStoresWhatWasReceived before the client ends.
func TestADrainStoresWhatWasReceived(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		log := bridgetest.NewLog()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rtm, ended := intake(ctx, t, srv, log.Publisher(), crisp.WithDrainTimeout(time.Minute))
		require.NoError(t, rtm.Ready(t.Context()))
		log.Fail(errAway)
		v := srv.Visitor()
		v.Say("one")
		v.Say("two")
		time.Sleep(time.Second)
		cancel()
		time.Sleep(30 * time.Second)
		log.Fail(nil)
		require.ErrorIs(t, <-ended, context.Canceled)
		assert.Equal(t, []string{"one", "two"}, texts(t, log))
	})
}

// TestAnotherProcessTakesOver: what visitors said meanwhile is in the log, after one gap.
func TestAnotherProcessTakesOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		srv := crisptest.NewServer(t, crisptest.InMemory())
		log := bridgetest.NewLog(bridgetest.WithPartitions(1))
		var leading testkit.Log[string]
		lead := func(name string, p *bridgetest.Process) context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				_ = crisp.Lead(ctx, p.Lease("rtm"), ttl, func(ctx context.Context) error {
					leading.Add(name)
					rtm, err := newIntake(ctx, srv, p.Publisher(), crisp.WithPosition(p.Position("rtm")), crisp.WithBackfill(crisp.Backfill{}))
					if err != nil {
						return err
					}
					return rtm.Run(ctx)
				})
			}()
			return cancel
		}
		one := log.Join()
		end := lead("one", one)
		time.Sleep(time.Second)
		lead("two", log.Join())
		v := srv.Visitor()
		time.Sleep(time.Minute)
		v.Say("before")
		time.Sleep(10 * time.Minute)

		one.Kill() // it can't release its lease, and is stopped before it can do anything else
		end()
		died := time.Now()
		v.Say("meanwhile")
		for len(leading.List()) < 2 {
			time.Sleep(10 * time.Millisecond)
		}
		for len(eventTexts(texts(t, log))) < 2 {
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(died), ttl+5*time.Second)
		v.Say("after")
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"before", bridge.TypeGap, "meanwhile", bridge.TypeBackfilled, "after"}, texts(t, log))
		gap, _, err := bridge.ParseControl(log.All()[1])
		require.NoError(t, err)
		assert.Equal(t, crisp.GapRestarted, gap.(*bridge.Gap).Reason)
		assert.Equal(t, crisp.SourceBackfill, log.All()[2].Source)
		synctest.Wait()
	})
}

// TestBothTransportsAtOnce: a message is in the log once, whichever way it came first.
func TestBothTransportsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		log := bridgetest.NewLog()
		router := quietRouter()
		in := bridge.Publish(router, log.Publisher())
		hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		srv.AddPluginHook(srv.Serve(hooks))
		rtm, err := srv.Client().NewRTM(router, crisp.WithHooks(in.Hooks(t.Context())), crisp.WithFilter(crisp.Filter{Events: []string{"message:send"}}))
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- rtm.Run(t.Context()) }()
		require.NoError(t, rtm.Ready(t.Context()))
		v := srv.Visitor()
		for n := range 10 {
			v.Say(fmt.Sprint(n))
		}
		time.Sleep(time.Minute)
		count := map[string]int{}
		for _, m := range log.All() {
			if m.Type == "message:send" {
				count[m.ID]++
			}
		}
		assert.Len(t, count, 10)
		for _, n := range count {
			assert.Equal(t, 1, n)
		}
		require.NoError(t, rtm.Close())
		assert.ErrorIs(t, <-ended, crisp.ErrClosed)
	})
}
